/* The fast back end: a walk whose work goes with what changed, not with what stays.
 *
 * Words of a cover that hold no reference are settled in runs, a reference takes one decision, and
 * bytes outside of covers are literals or matches with earlier bytes of the target. A decision
 * looks at one or two slots in fixed places.
 */
#include <string.h>

#include "rw_cursor.h"
#include "rw_predict.h"
#include "rw_refs.h"
#ifndef RW_DECODER_ONLY
#include "rw_hints.h"
#endif

#define LINE 16u /* slots for half a literal in one context, the first one is its name */
#define MATCH_MIN 4u
#define WORD_SHARE 64u /* of so many slots one word is kept with what replaced it */

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
    AT_LITERALS = AT_NUMBERS + FIELDS * (int)RW_NUMBER_SLOTS
};

/* First pair of weights of eight. */
enum { PAIR_PLAIN = 0, PAIR_REFERENCE = 8, PAIR_GAP = 16 };

static int code(rw_view *view, uint32_t at, int bit)
{
    return rw_slot_code(view, view->slots + at, bit);
}

static uint32_t code_number(rw_view *view, uint32_t field, uint32_t context, uint32_t value)
{
    return rw_quick_number(view, AT_NUMBERS + field * RW_NUMBER_SLOTS, context, value);
}

static uint32_t word_count(const rw_view *view)
{
    return view->engine->header.slot_count / WORD_SHARE;
}

/* The slots of half a byte in a context. Of two places the less used one gives way. */
static uint32_t *line_of(rw_view *view, uint32_t context)
{
    uint32_t end = view->engine->header.slot_count - 2 * word_count(view), i;
    uint32_t lines = (end - AT_LITERALS) / LINE & ~1u;
    uint32_t *a, *b, name = context * 0x9E3779B1u;

    i = (uint32_t)((uint64_t)context * lines >> 32);
    a = view->slots + AT_LITERALS + i * LINE;
    b = view->slots + AT_LITERALS + (i ^ 1) * LINE;
    if (a[0] == name)
        return a;
    if (b[0] == name)
        return b;
    if (rw_slot_uses(b[1]) < rw_slot_uses(a[1]))
        a = b;
    a[0] = name;
    for (i = 1; i < LINE; i++)
        a[i] = RW_SLOT_START;
    return a;
}

static uint32_t code_half(rw_view *view, uint32_t first, uint32_t second, uint32_t pair,
                          uint32_t half)
{
    uint32_t *a = line_of(view, first), *b = line_of(view, second), node = 1, i;

    for (i = 4; i-- > 0;)
        node = node << 1
               | (uint32_t)rw_two_code(view, a + node, b + node, pair + i, half >> i & 1);
    return node & 15;
}

static uint8_t code_literal(rw_view *view, uint32_t first, uint32_t second, uint32_t pair,
                            uint8_t byte)
{
    uint32_t high = code_half(view, first, second, pair + 4, byte >> 4);

    first = rw_hash(first, 1 + high);
    second = rw_hash(second, 1 + high);
    return (uint8_t)(high << 4 | code_half(view, first, second, pair, byte & 15));
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

/* Bytes under a cover that are settled together. */
typedef struct {
    uint32_t base, length, kind, lane;
    uint8_t predicted[4], is[4];
} rw_group;

/* Encoder: whether the next target bytes are these. */
static int are(const rw_view *view, const uint8_t *bytes, uint32_t length)
{
    return view->sink != 0 && memcmp(view->target + view->engine->position, bytes, length) == 0;
}

/* Whether the bytes are these; if they are, they are what is predicted. */
static int code_guess(rw_view *view, rw_group *g, uint32_t at, const uint8_t *guess)
{
    if (!code(view, at, are(view, guess, g->length)))
        return 0;
    memcpy(g->predicted, guess, g->length);
    return 1;
}

/* A reference is as it is taken, or moved where it was not (the other way round), or as far off as
 * the last one of its class that was wrong. */
static int code_reference(rw_view *view, rw_group *g)
{
    rw_engine *e = view->engine;
    uint32_t used = e->unit_used, class = e->unit_class;
    uint32_t trust = (uint32_t)(e->trust[class] + 16) >> 2;
    const uint8_t *other = e->trust[class] < 0 ? e->unit_moved : e->unit_old;
    uint8_t corrected[4];
    int right = code_guess(view, g, AT_REFERENCE + (class * 8 + trust) * 4 + (e->flags & 3),
                           e->unit_bytes + used);

    e->flags = e->flags << 1 | (uint32_t)right;
    if (right)
        return 1;
    if (memcmp(e->unit_moved, e->unit_old, e->unit_length) != 0
        && code_guess(view, g, AT_OTHER + class, other + used))
        return 1;
    if (e->correction[class] == 0)
        return 0;
    rw_put32(corrected, rw_get32(e->unit_moved) + e->correction[class]);
    return code_guess(view, g, AT_CORRECTED + class, corrected + used);
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
    uint32_t count = word_count(view);

    *name = rw_hash(rw_get32(g->predicted), g->kind << 3 | g->length);
    return view->slots + view->engine->header.slot_count
           - 2 * (1 + (uint32_t)((uint64_t)*name * count >> 32));
}

static int code_replaced(rw_view *view, rw_group *g)
{
    rw_engine *e = view->engine;
    uint32_t name, *kept = replacement(view, g, &name);
    uint8_t bytes[4];
    int same;

    if (kept[0] != name)
        return 0;
    rw_put32(bytes, kept[1]);
    same = code_guess(view, g, AT_REPLACED + g->kind * 4 + (e->replaced & 3), bytes);
    e->replaced = e->replaced << 1 | (uint32_t)same;
    return same;
}

/* Which of its bytes are wrong, and what they are; a last one must be wrong if no other was. */
static void code_bytes(rw_view *view, rw_group *g)
{
    const uint8_t *is = view->sink != 0 ? view->target + view->engine->position : g->is;
    uint32_t word = rw_base_word(view, g->base & ~3u, 4), misses = 0, within = 0, i;
    uint32_t name, *kept = replacement(view, g, &name);

    for (i = 0; i < g->length; i++) {
        uint32_t lane = (g->lane + i) & 3, p = g->predicted[i], tag = g->kind << 2 | lane;
        int hit = 0;

        if (i + 1 < g->length || misses > 0)
            hit = code(view, AT_BYTE + tag * 2 + (misses > 0), is[i] == p);
        g->is[i] = hit ? (uint8_t)p
                       : code_literal(view, rw_hash(0x20 + tag, p),
                                      rw_hash(0x21 + (lane << 8) + within * 4096, word),
                                      g->kind > 0 ? PAIR_REFERENCE : PAIR_PLAIN, is[i]);
        misses += (uint32_t)!hit;
        within = within << 8 | g->is[i];
    }
    kept[0] = name;
    kept[1] = rw_get32(g->is);
}

static void settle_group(rw_view *view, const rw_cover *c)
{
    rw_engine *e = view->engine;
    rw_group g = {0};
    uint32_t i;
    int right;

    g.base = c->base + (e->position - c->target);
    if (e->unit_used >= e->unit_length)
        rw_predict(view, g.base, c->base + c->length);
    g.length = rw_group_length(view, c);
    if (e->unit_used < e->unit_length) {
        g.kind = e->unit_kind;
        g.lane = e->unit_used;
        memcpy(g.predicted, e->unit_bytes + e->unit_used, g.length);
        right = code_reference(view, &g);
    } else {
        g.lane = g.base & 3;
        for (i = 0; i < g.length; i++)
            g.predicted[i] = rw_base_byte(view, g.base + i);
        right = code_run(view, &g);
    }
    right = right || code_replaced(view, &g);
    if (!right)
        code_bytes(view, &g);
    memcpy(e->pending, right ? g.predicted : g.is, sizeof e->pending);
    e->pending_used = 0;
    e->pending_length = g.length;
}

/* Bytes up to the next cover, or the end. */
static uint32_t gap_left(const rw_view *view)
{
    const rw_engine *e = view->engine;
    uint32_t end = e->header.target_length;

    if (e->cover < e->header.cover_count)
        end = view->covers[e->cover].target;
    return end - e->position;
}

/* Encoder: a match that is worth it here, and not more so one byte later. */
static uint32_t find_match(rw_view *view, uint32_t *distance)
{
    uint32_t length = 0;

#ifndef RW_DECODER_ONLY
    uint32_t left = gap_left(view), position = view->engine->position, later;

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

/* Outside of covers: a match, or one literal. */
static void settle_token(rw_view *view)
{
    rw_engine *e = view->engine;
    uint32_t distance = 1, length = find_match(view, &distance), lane = e->position & 3;
    uint32_t repeated = e->tokens & 1, at = AT_TOKEN + (e->tokens & 15);
    int match = e->header.window_bits > 0 && code(view, at, length > 0);

    e->tokens = e->tokens << 1 | (uint32_t)match;
    if (match) {
        length = code_number(view, FIELD_LENGTH, repeated, length - MATCH_MIN);
        e->match_length = length < UINT32_MAX - MATCH_MIN ? MATCH_MIN + length : UINT32_MAX;
        e->match_position = 1 + code_number(view, FIELD_DISTANCE, length, distance - 1);
        return;
    }
    e->pending[0] = code_literal(view, rw_hash(0x22, e->order[0] & 255),
                                 rw_hash(0x23 + lane, e->order[0] >> 24), PAIR_GAP + 8 * lane,
                                 view->sink != 0 ? view->target[e->position] : 0);
    e->pending_used = 0;
    e->pending_length = 1;
}

static uint32_t give_pending(rw_view *view, uint8_t *out, uint32_t room, int covered)
{
    rw_engine *e = view->engine;
    uint32_t n = 0;

    for (; n < room && e->pending_used < e->pending_length; n++) {
        uint8_t byte = e->pending[e->pending_used++];

        if (out != 0)
            out[n] = byte;
        rw_keep(view, byte, covered);
    }
    return n;
}

/* A match ends where the gap does. */
static uint32_t give_match(rw_view *view, uint8_t *out, uint32_t room)
{
    rw_engine *e = view->engine;
    uint32_t mask = (1u << e->header.window_bits) - 1, gap = gap_left(view), n, i;

    if (e->match_length > gap)
        e->match_length = gap;
    n = room < e->match_length ? room : e->match_length;
    e->match_length -= n;
    for (i = 0; i < n; i++) {
        uint8_t byte = view->window[(e->position - e->match_position) & mask];

        if (out != 0)
            out[i] = byte;
        rw_keep(view, byte, 0);
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
    else
        settle_token(view);
    return 0;
}

void rw_fast_begin(rw_view *view)
{
    uint32_t i;

    for (i = 0; i < view->engine->header.slot_count; i++)
        view->slots[i] = RW_SLOT_START;
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
