/* Sorting suffixes. Encoder only. */
#ifndef RW_SORT_H
#define RW_SORT_H

#include <stdint.h>

/* Fills `order` with the start offsets of all suffixes of data[0..length) in order, by induced
 * sorting (Nong, Zhang, Chan: "Two Efficient Algorithms for Linear Time Suffix Array
 * Construction", 2011). `order` has room for length + 1 numbers. Returns 0, or -1 when there is no
 * memory. length < 2^31 - 2. */
int rw_suffix_sort(const uint8_t *data, int32_t length, int32_t *order);

/* Sorts some of the suffixes that start at multiples of `step`, given as offset / step, by their
 * first `reach` bytes; those that are alike in them stand in falling order. Multikey quicksort
 * (Bentley, Sedgewick: "Fast Algorithms for Sorting and Searching Strings", 1997) by eight bytes at
 * a time, where they stand. */
void rw_sort_places(const uint8_t *data, uint32_t length, uint32_t step, uint32_t reach,
                    int32_t *order, int32_t count);

#endif
