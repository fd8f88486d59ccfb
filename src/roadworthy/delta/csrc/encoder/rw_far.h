/* Repeats of the target that the usual window does not reach. Encoder only. */
#ifndef RW_FAR_H
#define RW_FAR_H

#include "rw_plan.h"

/* Sizes of the mixing back end for repeats up to 1 MiB back, in the largest RAM class. */
#define RW_FAR_WINDOW_BITS 20u
#define RW_FAR_INDEX_BITS 18u

/* Whether `least` bytes that no cover holds, or more, repeat target bytes that are from `near` to `far`
 * bytes before; 0, too, when there is no memory to look. */
int rw_repeats_far(const rw_plan *plan, uint32_t near, uint32_t far, uint32_t least);

#endif
