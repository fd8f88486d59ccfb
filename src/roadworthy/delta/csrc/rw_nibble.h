/* Half bytes, coded at once by the chances of their sixteen values. */
#ifndef RW_NIBBLE_H
#define RW_NIBBLE_H

#include "rw_engine.h"

#define RW_SHARES 128u   /* slots that say how lines are mixed, for one use of them */
#define RW_LINE_SLOTS 8u /* a line takes the room of so many slots */

/* What a context has seen: below[v] of 16384 are the chances of values below v, for v from 1 on,
 * each above the one before. The first one, which would be 0, is RW_LINE_STATE + a check of the
 * context + how often it was seen: less than 0, as all mixes of it with others. */
typedef struct {
    int16_t below[16];
} rw_line;

#define RW_LINE_STATE (-16384)
#define RW_LINE_USES 31u
#define RW_LINE_CHECK 0x3fe0u /* bits of a context that a line keeps */

static inline uint32_t rw_line_uses(const rw_line *line)
{
    return (uint32_t)line->below[0] & RW_LINE_USES;
}

static inline int rw_line_is_of(const rw_line *line, uint32_t context)
{
    return (((uint32_t)line->below[0] ^ context) & RW_LINE_CHECK) == 0;
}

/* Whether a slot is a share that has learned no more often than it counts. */
int rw_share_in_range(uint32_t slot);
/* Makes it the line of a context that has seen nothing. */
void rw_line_begin(rw_line *line, uint32_t context);
/* Whether every value has a chance, and the first number is a state. */
int rw_line_in_range(const rw_line *line);
/* Codes a value by two or three lines, of which some may be the same; `shares` are RW_SHARES
 * slots. */
uint32_t rw_nibble_code(rw_view *view, rw_line *const *lines, uint32_t count, uint32_t *shares,
                        uint32_t value);

#endif
