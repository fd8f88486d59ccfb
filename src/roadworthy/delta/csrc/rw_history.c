#include "rw_history.h"

#include "rw_map.h"

static uint8_t history_byte(rw_view *view, uint32_t virtual_position)
{
    const rw_header *h = &view->engine->header;

    if (virtual_position < h->base_length)
        return rw_base_byte(view, virtual_position);
    virtual_position -= h->base_length;
    return view->window[virtual_position & ((1u << h->window_bits) - 1)];
}

void rw_expect(rw_view *view, rw_scene *s, uint32_t ahead)
{
    const rw_engine *e = view->engine;
    uint32_t length = e->match_length;

    if (length == 0)
        return;
    s->expected = history_byte(view, e->match_position + ahead);
    s->confidence = length < 16 ? 1 + length / 4 : length < 32 ? 5 : length < 64 ? 6 : 7;
}

int rw_expect_word(rw_view *view, int *side, uint32_t *offset, uint8_t *word)
{
    const rw_engine *e = view->engine;
    uint32_t i;

    if (e->match_length == 0)
        return 0;
    *side = e->match_position < e->header.base_length ? RW_BASE : RW_TARGET;
    *offset = e->match_position - (*side == RW_BASE ? 0 : e->header.base_length);
    for (i = 0; i < 4; i++)
        word[i] = history_byte(view, e->match_position + i);
    return 1;
}

static void go_on(rw_engine *e, uint32_t length, int same)
{
    if (e->match_length == 0 || !same) {
        e->match_length = 0;
        return;
    }
    e->match_length = e->match_length + length < 255 ? e->match_length + length : 255;
    e->match_position += length;
}

/* Enters the place of the next byte under the latest ones; where nothing is followed any more,
 * what stood there last is. */
static void enter(rw_view *view, uint32_t here)
{
    rw_engine *e = view->engine;
    const rw_header *h = &e->header;
    uint32_t mask = (1u << h->window_bits) - 1, *place;

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

void rw_follow(rw_view *view, uint8_t byte, uint32_t here)
{
    rw_engine *e = view->engine;

    rw_follow_unit(view, 1,
                   e->match_length > 0 && history_byte(view, e->match_position) == byte, here);
}

void rw_follow_unit(rw_view *view, uint32_t length, int same, uint32_t here)
{
    if (view->engine->header.index_bits == 0)
        return;
    go_on(view->engine, length, same);
    enter(view, here);
}
