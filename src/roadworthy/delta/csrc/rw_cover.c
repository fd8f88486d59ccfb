/* Covers: which base bytes the target bytes come from. They are coded first, so that both
 * sides know where every base address went before the first byte is coded. */
#include <string.h>

#include "rw_engine.h"
#include "rw_map.h"

static uint32_t zigzag(uint32_t v)
{
    return v & 0x80000000u ? ~(v << 1) : v << 1;
}

static uint32_t unzigzag(uint32_t v)
{
    return v & 1 ? ~(v >> 1) : v >> 1;
}

/* Which of the last shifts (base - target) this cover goes back to; 4 means a new one. */
static uint32_t cached_shift(const rw_engine *e, uint32_t shift)
{
    uint32_t i;

    for (i = 0; i < 4; i++)
        if (e->delta_cache[i] == shift)
            break;
    return i;
}

static void remember_shift(rw_engine *e, uint32_t i, uint32_t shift)
{
    for (i = i < 3 ? i : 3; i > 0; i--)
        e->delta_cache[i] = e->delta_cache[i - 1];
    e->delta_cache[0] = shift;
}

static uint32_t code_shift(rw_view *view, uint32_t shift, uint32_t gap)
{
    rw_engine *e = view->engine;
    uint32_t which = cached_shift(e, shift), context = gap < 3 ? gap : 3;

    which = rw_code_number(view, 2, context, which);
    if (which < 4)
        shift = e->delta_cache[which];
    else
        shift = e->delta_cache[0]
                + unzigzag(rw_code_number(view, 3, 0, zigzag(shift - e->delta_cache[0])));
    remember_shift(e, which, shift);
    return shift;
}

/* The length of a cover from whose start on the target has `left` bytes. The last one is said by
 * what it leaves, which is often nothing. */
static uint32_t code_length(rw_view *view, uint32_t length, uint32_t gap, uint32_t left)
{
    const rw_engine *e = view->engine;

    if (e->counter + 1 == e->header.cover_count)
        return left - rw_code_number(view, 7, 2, view->sink ? left - length : 0);
    return rw_code_number(view, 1, gap < 3 ? gap : 3, view->sink ? length - 1 : 0) + 1;
}

int rw_code_cover(rw_view *view)
{
    rw_engine *e = view->engine;
    rw_cover *c = view->covers + e->counter;
    uint32_t end = e->previous.target + e->previous.length,
             left = e->header.target_length - end, gap, shift;

    gap = rw_code_number(view, 0, 0, view->sink ? c->target - end : 0);
    c->length = code_length(view, c->length, gap, left - gap);
    shift = code_shift(view, view->sink ? c->base - c->target : 0, gap);
    if (gap > left || c->length == 0 || c->length > left - gap)
        return RW_MALFORMED;
    c->target = end + gap;
    c->base = c->target + shift;
    if (c->base > e->header.base_length || c->length > e->header.base_length - c->base)
        return RW_MALFORMED;
    e->previous = *c;
    e->counter++;
    return RW_OK;
}

static int before(const rw_view *view, uint32_t a, uint32_t b)
{
    const rw_cover *x = view->covers + a, *y = view->covers + b;

    return x->base != y->base ? x->base < y->base : a < b;
}

static void sift(rw_view *view, uint32_t root, uint32_t count)
{
    uint32_t *heap = view->by_base, child, kept = heap[root];

    while ((child = 2 * root + 1) < count) {
        if (child + 1 < count && before(view, heap[child], heap[child + 1]))
            child++;
        if (!before(view, kept, heap[child]))
            break;
        heap[root] = heap[child];
        root = child;
    }
    heap[root] = kept;
}

/* Heap sort: no recursion, no memory, no bad case. */
void rw_sort_covers(rw_view *view)
{
    uint32_t count = view->engine->header.cover_count, i;

    for (i = 0; i < count; i++)
        view->by_base[i] = i;
    for (i = count / 2; i-- > 0;)
        sift(view, i, count);
    for (i = count; i-- > 1;) {
        uint32_t largest = view->by_base[0];

        view->by_base[0] = view->by_base[i];
        view->by_base[i] = largest;
        sift(view, 0, i);
    }
}

/* How many covers have a base offset that is not above `base`; a search without branches. */
static uint32_t count_not_above(const rw_view *view, uint32_t base)
{
    uint32_t low = 0, count = view->engine->header.cover_count;

    while (count > 0) {
        uint32_t half = (count + 1) / 2;

        low += view->covers[view->by_base[low + half - 1]].base <= base ? half : 0;
        count -= half;
    }
    return low;
}

int rw_map_offset(const rw_view *view, uint32_t base, uint32_t *target)
{
    uint32_t i = count_not_above(view, base), tries;

    for (tries = 0; tries < 8 && tries < i; tries++) {
        const rw_cover *c = view->covers + view->by_base[i - 1 - tries];

        if (base - c->base < c->length) {
            *target = c->target + (base - c->base);
            return 1;
        }
    }
    if (i > 0) {
        const rw_cover *c = view->covers + view->by_base[i - 1];

        *target = c->target + (base - c->base);
    } else {
        *target = base;
    }
    return 0;
}
