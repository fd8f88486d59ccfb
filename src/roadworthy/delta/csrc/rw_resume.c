/* Going on from a journal: all of it that is an index is checked. */
#include <string.h>

#include "rw_decode.h"
#include "rw_literal.h"
#include "rw_seal.h"

/* A range of 0 would never grow again; a match without a window has nowhere to look. */
static int coder_in_range(const rw_engine *e)
{
    if (e->input_length > RW_INPUT_BUFFER || e->input_used > e->input_length)
        return 0;
    if (e->phase > RW_PHASE_START && e->range < RW_RANGE_MIN)
        return 0;
    if (e->pending_length > sizeof e->pending || e->pending_used > e->pending_length)
        return 0;
    if (e->equal_left > 0 && e->pending_used < e->pending_length)
        return 0;
    if (e->header.backend == RW_BACKEND_FAST)
        return e->match_length == 0 || e->header.window_bits > 0;
    return e->match_length == 0 || e->header.index_bits > 0;
}

/* The hash of the last step may still be to come; the end of the target ends a step too. */
static int steps_in_range(const rw_engine *e)
{
    uint32_t ended = e->position >> e->header.step_bits;

    return e->steps <= ended + (e->position == e->header.target_length) && e->steps + 1 >= ended;
}

/* Both walks make an index or a context of the trust. */
static int trust_in_range(const rw_engine *e)
{
    uint32_t i;

    for (i = 0; i < sizeof e->trust; i++)
        if (e->trust[i] > RW_TRUST_MAX || e->trust[i] < -RW_TRUST_MAX)
            return 0;
    return 1;
}

static int state_in_range(const rw_engine *e)
{
    uint32_t side, total = e->header.size + e->header.payload_length;

    if (!coder_in_range(e) || !steps_in_range(e) || !trust_in_range(e)
        || !rw_drift_in_range(&e->drift) || !rw_seals_in_range(e))
        return 0;
    if (e->phase > RW_PHASE_END || e->status > 0 || e->fed > total)
        return 0;
    if (e->header.backend == RW_BACKEND_STORED && e->phase > RW_PHASE_START
        && e->phase < RW_PHASE_TARGET)
        return 0;
    for (side = 0; side < 2; side++)
        if (e->segment_count[side] > RW_SEGMENTS)
            return 0;
    if (e->phase == RW_PHASE_PRIME && !(e->header.flags & RW_FLAG_PRIMED))
        return 0;
    if ((e->phase == RW_PHASE_BASE || e->phase == RW_PHASE_PRIME)
        && e->counter > e->header.base_length)
        return 0;
    if (e->phase == RW_PHASE_START && e->counter > 0)
        return 0;
    if (e->phase == RW_PHASE_PARAMETERS && e->counter >= 2 * RW_PARAMETERS_OF_SIDE)
        return 0;
    if (e->phase == RW_PHASE_COVERS && e->counter > e->header.cover_count)
        return 0;
    if (e->equal_left > 0 && (e->phase != RW_PHASE_TARGET || e->cover >= e->header.cover_count))
        return 0;
    return e->position <= e->header.target_length && e->unit_length <= 4 && e->unit_kind < 8
           && e->unit_class < 32 && e->unit_used <= e->unit_length;
}

static int covers_in_range(const rw_view *view)
{
    const rw_header *h = &view->engine->header;
    uint32_t count =
                 view->engine->phase == RW_PHASE_COVERS ? view->engine->counter : h->cover_count,
             end = 0, i;

    if (h->backend == RW_BACKEND_STORED || view->engine->phase < RW_PHASE_COVERS)
        return 1;
    for (i = 0; i < count; i++) {
        const rw_cover *c = view->covers + i;

        if (c->target < end || c->target > h->target_length
            || c->length > h->target_length - c->target)
            return 0;
        if (c->base > h->base_length || c->length > h->base_length - c->base)
            return 0;
        if (view->engine->phase > RW_PHASE_SORT && view->by_base[i] >= h->cover_count)
            return 0;
        if (i == view->engine->cover && view->engine->equal_left > 0
            && (view->engine->position < c->target
                || (uint64_t)view->engine->position - c->target + view->engine->equal_left
                       > c->length))
            return 0;
        end = c->target + c->length;
    }
    return view->engine->phase != RW_PHASE_COVERS
           || view->engine->previous.target + view->engine->previous.length == end;
}

static int weights_in_range(const rw_view *view)
{
    uint32_t count = rw_weight_count(&view->engine->header), i;

    for (i = 0; i < count; i++)
        if (view->weights[i] > RW_WEIGHT_MAX || view->weights[i] < -RW_WEIGHT_MAX)
            return 0;
    return 1;
}

/* What the fast back end keeps of literals is there from its first target byte on. */
static int literals_in_range(const rw_view *view)
{
#ifndef RW_NO_FAST
    if (view->engine->header.backend == RW_BACKEND_FAST && view->engine->phase >= RW_PHASE_TARGET)
        return rw_literal_in_range(view);
#endif
    (void)view;
    return 1;
}

/* Nothing but the first bytes of a header, or a header that was refused. Only they are kept. */
static int resume_head(rw_engine *e)
{
    uint8_t head[RW_HEADER_MAX];
    uint32_t length = e->input_length;
    int32_t status = e->status;

    if (length > RW_HEADER_MAX || e->input_used != 0 || e->fed != length)
        return RW_BAD_JOURNAL;
    memcpy(head, e->input, length);
    rw_decoder_begin(e, e->workspace_size);
    memcpy(e->input, head, length);
    e->fed = e->input_length = length;
    e->status = status;
    if (rw_header_read(&e->header, head, length) == RW_NEED_INPUT)
        return status <= 0 ? RW_OK : RW_BAD_JOURNAL;
    return status < 0 ? RW_OK : RW_BAD_JOURNAL;
}

int rw_decoder_resume(void *workspace, uint32_t size, uint32_t journal_size)
{
    rw_engine *e = workspace;
    rw_view view = {0};

    if (size < sizeof *e || journal_size < sizeof *e || journal_size > size)
        return RW_BAD_JOURNAL;
    e->workspace_size = size;
    if (e->phase == RW_PHASE_HEADER)
        return resume_head(e);
    if (rw_header_check(&e->header) != RW_OK || rw_workspace_size(&e->header) != journal_size)
        return RW_BAD_JOURNAL;
    rw_layout(&view, e);
    return state_in_range(e) && covers_in_range(&view) && weights_in_range(&view)
                   && literals_in_range(&view)
               ? RW_OK
               : RW_BAD_JOURNAL;
}
