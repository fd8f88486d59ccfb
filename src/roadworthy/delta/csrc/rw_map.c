#include "rw_map.h"

static rw_memo *place(const rw_view *view, uint32_t address)
{
    return view->memo + (rw_hash(address, 0x5eed) >> (32 - view->engine->header.memo_bits));
}

int rw_recall(const rw_view *view, uint32_t address, uint32_t *target)
{
    const rw_memo *memo;

    if (view->engine->header.memo_bits == 0)
        return 0;
    memo = place(view, address);
    *target = memo->value;
    return memo->key == address;
}

/* By the cover that is being made, if it holds the offset. */
static int map_here(const rw_view *view, uint32_t offset, uint32_t *target)
{
    const rw_engine *e = view->engine;
    const rw_cover *c = view->covers + e->cover;

    if (e->cover >= e->header.cover_count || e->position - c->target >= c->length
        || offset - c->base >= c->length)
        return 0;
    *target = c->target + (offset - c->base);
    return 1;
}

uint32_t rw_translate(const rw_view *view, uint32_t address, int local, enum rw_quality *quality)
{
    const rw_engine *e = view->engine;
    uint32_t offset, target;
    int inside = rw_offset(e, RW_BASE, address, &offset);

    *quality = RW_COVERED;
    if (inside && local && map_here(view, offset, &target))
        return rw_address(e, RW_TARGET, target);
    *quality = RW_LEARNED;
    if (rw_recall(view, address, &target))
        return target;
    *quality = RW_UNKNOWN;
    if (!inside)
        return address;
    *quality = RW_COVERED;
    if (!map_here(view, offset, &target) && !rw_map_offset(view, offset, &target))
        *quality = RW_NEAR;
    return rw_address(e, RW_TARGET, target);
}

void rw_learn(rw_view *view, uint32_t address, uint32_t target)
{
    rw_memo *memo;

    if (view->engine->header.memo_bits == 0)
        return;
    memo = place(view, address);
    memo->key = address;
    memo->value = target;
}
