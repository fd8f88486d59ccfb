/* One step of the walk: what is known about the next target byte, and its decisions. */
#include <string.h>

#include "rw_cursor.h"
#include "rw_gap.h"
#include "rw_history.h"
#include "rw_predict.h"

void rw_scene_begin(rw_scene *s)
{
    uint32_t i;

    memset(s, 0, sizeof *s);
    s->predicted = s->expected = 256;
    for (i = 0; i < RW_GUESSES; i++)
        s->guess[i].byte = 256;
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

/* The next byte, which a cover holds. */
static void look(rw_view *view, rw_scene *s, const rw_cover *c)
{
    rw_engine *e = view->engine;

    rw_scene_begin(s);
    rw_expect(view, s, 0);
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

/* The contexts of rw_flag_code. */
static void flag_contexts(rw_view *view, rw_mix *mix, const rw_scene *s, uint32_t kind,
                          uint32_t agree)
{
    rw_engine *e = view->engine;
    uint32_t p = s->predicted, f = e->flags;

    rw_mix_add(view, mix, rw_hash(0x10, kind << 8 | (f & 255)));
    rw_mix_add(view, mix, rw_hash(0x18, agree << 8 | kind | (f & 3) << 16
                                  | (uint32_t)e->drift.carry << 18));
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
int rw_flag_code(rw_view *view, const rw_scene *s, int group, int hit)
{
    rw_engine *e = view->engine;
    rw_mix mix = {0};
    uint32_t f = e->flags;
    uint32_t kind = (uint32_t)group << 7 | (uint32_t)!s->covered << 6 | rw_scene_tag(s);
    uint32_t agree = s->expected == 256            ? 0
                     : s->expected == s->predicted ? s->confidence
                                                   : 8 + s->confidence;

    flag_contexts(view, &mix, s, kind, agree);
    agree = agree == 0 ? 0 : agree < 8 ? 16 : 32;
    hit = rw_mix_code(view, &mix,
                      group ? 112 + (s->kind << 1 | (f & 1))
                            : s->kind << 3 | s->lane << 1 | (f & 1),
                      64 + agree + (f & 15), hit);
    e->flags = f << 1 | (uint32_t)hit;
    return hit;
}

static void remember(rw_view *view, const rw_scene *s, uint8_t byte, int hit)
{
    rw_engine *e = view->engine;

    if (hit) {
        e->miss_distance++;
    } else {
        e->miss_distance_last = e->miss_distance;
        e->miss_distance = 0;
        e->difference = e->difference << 8 | ((byte - s->predicted) & 255);
    }
    rw_drift_keep(&e->drift, s->predicted, byte);
    rw_keep(view, &byte, 1, 1);
    rw_follow(view, byte, e->header.base_length + e->position);
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
            e->group_right = (uint32_t)rw_flag_code(view, s, 1, right);
        }
    }
    e->group_left--;
    if (e->group_right)
        return 1;
    if (e->group_left == 0 && e->group_misses == 0)
        return 0;
    hit = rw_flag_code(view, s, 0, hit);
    e->group_misses += (uint32_t)!hit;
    return hit;
}

uint8_t rw_step(rw_view *view, uint8_t byte)
{
    rw_engine *e = view->engine;
    const rw_cover *c;
    rw_scene scene;
    int hit;

    if (e->pending_used == e->pending_length) {
        c = rw_cover_here(view);
        if (c == 0)
            rw_gap_settle(view);
        else
            look(view, &scene, c);
    }
    if (e->pending_used < e->pending_length) {
        e->position++;
        return e->pending[e->pending_used++];
    }
    if (e->equal_left > 0) {
        rw_copy(view, &byte, 1);
        return byte;
    }
    rw_drift_begin(&e->drift, scene.lane, ~e->flags & 1);
    hit = code_hit(view, &scene, byte == scene.predicted);
    byte = hit ? (uint8_t)scene.predicted : rw_byte_code(view, &scene, byte);
    remember(view, &scene, byte, hit);
    return byte;
}
