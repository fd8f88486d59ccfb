/* What Thumb code says of the instructions after it: literal pools that loads point to, labels that
 * branches jump to, operations and registers (ARM DDI 0406C, A6). Offsets are those of the image
 * that is walked. */
#ifndef RW_FLOW_H
#define RW_FLOW_H

#include "rw_engine.h"

#define RW_GUESSES 2

/* A guess of the lower byte of a halfword. */
typedef struct {
    uint32_t byte; /* 0..255, or 256 for none */
    uint32_t bits; /* how many of its upper bits are guessed */
    uint32_t kind; /* of instruction: 1 to 4 */
} rw_guess;

/* Guesses the lower byte of the halfword at `at`, of which `upper` is the upper one. */
void rw_flow_guess(const rw_engine *engine, uint32_t at, uint32_t upper, rw_guess *guess);
/* Bytes left of the pool that `at` is in; 0 outside of one. */
uint32_t rw_flow_pool(const rw_engine *engine, uint32_t at);
/* Takes the next bytes in, `at` is the offset of the first; before they are shifted into the latest
 * bytes. */
void rw_flow_keep(rw_engine *engine, uint32_t at, const uint8_t *bytes, uint32_t length);

#endif
