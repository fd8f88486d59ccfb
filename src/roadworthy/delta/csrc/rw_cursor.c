#include "rw_cursor.h"

#include <string.h>

#include "rw_flow.h"
#include "rw_predict.h"
#include "rw_refs.h"

const rw_cover *rw_cover_here(rw_view *view)
{
    rw_engine *e = view->engine;
    const rw_cover *c;

    for (; e->cover < e->header.cover_count; e->cover++) {
        c = view->covers + e->cover;
        if (e->position < c->target)
            return 0;
        if (e->position - c->target < c->length)
            return c;
    }
    return 0;
}

int rw_cover_opens(rw_view *view, const rw_cover *cover)
{
    rw_engine *e = view->engine;

    if (e->position != cover->target)
        return 0;
    e->next_unit = e->unit_length = e->unit_used = e->group_left = 0;
    return cover->length >= RW_EQUAL_MIN;
}

int rw_cover_is_equal(const rw_view *view, const rw_cover *cover)
{
    return view->sink != 0
           && memcmp(view->base + cover->base, view->target + cover->target, cover->length) == 0;
}

uint32_t rw_step_left(const rw_engine *e)
{
    uint32_t step = 1u << e->header.step_bits;

    return step - (e->position & (step - 1));
}

uint32_t rw_gap_left(const rw_view *view)
{
    const rw_engine *e = view->engine;
    uint32_t end = e->header.target_length;

    if (e->cover < e->header.cover_count)
        end = view->covers[e->cover].target;
    return end - e->position;
}

uint32_t rw_group_length(const rw_view *view, const rw_cover *cover)
{
    const rw_engine *e = view->engine;
    uint32_t start = e->position - cover->target, base = cover->base + start;
    uint32_t length = e->unit_length - e->unit_used, left = cover->length - start, step;

    if (length == 0) {
        length = 4 - (base & 3);
        if (e->next_unit > base) {
            step = e->next_unit - base;
        } else {
            step = rw_instruction_step(e->header.arch);
            step -= base & (step - 1);
        }
        length = length < step ? length : step;
    }
    step = rw_step_left(e);
    length = length < left ? length : left;
    return length < step ? length : step;
}

void rw_shift_in(rw_engine *e, uint8_t byte)
{
    e->order[1] = e->order[1] << 8 | e->order[0] >> 24;
    e->order[0] = e->order[0] << 8 | byte;
}

/* Takes what was made into the latest eight bytes and the window. */
static void note(rw_view *view, const uint8_t *bytes, uint32_t length)
{
    rw_engine *e = view->engine;
    uint32_t size = 1u << e->header.window_bits, at = e->position & (size - 1), i;

    rw_flow_keep(e, e->position, bytes, length);
    if (length == 4 && size - at >= 4) {
        memcpy(view->window + at, bytes, 4);
        e->order[1] = e->order[0];
        e->order[0] = (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8
                      | bytes[3];
    } else {
        for (i = length > size ? length - size : 0; size > 1 && i < length; i++)
            view->window[(at + i) & (size - 1)] = bytes[i];
        for (i = length > 8 ? length - 8 : 0; i < length; i++)
            rw_shift_in(e, bytes[i]);
    }
    e->position += length;
}

void rw_keep(rw_view *view, const uint8_t *bytes, uint32_t length, int covered)
{
    rw_engine *e = view->engine;
    uint32_t i;

    note(view, bytes, length);
    if (covered && e->unit_used < e->unit_length) {
        for (i = 0; i < length && e->unit_used < e->unit_length; i++)
            e->unit_new[e->unit_used++] = bytes[i];
        if (e->unit_used == e->unit_length)
            rw_predict_learn(view);
    }
}

/* Keeps what the contexts know of bytes that are settled as equal. */
static void pass(rw_view *view, const uint8_t *bytes, uint32_t length)
{
    rw_engine *e = view->engine;

    note(view, bytes, length);
    e->miss_distance += length;
    e->match_length = 0;
    e->equal_left -= length;
}

uint32_t rw_copy(rw_view *view, uint8_t *out, uint32_t room)
{
    rw_engine *e = view->engine;
    uint32_t length = rw_step_left(e), base, lost = rw_floor(e);
    const rw_cover *c;

    length = length < e->equal_left ? length : e->equal_left;
    length = length < room ? length : room;
    if (length == 0)
        return 0;
    if (out == 0) {
        pass(view, view->target + e->position, length);
        return length;
    }
    c = view->covers + e->cover;
    base = c->base + (e->position - c->target);
    if (view->source->read_base(view->source->user, base, out, length) != 0)
        e->status = RW_CALLBACK;
    lost = lost > base ? lost - base : 0;
    memset(out, 0, lost < length ? lost : length);
    pass(view, out, length);
    return length;
}
