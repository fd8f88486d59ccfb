/* What the encoder of the fast back end knows of the bytes ahead. */
#ifndef RW_HINTS_H
#define RW_HINTS_H

#include <stdint.h>

/* A first walk records the runs, a second one codes them. */
typedef struct rw_hints {
    int recording;
    uint32_t *runs, count, capacity, next, current;
    int failed;
    const uint8_t *target;
    uint32_t target_length, window; /* how far back a match may start */
    uint32_t *head, *previous, entered;
} rw_hints;

/* Returns 0 when there is no memory. */
int rw_hints_begin(rw_hints *hints, const uint8_t *target, uint32_t length, uint32_t window_bits);
void rw_hints_free(rw_hints *hints);

/* First walk: a word of a cover without a reference is as in the base, or is not. */
void rw_hints_record(rw_hints *hints, int right);
/* Second walk: the next run. */
uint32_t rw_hints_run(rw_hints *hints);
/* The best match of target bytes at `position`, at most `limit` and 64 KiB long, with those before
 * it. Returns its length, 0 for none, and sets the distance. */
uint32_t rw_hints_match(rw_hints *hints, uint32_t position, uint32_t limit, uint32_t *distance);

#endif
