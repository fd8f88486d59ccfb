/* One step of the walk: what is known about the next target byte, and its decisions. */
#include <string.h>

#include "rw_cursor.h"
#include "rw_predict.h"

/* Contexts of a literal: two whose last byte is kept, and the end of those of halfwords. */
enum { ORDER_TWO = 2, HALFWORDS = 12, HALFWORDS_END = 15 };
/* Those of the last one, two, three, four and six bytes. */
enum { ORDERS = 1 << 1 | 1 << ORDER_TWO | 1 << 5 | 1 << 6 | 1 << 7 };

/* What the contexts of one byte are made from. */
typedef struct {
    int covered;
    uint32_t base;      /* offset of the byte in the base */
    uint32_t predicted; /* 0..255, or 256 when nothing predicts it */
    uint32_t word;      /* the four base bytes of its aligned word */
    uint32_t around;    /* base bytes -1, +1, +2 */
    uint32_t old;       /* the base byte; differs from predicted in a reference that moved */
    uint32_t other;     /* the byte that is predicted where references are not trusted */
    uint32_t kind;      /* of reference, 0 for none */
    uint32_t lane;      /* place within a word */
    uint32_t start;     /* distance from the start of its cover */
    uint32_t expected;  /* byte after the last occurrence of the latest bytes, or 256 */
    uint32_t confidence;
} rw_scene;

static uint32_t history_byte(rw_view *view, uint32_t virtual_position)
{
    const rw_header *h = &view->engine->header;

    if (virtual_position < h->base_length)
        return rw_base_byte(view, virtual_position);
    virtual_position -= h->base_length;
    return view->window[virtual_position & ((1u << h->window_bits) - 1)];
}

static void expect(rw_view *view, rw_scene *s)
{
    rw_engine *e = view->engine;
    uint32_t length = e->match_length;

    s->expected = 256;
    s->confidence = 0;
    if (length == 0)
        return;
    s->expected = history_byte(view, e->match_position);
    s->confidence = length < 16 ? 1 + length / 4 : length < 32 ? 5 : length < 64 ? 6 : 7;
}

/* A long cover may be equal to the base as a whole. */
static void open_cover(rw_view *view, const rw_cover *c)
{
    rw_engine *e = view->engine;
    uint32_t size = rw_log2(c->length), last = e->equal_history & 7;
    rw_mix mix = {0};
    int equal;

    if (!rw_cover_opens(view, c))
        return;
    rw_mix_add(view, &mix, rw_hash(0x30, size));
    rw_mix_add(view, &mix, rw_hash(0x31, last));
    rw_mix_add(view, &mix, rw_hash(0x32, size << 8 | last));
    equal = rw_mix_code(view, &mix, 252, 253, rw_cover_is_equal(view, c));
    e->equal_history = e->equal_history << 1 | (uint32_t)equal;
    e->equal_left = equal ? c->length : 0;
}

static void look(rw_view *view, rw_scene *s)
{
    rw_engine *e = view->engine;
    const rw_cover *c = rw_cover_here(view);

    memset(s, 0, sizeof *s);
    s->predicted = 256;
    s->lane = e->position & 3;
    expect(view, s);
    if (c == 0)
        return;
    s->covered = 1;
    s->start = e->position - c->target;
    s->base = c->base + s->start;
    s->lane = s->base & 3;
    s->word = rw_base_word(view, s->base & ~3u);
    s->around = rw_base_bytes(view, s->base + 1, 2) << 8 | rw_base_byte(view, s->base - 1);
    s->predicted = s->old = s->other = rw_base_byte(view, s->base);
    open_cover(view, c);
    if (e->equal_left > 0)
        return;
    if (e->unit_used >= e->unit_length && e->group_left == 0)
        rw_predict(view, s->base, c->base + c->length);
    if (e->unit_used < e->unit_length) {
        s->predicted = e->unit_bytes[e->unit_used];
        s->other =
            e->unit_moved[e->unit_used] == s->predicted ? s->old : e->unit_moved[e->unit_used];
        s->kind = e->unit_kind;
        s->lane = e->unit_used;
    }
}

static uint32_t bucket(uint32_t n)
{
    return n < 4 ? n : n < 256 ? 2 * rw_log2(n) + (n >> (rw_log2(n) - 1) & 1) : 17;
}

/* The contexts of code_flag. */
static void flag_contexts(rw_view *view, rw_mix *mix, const rw_scene *s, uint32_t kind,
                          uint32_t agree)
{
    rw_engine *e = view->engine;
    uint32_t p = s->predicted, f = e->flags;

    rw_mix_add(view, mix, rw_hash(0x10, kind << 8 | (f & 255)));
    rw_mix_add(view, mix, rw_hash(0x18, agree << 8 | kind | (f & 3) << 16));
    rw_mix_add(
        view, mix,
        rw_hash(0x1a + 256 * e->unit_class,
                kind << 8 | (f & 15) << 4 | (uint32_t)(e->trust[e->unit_class & 31] + 16) >> 2));
    rw_mix_add(view, mix, rw_hash(0x11 + 16 * s->lane + 64 * (f & 15), s->word));
    rw_mix_add(view, mix,
               rw_hash(0x12 + (e->order[0] & 0xff00),
                       p << 16 | (s->around & 0xff00) | (e->order[0] & 255)));
    rw_mix_add(view, mix, rw_hash(0x13, p << 16 | (e->order[0] & 0xffff)));
    rw_mix_add(
        view, mix,
        rw_hash(0x14, bucket(e->miss_distance) << 16 | bucket(e->miss_distance_last) << 8 | kind));
    rw_mix_add(view, mix, rw_hash(0x15 + (f & 3), s->around ^ p << 24));
    rw_mix_add(view, mix, rw_hash(0x16, e->difference << 16 | p << 8 | kind));
    rw_mix_add(view, mix, rw_hash(0x17, bucket(s->start) << 8 | kind | (f & 3) << 16));
    rw_mix_add(view, mix, rw_hash(0x19, f & 0xffff));
}

/* Whether a byte, or the group that it begins, is as predicted. */
static int code_flag(rw_view *view, const rw_scene *s, int group, int hit)
{
    rw_engine *e = view->engine;
    rw_mix mix = {0};
    uint32_t f = e->flags, p = s->predicted,
             kind = (uint32_t)group << 7 | (uint32_t)!s->covered << 6 | s->kind << 3 | (s->other != p) << 2 | s->lane;
    uint32_t agree = s->expected == 256 ? 0 : s->expected == p ? s->confidence : 8 + s->confidence;

    flag_contexts(view, &mix, s, kind, agree);
    agree = agree == 0 ? 0 : agree < 8 ? 16 : 32;
    hit = rw_mix_code(view, &mix,
                      group ? 112 + (s->kind << 1 | (f & 1)) : s->kind << 3 | s->lane << 1 | (f & 1),
                      64 + agree + (f & 15), hit);
    e->flags = f << 1 | (uint32_t)hit;
    return hit;
}

/* What the bytes before it say as halfwords: of instructions that are new. */
static uint32_t halfword_contexts(const rw_engine *e, const rw_scene *s, uint32_t *context)
{
    uint32_t odd = s->lane & 1, begun = odd ? e->order[0] & 255 : 256, h[3], i;
    uint64_t order = ((uint64_t)e->order[1] << 32 | e->order[0]) >> 8 * odd;

    for (i = 0; i < 3; i++, order >>= 16)
        h[i] = (uint32_t)(order << 8 & 0xff00) | (uint32_t)(order >> 8 & 0xff);
    context[0] = rw_hash(0x43, begun << 16 | h[0] >> 11 << 10 | h[1] >> 11 << 5 | h[2] >> 11);
    context[1] = rw_hash(0x45, begun << 16 | h[1]);
    context[2] = rw_hash(0x48, begun << 16 | (h[0] & 7) << 8 | (h[0] >> 3 & 7) << 4 | (h[1] & 7));
    return 3;
}

/* What a byte that is not as predicted may depend on.
 * Returns the number of contexts. */
static uint32_t literal_contexts(const rw_engine *e, const rw_scene *s, uint32_t *context)
{
    uint32_t p = s->predicted, o = e->order[0], guess = (p + (e->difference & 255)) & 255;
    uint32_t kind = s->kind << 3 | (s->other != p) << 2 | s->lane, covered = (uint32_t)s->covered;
    uint32_t within = o & ((1u << 8 * s->lane) - 1), n = 0;

    context[n++] = rw_hash(0x20 + kind, p);
    context[n++] = rw_hash(0x22 + covered, o & 0xff);
    context[n++] = rw_hash(0x23, o & 0xffff);
    context[n++] = rw_hash(0x28, s->expected << 8 | s->confidence);
    context[n++] = rw_hash(0x21 + (s->lane << 8) + within * 4096,
                           covered ? s->word : e->order[1] & 0xff);
    context[n++] = rw_hash(0x24, o & 0xffffff);
    context[n++] = rw_hash(0x25, o);
    context[n++] = rw_hash(0x26 + (e->order[1] & 0xffff), o);
    context[n++] = rw_hash(0x27, covered ? guess << 8 | kind : o & 0xff00);
    context[n++] = rw_hash(0x29 + s->lane, o >> 24);
    context[n++] = rw_hash(0x2a, p << 8 | (o & 0xff));
    context[n++] = rw_hash(0x2b, s->lane << 16 | (o & 0xff00ff00));
    n += halfword_contexts(e, s, context + n);
    if (covered) {
        uint32_t last = s->lane > 0 ? (e->difference & 0xff) << 1 | (e->flags & 1) : 0;

        context[n++] = rw_hash(0x2c + kind, s->other << 8 | p);
        context[n++] = rw_hash(0x2d + kind, p << 16 | last);
    }
    return n;
}

/* The word that keeps which byte came last in a context: check (16 bits), byte, how often. */
static uint32_t *run_of(rw_view *view, uint32_t context)
{
    uint32_t count = rw_run_count(view), check = context << 16;
    uint32_t *word = view->slots + view->engine->header.slot_count - count
                     + (uint32_t)((uint64_t)context * count >> 32);

    if ((*word & 0xffff0000u) != check)
        *word = check;
    return word;
}

/* What a run says of the next bit: a hint, 0 for nothing. */
static int32_t hint_of(uint32_t run, uint32_t node, uint32_t bit)
{
    uint32_t times = run & 255, byte = run >> 8 & 255;
    int32_t hint = 77 + 90 * (int32_t)(times < 7 ? times : 7);

    if (times == 0 || (byte | 256) >> (bit + 1) != node)
        return 0;
    return byte >> bit & 1 ? hint : -hint;
}

static void keep_run(uint32_t *word, uint32_t byte)
{
    uint32_t times = *word & 255;

    if ((*word >> 8 & 255) == byte && times > 0)
        *word += times < 255;
    else
        *word = (*word & 0xffff0000u) | byte << 8 | 1;
}

static int code_literal_bit(rw_view *view, const rw_scene *s, rw_mix *mix, uint32_t node,
                            uint32_t bit, int value)
{
    uint32_t sets[RW_MIXES], last = view->engine->order[0], odd = s->lane & 1, i = 7 - bit;

    sets[0] = 128 + i + 8 * (s->covered ? 1 + s->kind : 0);
    sets[1] = 200 + rw_mix_known(mix, ORDERS) + 6 * ((uint32_t)s->covered + 2 * s->lane);
    sets[2] = 256 + 256 * odd + node;
    sets[3] = 768 + (odd ? 256 + 32 * i + (last >> 11 & 31) : last & 255);
    return rw_mix_twice(view, mix, sets, s->lane, value);
}

static uint8_t code_literal(rw_view *view, const rw_scene *s, uint8_t byte)
{
    uint32_t context[RW_INPUTS], n = literal_contexts(view->engine, s, context), node = 1, bit, k;
    uint32_t *run[RW_HINTS];
    int narrow = view->engine->header.ram_class == 0; /* too few slots for more contexts */

    run[0] = run_of(view, rw_hash(0x50, context[ORDER_TWO]));
    run[1] = run_of(view, rw_hash(0x51, context[HALFWORDS]));
    for (bit = 8; bit-- > 0;) {
        rw_mix mix = {0};

        for (k = 0; k < n; k++)
            if (!narrow || k < HALFWORDS || k >= HALFWORDS_END)
                rw_mix_add(view, &mix, rw_hash(context[k], node));
        for (k = 0; k < RW_HINTS; k++)
            rw_mix_add_hint(&mix, hint_of(*run[k], node, bit));
        node = node << 1
               | (uint32_t)code_literal_bit(view, s, &mix, node, bit, byte >> bit & 1);
    }
    for (k = 0; k < RW_HINTS; k++)
        keep_run(run[k], node & 255);
    return (uint8_t)node;
}

/* Finds where the latest bytes occurred before; `here` is the place of the next byte in the
 * base followed by the target. */
static void follow(rw_view *view, uint8_t byte, uint32_t here)
{
    rw_engine *e = view->engine;
    const rw_header *h = &e->header;
    uint32_t mask = (1u << h->window_bits) - 1, *place;

    if (h->index_bits == 0)
        return;
    if (e->match_length > 0 && history_byte(view, e->match_position) == byte) {
        e->match_length += e->match_length < 255;
        e->match_position++;
    } else {
        e->match_length = 0;
    }
    if (here < 6)
        return;
    place = view->index + (rw_hash(e->order[0], e->order[1] & 0xff) >> (32 - h->index_bits));
    if (e->match_length == 0 && *place != 0xffffffffu) {
        e->match_position = *place;
        e->match_length = 1;
    }
    if (e->match_length > 0 && e->match_position >= h->base_length
        && here - e->match_position >= mask)
        e->match_length = 0;
    *place = here;
}

static void remember(rw_view *view, const rw_scene *s, uint8_t byte, int hit)
{
    rw_engine *e = view->engine;

    if (s->covered) {
        if (hit) {
            e->miss_distance++;
        } else {
            e->miss_distance_last = e->miss_distance;
            e->miss_distance = 0;
            e->difference = e->difference << 8 | ((byte - s->predicted) & 255);
        }
    }
    rw_keep(view, &byte, 1, s->covered);
    follow(view, byte, e->header.base_length + e->position);
}

/* Encoder: whether the group will be as predicted. */
static int group_is_right(rw_view *view, const rw_scene *s, uint32_t length)
{
    const rw_engine *e = view->engine;
    const uint8_t *is = view->target + e->position;
    uint32_t i;

    if (e->unit_used < e->unit_length)
        return memcmp(is, e->unit_bytes + e->unit_used, length) == 0;
    for (i = 0; i < length; i++)
        if (rw_base_byte(view, s->base + i) != is[i])
            return 0;
    return 1;
}

/* Whether the byte is as predicted: first one decision for its group, then one for each byte
 * of a group that is not, but for a last one that must be wrong because no other was. */
static int code_hit(rw_view *view, const rw_scene *s, int hit)
{
    rw_engine *e = view->engine;
    int right;

    if (e->group_left == 0) {
        e->group_left = rw_group_length(view, view->covers + e->cover);
        e->group_right = 0;
        e->group_misses = e->group_left == 1;
        if (e->group_left > 1) {
            right = view->sink != 0 && group_is_right(view, s, e->group_left);
            e->group_right = (uint32_t)code_flag(view, s, 1, right);
        }
    }
    e->group_left--;
    if (e->group_right)
        return 1;
    if (e->group_left == 0 && e->group_misses == 0)
        return 0;
    hit = code_flag(view, s, 0, hit);
    e->group_misses += (uint32_t)!hit;
    return hit;
}

uint8_t rw_step(rw_view *view, uint8_t byte)
{
    rw_scene scene;
    int hit = 0;

    look(view, &scene);
    if (view->engine->equal_left > 0) {
        rw_copy(view, &byte, 1);
        return byte;
    }
    if (scene.covered)
        hit = code_hit(view, &scene, byte == scene.predicted);
    else if (scene.confidence >= RW_SURE) {
        scene.predicted = scene.expected;
        hit = code_flag(view, &scene, 0, byte == scene.expected);
        scene.predicted = hit ? scene.expected : 256;
    }
    if (hit)
        byte = (uint8_t)scene.predicted;
    else
        byte = code_literal(view, &scene, byte);
    remember(view, &scene, byte, hit);
    return byte;
}

void rw_prime(rw_view *view, uint32_t offset)
{
    rw_engine *e = view->engine;
    uint8_t byte = rw_base_byte(view, offset);
    rw_scene scene;

    memset(&scene, 0, sizeof scene);
    scene.predicted = 256;
    scene.lane = offset & 3;
    expect(view, &scene);
    view->training = 1;
    code_literal(view, &scene, byte);
    view->training = 0;
    rw_shift_in(e, byte);
    follow(view, byte, offset + 1);
}
