#include "rw_gap.h"

#include <string.h>

#include "rw_call.h"
#include "rw_cursor.h"
#include "rw_history.h"
#include "rw_map.h"
#include "rw_refs.h"

static uint8_t code_byte(rw_view *view, rw_scene *s, uint8_t byte)
{
    int hit = 0;

    if (s->confidence >= RW_SURE && !view->training) {
        s->predicted = s->expected;
        hit = rw_flag_code(view, s, 0, byte == s->expected);
        s->predicted = 256;
    }
    return hit ? (uint8_t)s->expected : rw_byte_code(view, s, byte);
}

/* A byte, or the two of a Thumb halfword. Of them the upper one comes first: it says what the lower
 * one is. */
static void code_unit(rw_view *view, uint32_t offset, uint32_t length, uint8_t *bytes)
{
    rw_engine *e = view->engine;
    uint32_t order[2] = {e->order[0], e->order[1]}, match = e->match_length, i;

    for (i = length; i-- > 0;) {
        rw_scene s;

        rw_scene_begin(&s);
        s.pool = rw_flow_pool(e, offset);
        s.lane = (offset + length - 1 - i) & 3;
        if (length == 2 && s.pool == 0)
            s.lane = (s.lane & 1) + (e->flow.wide != 0 ? 2 : 0);
        rw_expect(view, &s, i);
        if (length == 2 && i == 0 && s.pool == 0)
            rw_flow_guess(e, offset, bytes[1], s.guess);
        bytes[i] = code_byte(view, &s, bytes[i]);
        if (s.expected != bytes[i])
            e->match_length = 0;
        rw_shift_in(e, bytes[i]);
    }
    e->order[0] = order[0];
    e->order[1] = order[1];
    e->match_length = match;
}

/* Keeps what was coded. Calls enter the latest bytes as where they go. */
static void keep_call(rw_view *view, const rw_call *call, uint32_t length, uint32_t here)
{
    rw_engine *e = view->engine;
    uint32_t where = call->target / rw_instruction_step(e->header.arch) | call->form << 31, i;

    for (i = 4; i-- > 0;)
        rw_shift_in(e, (uint8_t)(where >> 8 * i));
    rw_follow_unit(view, length, call->same, here + length);
}

static void keep_bytes(rw_view *view, const uint8_t *bytes, uint32_t length, uint32_t here)
{
    uint32_t i;

    for (i = 0; i < length; i++) {
        rw_shift_in(view->engine, bytes[i]);
        rw_follow(view, bytes[i], here + i + 1);
    }
}

static void keep_window(rw_view *view, const uint8_t *bytes, uint32_t length)
{
    const rw_engine *e = view->engine;
    uint32_t mask = (1u << e->header.window_bits) - 1, i;

    for (i = 0; mask > 0 && i < length; i++)
        view->window[(e->position + i) & mask] = bytes[i];
}

/* How many of the next bytes are one unit. */
static uint32_t unit_length(const rw_engine *e, uint32_t offset, uint32_t left)
{
    return e->header.arch == RW_ARCH_THUMB && (offset & 1) == 0 && left >= 2 ? 2 : 1;
}

void rw_gap_settle(rw_view *view)
{
    rw_engine *e = view->engine;
    uint32_t step = rw_step_left(e), left = rw_gap_left(view), length, i;
    uint32_t here = e->header.base_length + e->position;
    rw_call call;

    left = left < step ? left : step;
    for (i = 0; view->sink != 0 && i < sizeof e->pending && i < left; i++)
        e->pending[i] = view->target[e->position + i];
    length = rw_call_code(view, e->position, left, e->pending, &call);
    e->pending_used = 0;
    e->pending_length = length > 0 ? length : unit_length(e, e->position, left);
    if (length == 0)
        code_unit(view, e->position, e->pending_length, e->pending);
    keep_window(view, e->pending, e->pending_length);
    rw_flow_keep(e, e->position, e->pending, e->pending_length);
    if (length > 0)
        keep_call(view, &call, length, here);
    else
        keep_bytes(view, e->pending, e->pending_length, here);
}

/* Pointers in a pool of the base are learned as what they would be in the target. */
static void move_pointer(rw_view *view, uint32_t offset, uint8_t *bytes)
{
    rw_engine *e = view->engine;
    uint32_t word, inside;
    enum rw_quality quality;

    if (rw_flow_pool(e, offset) == 0)
        return;
    word = rw_base_word(view, offset & ~3u);
    if (!rw_offset(e, RW_BASE, word & ~1u, &inside))
        return;
    word = rw_translate(view, word & ~1u, 0, &quality) + (word & 1);
    rw_put16(bytes, word >> 8 * (offset & 2));
}

uint32_t rw_prime(rw_view *view, uint32_t offset)
{
    rw_engine *e = view->engine;
    uint32_t left = e->header.base_length - offset, length, unit = unit_length(e, offset, left);
    uint8_t bytes[4], moved[4];
    rw_call call;

    rw_put32(bytes, rw_base_word(view, offset));
    memcpy(moved, bytes, sizeof moved);
    view->training = 1;
    length = rw_call_code(view, offset, left, moved, &call);
    if (length == 0) {
        if (unit == 2)
            move_pointer(view, offset, moved);
        code_unit(view, offset, unit, moved);
    }
    view->training = 0;
    rw_flow_keep(e, offset, bytes, length > 0 ? length : unit);
    if (length > 0)
        keep_call(view, &call, length, offset);
    else
        keep_bytes(view, bytes, unit, offset);
    return length > 0 ? length : unit;
}
