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

/* Codes what comes next at `offset`: `bytes` are, or become, what is coded, and `image` what the
 * image has there, the same but for pointers that are learned as moved. Returns how many. */
static uint32_t code_next(rw_view *view, uint32_t offset, uint32_t left, uint8_t *bytes,
                          const uint8_t *image)
{
    rw_engine *e = view->engine;
    uint32_t here = view->training ? offset : e->header.base_length + offset;
    rw_call call;
    uint32_t called = rw_call_code(view, offset, left, bytes, &call);
    uint32_t length = called > 0 ? called : unit_length(e, offset, left);

    if (called == 0)
        code_unit(view, offset, length, bytes);
    if (!view->training)
        keep_window(view, image, length);
    rw_flow_keep(e, offset, image, length);
    if (called > 0)
        keep_call(view, &call, length, here);
    else
        keep_bytes(view, image, length, here);
    return length;
}

void rw_gap_settle(rw_view *view)
{
    rw_engine *e = view->engine;
    uint32_t step = rw_step_left(e), left = rw_gap_left(view), i;

    left = left < step ? left : step;
    for (i = 0; view->sink != 0 && i < sizeof e->pending && i < left; i++)
        e->pending[i] = view->target[e->position + i];
    e->pending_used = 0;
    e->pending_length = code_next(view, e->position, left, e->pending, e->pending);
}

/* A pointer in a pool of the base is learned as what it would be in the target. */
static void move_pointer(rw_view *view, uint32_t offset, uint8_t *bytes)
{
    rw_engine *e = view->engine;
    uint32_t word = rw_base_word(view, offset & ~3u), inside;
    enum rw_quality quality;

    if (rw_flow_pool(e, offset) == 0 || !rw_offset(e, RW_BASE, word & ~1u, &inside))
        return;
    word = rw_translate(view, word & ~1u, 0, &quality) + (word & 1);
    rw_put16(bytes, word >> 8 * (offset & 2));
}

uint32_t rw_prime(rw_view *view, uint32_t offset)
{
    uint32_t left = view->engine->header.base_length - offset, length;
    uint8_t bytes[4], moved[4];

    rw_put32(bytes, rw_base_word(view, offset));
    memcpy(moved, bytes, sizeof moved);
    if (unit_length(view->engine, offset, left) == 2)
        move_pointer(view, offset, moved);
    view->training = 1;
    length = code_next(view, offset, left, moved, bytes);
    view->training = 0;
    return length;
}
