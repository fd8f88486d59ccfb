/* What kind of code two images hold, and where the loader puts them. Encoder only. */
#ifndef RW_ANALYSE_H
#define RW_ANALYSE_H

#include "rw_engine.h"

typedef struct {
    const uint8_t *base, *target;
    uint32_t base_length, target_length;
    const rw_cover *covers;
    uint32_t cover_count;
    /* Called after some MB of them were looked at. May be 0. */
    void (*told)(void *user);
    void *user;
} rw_pair_of_images;

/* Adds to the bytes looked at since the images were told; tells them when it is time. */
void rw_images_seen(const rw_pair_of_images *images, uint32_t *seen, uint32_t length);

/* Load addresses: from ELF program headers, else guessed from the words that changed. */
void rw_find_segments(const rw_pair_of_images *images, rw_engine *parameters);
/* Target bytes that prediction with this instruction set gets right, less those it spoils. */
int64_t rw_measure_arch(const rw_pair_of_images *images, const rw_engine *parameters,
                        uint32_t arch);
/* Instructions that no cover holds and that call something in the target, by an instruction set of
 * which few would by chance; 0 for the others. */
uint32_t rw_count_new_calls(const rw_pair_of_images *images, const rw_engine *parameters,
                            uint32_t arch);
/* Copies an image with the operands of its references set to 0. */
void rw_mask(uint32_t arch, const rw_engine *parameters, int side, const uint8_t *image,
             uint32_t length, uint8_t *masked);

#endif
