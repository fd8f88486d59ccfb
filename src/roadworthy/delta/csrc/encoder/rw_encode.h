/* The encoder: makes a patch. Uses malloc; never linked into a bootloader. */
#ifndef RW_ENCODE_H
#define RW_ENCODE_H

#include "rw_engine.h"

#define RW_ARCH_AUTO 255u    /* find it from the images */
#define RW_BACKEND_AUTO 255u /* the one that makes the shorter patch */

typedef struct {
    const uint8_t *base, *target;
    uint32_t base_length, target_length;
    uint8_t ram_class, arch, backend;
    uint8_t step_bits; /* 0: as many as make hashes a small part of the patch */
    /* Bytes that planning may take, pages of mapped images included; 0 for no limit. Less than some
     * MB is not kept to. */
    uint64_t memory;
    uint32_t region_length; /* where the target replaces the base in place, else 0 */
    /* Called now and then with the share done, 0..1000; not 0 stops the work. May be 0. */
    int (*progress)(void *user, uint32_t permille);
    void *user;
} rw_encode_job;

/* Fills *patch (malloc, for the caller to free) and *length. Returns RW_OK, RW_NO_MEMORY,
 * RW_UNSUPPORTED (images too large, or too large for the region) or RW_CALLBACK (stopped). */
int rw_encode(const rw_encode_job *job, uint8_t **patch, uint32_t *length);

#endif
