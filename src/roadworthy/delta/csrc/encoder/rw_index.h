/* Where strings occur in a part of an image: the suffixes at every `step`th place, sorted. Encoder
 * only.
 *
 * A larger step takes less memory. A string that is longer than a step is still found, a few bytes
 * late.
 */
#ifndef RW_INDEX_H
#define RW_INDEX_H

#include <stdint.h>

#define RW_INDEX_REACH 512u /* bytes that are compared, so that padding takes no quadratic time */

typedef struct {
    const uint8_t *data;
    uint32_t origin; /* where data[0] stands in the image */
    uint32_t length, step;
    int32_t count;  /* of suffixes */
    int32_t *order; /* their numbers, place / step, sorted */
    int32_t *first; /* of the suffixes that begin with each two bytes; 65537 of them */
    uint32_t run[256], run_length[256]; /* the longest run of each byte */
} rw_index;

/* Sorts what stands at from..to; the image must stay. Returns RW_OK or RW_NO_MEMORY; to be freed in
 * any case. */
int rw_index_begin(rw_index *index, const uint8_t *image, uint32_t from, uint32_t to, uint32_t step);
void rw_index_free(rw_index *index);

/* The number in order before which `left` bytes at `wanted` would stand. */
int32_t rw_index_find(const rw_index *index, const uint8_t *wanted, uint32_t left);

/* How many bytes are the same, at most the smaller of both numbers. */
uint32_t rw_index_common(const uint8_t *a, uint32_t a_left, const uint8_t *b, uint32_t b_left);

#endif
