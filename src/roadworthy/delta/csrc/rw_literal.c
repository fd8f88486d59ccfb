#include "rw_literal.h"

#include "rw_nibble.h"

#define SHARES (2 * RW_LITERAL_USES * RW_SHARES) /* for both halves of a byte */

/* However few slots a header says: no compiler takes an array of -1. */
typedef char there_is_room_for_two_lines[RW_FAST_SLOTS_MIN - RW_FAST_SLOTS_MIN / RW_WORD_SHARE * 2
                                                     >= RW_LITERAL_AT + SHARES + 2 * RW_LINE_SLOTS
                                                 ? 1
                                                 : -1];

static uint32_t *shares_of(const rw_view *view)
{
    return view->slots + RW_LITERAL_AT;
}

static rw_line *lines_of(const rw_view *view)
{
    return (rw_line *)(void *)(shares_of(view) + SHARES);
}

/* How many there are: an even number. */
static uint32_t line_count(const rw_view *view)
{
    uint32_t slots = view->engine->header.slot_count - RW_LITERAL_AT - SHARES
                     - 2 * rw_word_count(view);

    return slots / RW_LINE_SLOTS & ~1u;
}

/* The line of a context. Of two places the less used one gives way. */
static rw_line *line_of(const rw_view *view, uint32_t context)
{
    uint32_t i = (uint32_t)((uint64_t)context * line_count(view) >> 32);
    rw_line *a = lines_of(view) + i, *b = lines_of(view) + (i ^ 1);

    if (rw_line_is_of(a, context))
        return a;
    if (rw_line_is_of(b, context))
        return b;
    if (rw_line_uses(b) < rw_line_uses(a))
        a = b;
    rw_line_begin(a, context);
    return a;
}

static uint32_t code_half(rw_view *view, const uint32_t *contexts, uint32_t count, uint32_t *shares,
                          uint32_t half)
{
    rw_line *lines[RW_LITERAL_CONTEXTS];
    uint32_t i;

    for (i = 0; i < count; i++)
        lines[i] = line_of(view, contexts[i]);
    return rw_nibble_code(view, lines, count, shares, half);
}

void rw_literal_begin(rw_view *view)
{
    rw_line *lines = lines_of(view);
    uint32_t count = line_count(view), i;

    for (i = 0; i < count; i++)
        rw_line_begin(lines + i, 0);
}

int rw_literal_in_range(const rw_view *view)
{
    const rw_line *lines = lines_of(view);
    uint32_t count = line_count(view), i;

    for (i = 0; i < SHARES; i++)
        if (!rw_share_in_range(shares_of(view)[i]))
            return 0;
    for (i = 0; i < count; i++)
        if (!rw_line_in_range(lines + i))
            return 0;
    return 1;
}

uint8_t rw_literal_code(rw_view *view, enum rw_literal_use use, uint32_t *contexts, uint32_t count,
                        uint8_t byte)
{
    uint32_t *shares = shares_of(view) + 2 * (uint32_t)use * RW_SHARES, i;
    uint32_t high = code_half(view, contexts, count, shares, byte >> 4);

    for (i = 0; i < count; i++)
        contexts[i] = rw_hash(contexts[i], 1 + high);
    return (uint8_t)(high << 4 | code_half(view, contexts, count, shares + RW_SHARES, byte & 15));
}
