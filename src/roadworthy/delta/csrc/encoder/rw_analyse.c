#include "rw_analyse.h"

#include <stdlib.h>
#include <string.h>

#include "rw_map.h"
#include "rw_pairs.h"
#include "rw_predict.h"
#include "rw_refs.h"

#define TOLD_EVERY (1u << 21)
#define ALWAYS 14u /* condition of an A32 instruction */

void rw_images_seen(const rw_pair_of_images *m, uint32_t *seen, uint32_t length)
{
    *seen += length;
    if (*seen < TOLD_EVERY || m->told == 0)
        return;
    m->told(m->user);
    *seen = 0;
}

static int read_base(void *user, uint32_t offset, uint8_t *out, uint32_t length)
{
    const rw_pair_of_images *images = user;

    memcpy(out, images->base + offset, length);
    return 0;
}

static int64_t measure_cover(rw_view *view, const rw_pair_of_images *m, const rw_cover *c)
{
    rw_engine *e = view->engine;
    int64_t score = 0;
    uint32_t i;

    e->next_unit = e->unit_length = e->unit_used = 0;
    for (i = 0; i < c->length; i++) {
        uint8_t is = m->target[c->target + i], was = m->base[c->base + i];

        e->position = c->target + i;
        if (e->unit_used >= e->unit_length)
            rw_predict(view, c->base + i, c->base + c->length);
        if (e->unit_used < e->unit_length) {
            score += (e->unit_bytes[e->unit_used] == is) - (was == is);
            e->unit_new[e->unit_used++] = is;
            e->position++;
            if (e->unit_used == e->unit_length)
                rw_predict_learn(view);
        }
    }
    return score;
}

int64_t rw_measure_arch(const rw_pair_of_images *m, const rw_engine *parameters, uint32_t arch)
{
    rw_header h = parameters->header;
    rw_source source = {(void *)m, read_base};
    rw_view view = {0};
    rw_engine *e;
    int64_t score = 0;
    uint32_t seen = 0, i;

    h.backend = RW_BACKEND_MIXING;
    h.arch = (uint8_t)arch;
    h.cover_count = m->cover_count;
    h.memo_bits = 14;
    h.window_bits = h.index_bits = 0;
    h.slot_count = RW_SLOT_LINE;
    e = calloc(1, (size_t)rw_layout_size(&h));
    if (e == 0)
        return 0;
    *e = *parameters;
    e->header = h;
    view.source = &source;
    rw_layout(&view, e);
    rw_engine_reset(&view);
    if (m->cover_count > 0)
        memcpy(view.covers, m->covers, sizeof(rw_cover) * m->cover_count);
    rw_sort_covers(&view);
    for (i = 0; i < m->cover_count; i++) {
        e->cover = i;
        score += measure_cover(&view, m, m->covers + i);
        rw_images_seen(m, &seen, m->covers[i].length);
    }
    free(e);
    return score;
}

/* Calls from a part of the target to somewhere in it. */
static uint32_t count_calls(const rw_pair_of_images *m, const rw_engine *parameters, uint32_t arch,
                            uint32_t from, uint32_t to)
{
    uint32_t step = rw_instruction_step(arch), count = 0, at, offset;
    rw_ref ref;

    for (at = (from + step - 1) / step * step; at < to && to - at >= 4; at += step) {
        uint32_t address = rw_address(parameters, RW_TARGET, at);

        if (!rw_ref_find(arch, m->target + at, address, &ref) || ref.kind != RW_REF_CALL
            || ref.target == address || (arch == RW_ARCH_ARM && m->target[at + 3] >> 4 != ALWAYS))
            continue;
        if (!rw_offset(parameters, RW_TARGET, ref.target, &offset))
            offset = ref.target;
        count += offset < m->target_length;
    }
    return count;
}

uint32_t rw_count_new_calls(const rw_pair_of_images *m, const rw_engine *parameters, uint32_t arch)
{
    uint32_t count = 0, seen = 0, end = 0, i;

    if (arch != RW_ARCH_THUMB && arch != RW_ARCH_ARM && arch != RW_ARCH_AARCH64)
        return 0;
    for (i = 0; i <= m->cover_count; i++) {
        uint32_t next = i < m->cover_count ? m->covers[i].target : m->target_length;

        count += count_calls(m, parameters, arch, end, next);
        rw_images_seen(m, &seen, next - end);
        end = i < m->cover_count ? next + m->covers[i].length : next;
    }
    return count;
}

/* A lower part counts only shortly after an upper part went into its register. */
static void mask_pair(uint32_t arch, uint8_t *p, uint32_t at, uint32_t made[32])
{
    uint32_t word = rw_get32(p), reg, value;
    int last;

    if (rw_pair_high(arch, word, 0, &reg, &value)) {
        rw_pair_put_high(arch, &word, 0, 0);
        made[reg & 31] = at;
    } else if (rw_pair_low(arch, word, &reg, &value, &last)
               && at - made[reg & 31] - 1 < RW_PAIR_REACH) {
        rw_pair_put_low(arch, &word, 0, 0);
    }
    rw_put32(p, word);
}

static void mask_reference(uint32_t arch, uint8_t *p)
{
    rw_ref ref;

    if (!rw_ref_find(arch, p, 0x1000000, &ref) || ref.kind == RW_REF_BRANCH)
        return;
    if (!rw_ref_put(arch, p, 0x1000000, &ref, 0x1000008))
        rw_ref_put(arch, p, 0x1000000, &ref, 0x1000000);
}

void rw_mask(uint32_t arch, const rw_engine *parameters, int side, const uint8_t *image,
             uint32_t length, uint8_t *masked)
{
    uint32_t made[32], at = 0, step = rw_instruction_step(arch), size, offset;

    memcpy(masked, image, length);
    memset(made, 0xff, sizeof made);
    if (arch == RW_ARCH_NONE)
        return;
    while (at + 4 <= length) {
        uint8_t *p = masked + at;

        if (at % 4 == 0 && rw_offset(parameters, side, rw_get32(p), &offset)) {
            at += 4;
            continue;
        }
        size = rw_instruction_length(arch, rw_get32(p));
        if (size == 4)
            mask_pair(arch, p, at, made);
        mask_reference(arch, p);
        at += size < step ? step : size;
    }
}
