/* The fast back end: a walk whose work goes with what changed, not with what stays.
 *
 * Words of a cover that hold no reference are settled in runs, a reference takes one decision, and
 * bytes outside of covers are literals or matches with earlier bytes of the target. A decision
 * of two outcomes looks at one slot in a fixed place; literals are in rw_literal.c.
 */
#include <string.h>

#include "rw_cursor.h"
#include "rw_literal.h"
#include "rw_predict.h"
#include "rw_refs.h"
#ifndef RW_DECODER_ONLY
#include "rw_hints.h"
#endif

#define MATCH_MIN 4u

enum { FIELD_RUN, FIELD_LENGTH, FIELD_DISTANCE, FIELDS };

/* Places of the slots. */
enum {
    AT_REFERENCE = 0,                        /* [class][trust][the last two were right] */
    AT_OTHER = AT_REFERENCE + 32 * 8 * 4,    /* [class] */
    AT_CORRECTED = AT_OTHER + 32,            /* [class] */
    AT_REPLACED = AT_CORRECTED + 32,         /* [kind][the last two were] */
    AT_BYTE = AT_REPLACED + 8 * 4,           /* [kind][lane][one was wrong] */
    AT_TOKEN = AT_BYTE + 8 * 4 * 2,          /* [the last four were matches] */
    AT_EQUAL = AT_TOKEN + 16,                /* [log2 of the length][the last three were equal] */
    AT_NUMBERS = AT_EQUAL + 32 * 8,          /* [field] */
    AT_END = AT_NUMBERS + FIELDS * (int)RW_NUMBER_SLOTS
};

/* No compiler takes an array of -1. */
typedef char slots_end_where_literals_begin[AT_END == RW_LITERAL_AT ? 1 : -1];

static int code(rw_view *view, uint32_t at, int bit)
{
    return rw_slot_code(view, view->slots + at, bit);
}

static uint32_t code_number(rw_view *view, uint32_t field, uint32_t context, uint32_t value)
{
    return rw_quick_number(view, AT_NUMBERS + field * RW_NUMBER_SLOTS, context, value);
}

static void open_cover(rw_view *view, const rw_cover *c)
{
    rw_engine *e = view->engine;
    uint32_t at = AT_EQUAL + rw_log2(c->length) * 8 + (e->equal_history & 7);
    int equal;

    if (!rw_cover_opens(view, c))
        return;
    equal = code(view, at, rw_cover_is_equal(view, c));
    e->equal_history = e->equal_history << 1 | (uint32_t)equal;
    e->equal_left = equal ? c->length : 0;
}

/* Bytes under a cover that are settled together, little-endian. */
typedef struct {
    uint32_t length, kind, lane;
    uint32_t predicted, is;
} rw_group;

static uint32_t lowest(uint32_t word, uint32_t bytes)
{
    return word & 0xffffffffu >> (32 - 8 * bytes);
}

/* Encoder: whether the next target bytes are these. */
static int are(const rw_view *view, uint32_t bytes, uint32_t length)
{
    uint32_t is = 0, i;

    if (view->sink == 0)
        return 0;
    for (i = length; i-- > 0;)
        is = is << 8 | view->target[view->engine->position + i];
    return is == lowest(bytes, length);
}

/* Whether the bytes are these; if they are, they are what is predicted. */
static int code_guess(rw_view *view, rw_group *g, uint32_t at, uint32_t guess)
{
    if (!code(view, at, are(view, guess, g->length)))
        return 0;
    g->predicted = lowest(guess, g->length);
    return 1;
}

/* A reference is as it is taken, or moved where it was not (the other way round), or as far off as
 * the last one of its class that was wrong. */
static int code_reference(rw_view *view, rw_group *g)
{
    rw_engine *e = view->engine;
    uint32_t used = 8 * e->unit_used, class = e->unit_class;
    uint32_t trust = (uint32_t)(e->trust[class] + 16) >> 2;
    uint32_t moved = rw_get32(e->unit_moved), old = rw_get32(e->unit_old);
    int right = code_guess(view, g, AT_REFERENCE + (class * 8 + trust) * 4 + (e->flags & 3),
                           g->predicted);

    e->flags = e->flags << 1 | (uint32_t)right;
    if (right)
        return 1;
    if (lowest(moved ^ old, e->unit_length) != 0
        && code_guess(view, g, AT_OTHER + class, (e->trust[class] < 0 ? moved : old) >> used))
        return 1;
    if (e->correction[class] == 0)
        return 0;
    return code_guess(view, g, AT_CORRECTED + class, (moved + e->correction[class]) >> used);
}

/* Whether a group without a reference is as in the base: so many are before one that is not. */
static int code_run(rw_view *view, const rw_group *g)
{
    rw_engine *e = view->engine;
    uint32_t run = 0;

#ifndef RW_DECODER_ONLY
    if (view->sink != 0 && view->hints->recording) {
        int right = are(view, g->predicted, g->length);

        rw_hints_record(view->hints, right);
        return right;
    }
    if (view->sink != 0 && !e->run_open)
        run = rw_hints_run(view->hints);
#else
    (void)g;
#endif
    if (!e->run_open) {
        e->run_left = code_number(view, FIELD_RUN, e->run_size, run);
        e->run_size = rw_log2(e->run_left + 1);
        e->run_open = 1;
    }
    if (e->run_left > 0) {
        e->run_left--;
        return 1;
    }
    e->run_open = 0;
    return 0;
}

/* Where it is kept what these bytes were replaced by: their name, and the other bytes. */
static uint32_t *replacement(rw_view *view, const rw_group *g, uint32_t *name)
{
    uint32_t count = rw_word_count(view);

    *name = rw_hash(g->predicted, g->kind << 3 | g->length);
    return view->slots + view->engine->header.slot_count
           - 2 * (1 + (uint32_t)((uint64_t)*name * count >> 32));
}

static int code_replaced(rw_view *view, rw_group *g)
{
    rw_engine *e = view->engine;
    uint32_t name, *kept = replacement(view, g, &name);
    int same;

    if (kept[0] != name)
        return 0;
    same = code_guess(view, g, AT_REPLACED + g->kind * 4 + (e->replaced & 3), kept[1]);
    e->replaced = e->replaced << 1 | (uint32_t)same;
    return same;
}

/* What a byte under a cover that is not as predicted depends on: the byte that was predicted, and
 * the two before it, of which some may be of this group. */
static void byte_contexts(const rw_view *view, const rw_group *g, uint32_t at, uint32_t *contexts)
{
    uint32_t order = view->engine->order[0], lane = (g->lane + at) & 3, i;

    for (i = 0; i < at; i++)
        order = order << 8 | (g->is >> 8 * i & 255);
    contexts[0] = rw_hash(0x40 + (g->kind << 2 | lane), g->predicted >> 8 * at & 255);
    contexts[1] = rw_hash(0x23, order & 0xffff);
}

/* Which of its bytes are wrong, and what they are; a last one must be wrong if no other was. */
static void code_bytes(rw_view *view, rw_group *g)
{
    uint32_t misses = 0, name, *kept = replacement(view, g, &name), contexts[2], i;
    enum rw_literal_use use = g->kind > 0 ? RW_LITERAL_REFERENCE : RW_LITERAL_WORD;

    g->is = 0;
    for (i = 0; i < g->length; i++) {
        uint8_t byte = (uint8_t)(g->predicted >> 8 * i),
                is = view->sink != 0 ? view->target[view->engine->position + i] : 0;
        uint32_t tag = g->kind << 2 | ((g->lane + i) & 3);

        byte_contexts(view, g, i, contexts);
        if ((i + 1 == g->length && misses == 0)
            || !code(view, AT_BYTE + tag * 2 + (misses > 0), is == byte)) {
            byte = rw_literal_code(view, use, contexts, 2, is);
            misses++;
        }
        g->is |= (uint32_t)byte << 8 * i;
    }
    kept[0] = name;
    kept[1] = g->is;
}

static void pend(rw_engine *e, uint32_t bytes, uint32_t length)
{
    rw_put32(e->pending, bytes);
    e->pending_used = 0;
    e->pending_length = length;
}

static void settle_group(rw_view *view, const rw_cover *c)
{
    rw_engine *e = view->engine;
    uint32_t base = c->base + (e->position - c->target);
    rw_group g = {0};
    int right;

    if (e->unit_used >= e->unit_length)
        rw_predict(view, base, c->base + c->length);
    g.length = rw_group_length(view, c);
    if (e->unit_used < e->unit_length) {
        g.kind = e->unit_kind;
        g.lane = e->unit_used;
        g.predicted = lowest(rw_get32(e->unit_bytes) >> 8 * e->unit_used, g.length);
        right = code_reference(view, &g);
    } else {
        g.lane = base & 3;
        g.predicted = lowest(rw_base_word(view, base), g.length);
        right = code_run(view, &g);
    }
    right = right || code_replaced(view, &g);
    if (!right)
        code_bytes(view, &g);
    pend(e, right ? g.predicted : g.is, g.length);
}

/* Encoder: a match that is worth it here, and not more so one byte later. */
static uint32_t find_match(rw_view *view, uint32_t *distance)
{
    uint32_t length = 0;

#ifndef RW_DECODER_ONLY
    uint32_t left = rw_gap_left(view), position = view->engine->position, later;

    if (view->sink != 0 && !view->hints->recording)
        length = rw_hints_match(view->hints, position, left, distance);
    if (length > 0 && rw_hints_match(view->hints, position + 1, left - 1, &later) > length + 1)
        length = 0;
#else
    (void)view;
    (void)distance;
#endif
    return length;
}

/* Outside of covers: a match, or one literal. Returns whether it is a match. */
static int settle_token(rw_view *view)
{
    rw_engine *e = view->engine;
    uint32_t distance = 1, length = find_match(view, &distance), lane = e->position & 3;
    uint32_t repeated = e->tokens & 1, at = AT_TOKEN + (e->tokens & 15), contexts[3];
    uint8_t byte;
    int match = e->header.window_bits > 0 && code(view, at, length > 0);

    e->tokens = e->tokens << 1 | (uint32_t)match;
    if (match) {
        length = code_number(view, FIELD_LENGTH, repeated, length - MATCH_MIN);
        e->match_length = length < UINT32_MAX - MATCH_MIN ? MATCH_MIN + length : UINT32_MAX;
        e->match_position = 1 + code_number(view, FIELD_DISTANCE, length, distance - 1);
        return 1;
    }
    contexts[0] = rw_hash(0x22, e->order[0] & 255);
    contexts[1] = rw_hash(0x28 + lane, e->order[0] >> 24);
    contexts[2] = rw_hash(0x23, e->order[0] & 0xffff);
    byte = rw_literal_code(view, RW_LITERAL_GAP, contexts, 3,
                           view->sink != 0 ? view->target[e->position] : 0);
    pend(e, byte, 1);
    return 0;
}

static uint32_t give_pending(rw_view *view, uint8_t *out, uint32_t room, int covered)
{
    rw_engine *e = view->engine;
    uint32_t left = e->pending_length - e->pending_used, n = room < left ? room : left, i;
    const uint8_t *bytes = e->pending + e->pending_used;

    if (out != 0 && n == 4)
        memcpy(out, bytes, 4);
    else
        for (i = 0; out != 0 && i < n; i++)
            out[i] = bytes[i];
    e->pending_used += n;
    rw_keep(view, bytes, n, covered);
    return n;
}

/* A match ends where the gap does. */
static uint32_t give_match(rw_view *view, uint8_t *out, uint32_t room)
{
    rw_engine *e = view->engine;
    uint32_t mask = (1u << e->header.window_bits) - 1, gap = rw_gap_left(view), n, i;

    if (e->match_length > gap)
        e->match_length = gap;
    n = room < e->match_length ? room : e->match_length;
    e->match_length -= n;
    for (i = 0; i < n; i++) {
        uint8_t byte = view->window[(e->position - e->match_position) & mask];

        if (out != 0)
            out[i] = byte;
        rw_keep(view, &byte, 1, 0);
    }
    return n;
}

/* Goes on with what is settled; where nothing is, settles what comes next. */
static uint32_t advance(rw_view *view, uint8_t *out, uint32_t room)
{
    rw_engine *e = view->engine;
    const rw_cover *c = rw_cover_here(view);

    if (e->pending_used < e->pending_length)
        return give_pending(view, out, room, c != 0);
    if (c == 0 && e->match_length > 0)
        return give_match(view, out, room);
    if (c != 0 && e->equal_left == 0)
        open_cover(view, c);
    if (e->equal_left > 0)
        return rw_copy(view, out, room);
    if (c != 0)
        settle_group(view, c);
    else if (settle_token(view))
        return 0;
    return give_pending(view, out, room, c != 0);
}

void rw_fast_begin(rw_view *view)
{
    uint32_t i;

    for (i = 0; i < view->engine->header.slot_count; i++)
        view->slots[i] = RW_SLOT_START;
    rw_literal_begin(view);
}

uint32_t rw_fast(rw_view *view, uint8_t *out, uint32_t room)
{
    rw_engine *e = view->engine;
    uint32_t left = e->header.target_length - e->position, made = 0;

    room = room < left ? room : left;
    left = rw_step_left(e);
    room = room < left ? room : left;
    do {
        made += advance(view, out != 0 ? out + made : 0, room - made);
    } while (made == 0
             || (made < room && e->status == RW_OK
                 && e->input_length - e->input_used >= RW_SYMBOL_MAX));
    return made;
}
