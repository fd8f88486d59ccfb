/* Suffix array by induced sorting (Nong, Zhang, Chan: "Two Efficient Algorithms for Linear
 * Time Suffix Array Construction", 2011). Encoder only. */
#ifndef RW_SORT_H
#define RW_SORT_H

#include <stdint.h>

/* Fills `order` with the start offsets of all suffixes of data[0..length) in order.
 * `order` has room for length + 1 numbers. Returns 0, or -1 when there is no memory.
 * length < 2^31 - 2. */
int rw_suffix_sort(const uint8_t *data, int32_t length, int32_t *order);

#endif
