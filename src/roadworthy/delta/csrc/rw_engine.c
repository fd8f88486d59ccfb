/* Layout of the workspace, the base cache, and the walk over the target. */
#include "rw_engine.h"

#include <string.h>

static uint64_t align(uint64_t n)
{
    return (n + 7) & ~(uint64_t)7;
}

static uint64_t table_size(uint32_t bits, uint32_t item)
{
    return bits == 0 ? 0 : align(((uint64_t)1 << bits) * item);
}

uint32_t rw_weight_count(const rw_header *h)
{
    uint32_t sets = RW_WEIGHT_SETS + (rw_is_wide(h) ? RW_WIDE_SETS : 0);

    return h->backend == RW_BACKEND_MIXING ? sets * RW_INPUTS + RW_LAST_SETS * RW_MIXES : 0;
}

uint32_t rw_point_count(const rw_header *h)
{
    return h->backend == RW_BACKEND_MIXING && rw_is_wide(h) ? RW_CURVES * RW_POINTS : 0;
}

uint64_t rw_layout_size(const rw_header *h)
{
    uint64_t size = align(sizeof(rw_engine));

    if (h->backend == RW_BACKEND_STORED)
        return size;
    size += align((uint64_t)h->cover_count * sizeof(rw_cover));
    size += align((uint64_t)h->cover_count * sizeof(uint32_t));
    size += align((uint64_t)h->slot_count * sizeof(uint32_t));
    size += align((uint64_t)rw_weight_count(h) * sizeof(int32_t));
    size += align((uint64_t)rw_point_count(h) * sizeof(uint16_t));
    size += table_size(h->memo_bits, sizeof(rw_memo));
    size += table_size(h->index_bits, sizeof(uint32_t));
    size += table_size(h->window_bits, 1);
    return size;
}

void rw_layout(rw_view *view, rw_engine *engine)
{
    const rw_header *h = &engine->header;
    uint8_t *at = (uint8_t *)engine + align(sizeof(rw_engine));

    view->engine = engine;
    view->covers = (rw_cover *)at;
    at += align((uint64_t)h->cover_count * sizeof(rw_cover));
    view->by_base = (uint32_t *)at;
    at += align((uint64_t)h->cover_count * sizeof(uint32_t));
    view->slots = (uint32_t *)at;
    at += align((uint64_t)h->slot_count * sizeof(uint32_t));
    view->weights = (int32_t *)at;
    at += align((uint64_t)rw_weight_count(h) * sizeof(int32_t));
    view->curves = (uint16_t *)at;
    at += align((uint64_t)rw_point_count(h) * sizeof(uint16_t));
    view->memo = (rw_memo *)at;
    at += table_size(h->memo_bits, sizeof(rw_memo));
    view->index = (uint32_t *)at;
    at += table_size(h->index_bits, sizeof(uint32_t));
    view->window = at;
}

/* A curve at first takes a mix as it is. */
static uint16_t first_point(uint32_t i)
{
    int32_t middle = RW_POINTS / 2;

    return (uint16_t)rw_squash(((int32_t)(i % RW_POINTS) - middle) * (1 << RW_POINT_BITS));
}

void rw_engine_reset(rw_view *view)
{
    rw_engine *e = view->engine;
    const rw_header *h = &e->header;
    uint32_t i;

    if (h->backend == RW_BACKEND_STORED)
        return;
    for (i = 0; i < h->slot_count; i++)
        view->slots[i] = RW_SLOT_START;
    for (i = 0; i < rw_weight_count(h); i++)
        view->weights[i] = i + RW_LAST_SETS * RW_MIXES < rw_weight_count(h) ? (1 << 16) * 3 / 20
                           : rw_is_wide(h)                                  ? (1 << 16) / 4
                                                                            : (1 << 16) / 2;
    for (i = 0; i < rw_point_count(h); i++)
        view->curves[i] = first_point(i);
    for (i = 0; h->memo_bits > 0 && i < 1u << h->memo_bits; i++)
        view->memo[i].key = view->memo[i].value = 0xffffffffu;
    for (i = 0; h->index_bits > 0 && i < 1u << h->index_bits; i++)
        view->index[i] = 0xffffffffu;
    if (h->window_bits > 0)
        memset(view->window, 0, (size_t)1 << h->window_bits);
    for (i = 0; i < 32; i++)
        e->pair[i].offset = 0xffffffffu;
    e->range = 0xffffffffu;
}

static const uint8_t *line_of(rw_view *view, uint32_t offset)
{
    rw_engine *e = view->engine;
    uint32_t tag = offset / RW_LINE_SIZE, i = tag % RW_LINES, start = tag * RW_LINE_SIZE, length;

    if (e->line_tag[i] != tag + 1) {
        length = e->header.base_length - start;
        if (length > RW_LINE_SIZE)
            length = RW_LINE_SIZE;
        if (view->source->read_base(view->source->user, start, e->line[i], length) != 0)
            e->status = RW_CALLBACK;
        e->line_tag[i] = tag + 1;
    }
    return e->line[i];
}

uint32_t rw_floor(const rw_engine *e)
{
    uint64_t end = (((uint64_t)e->position >> e->header.step_bits) + 1) << e->header.step_bits;

    if (!(e->header.flags & RW_FLAG_IN_PLACE) || e->phase < RW_PHASE_TARGET)
        return 0;
    if (end > e->header.target_length)
        end = e->header.target_length;
    return end > e->header.shift ? (uint32_t)(end - e->header.shift) : 0;
}

uint8_t rw_base_byte(rw_view *view, uint32_t offset)
{
    if (offset >= view->engine->header.base_length || offset < rw_floor(view->engine))
        return 0;
    return line_of(view, offset)[offset % RW_LINE_SIZE];
}

uint32_t rw_base_bytes(rw_view *view, uint32_t offset, uint32_t bytes)
{
    uint32_t word = 0, i;

    if (offset % RW_LINE_SIZE + bytes <= RW_LINE_SIZE && offset < view->engine->header.base_length
        && view->engine->header.base_length - offset >= bytes && offset >= rw_floor(view->engine)) {
        const uint8_t *p = line_of(view, offset) + offset % RW_LINE_SIZE;

        for (i = bytes; i-- > 0;)
            word = word << 8 | p[i];
        return word;
    }
    for (i = bytes; i-- > 0;)
        word = word << 8 | rw_base_byte(view, offset + i);
    return word;
}

int rw_code_hash(rw_view *view)
{
    rw_engine *e = view->engine;
    uint8_t digest[32];
    uint32_t i;
    int same = 1;

    rw_sha256_digest(&e->sha, digest);
    for (i = 0; i < RW_HASH_BYTES; i++)
        same &= rw_code_raw(view, digest[i], 8) == digest[i];
    return same;
}
