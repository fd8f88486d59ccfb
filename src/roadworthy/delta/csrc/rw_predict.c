#include "rw_predict.h"

#include <string.h>

#include "rw_map.h"
#include "rw_pairs.h"
#include "rw_refs.h"

#define ANCHOR_SCAN 24
#define SCAN 8 /* instructions looked ahead for the lower part of an address */

static void begin_unit(rw_engine *e, const uint8_t *old, const uint8_t *moved, const rw_ref *ref,
                       enum rw_quality quality)
{
    memcpy(e->unit_old, old, 4);
    memcpy(e->unit_moved, moved, 4);
    e->unit_length = ref->length;
    e->unit_used = 0;
    e->unit_kind = ref->kind;
    e->unit_key = ref->target;
    e->unit_class = (ref->kind << 2 | (uint32_t)quality) & 31;
    memcpy(e->unit_bytes, e->trust[e->unit_class] < 0 ? old : moved, 4);
}

/* Counts whether moving the reference or leaving it as it was would have been right, and keeps
 * how far it was off. */
static void judge(rw_engine *e)
{
    uint32_t mask = 0xffffffffu >> (32 - 8 * e->unit_length), is = rw_get32(e->unit_new);
    int moved = ((rw_get32(e->unit_moved) ^ is) & mask) == 0;
    int left = ((rw_get32(e->unit_old) ^ is) & mask) == 0;
    int8_t *trust = e->trust + e->unit_class;

    if (!moved)
        e->correction[e->unit_class] = (is - rw_get32(e->unit_moved)) & mask;
    if (moved > left && *trust < RW_TRUST_MAX)
        (*trust)++;
    else if (moved < left && *trust > -RW_TRUST_MAX)
        (*trust)--;
}

/* The lower part that a later instruction adds to register `reg`; 0 when none is near. */
static uint32_t low_ahead(rw_view *view, uint32_t base, uint32_t reg)
{
    uint32_t arch = view->engine->header.arch, i, other, low, word;
    int last;

    for (i = 0; i < SCAN; i++) {
        word = rw_base_word(view, base);
        if (rw_pair_low(arch, word, &other, &low, &last) && other == reg)
            return low;
        if (rw_pair_high(arch, word, 0, &other, &low) && other == reg)
            return 0;
        base += rw_instruction_length(arch, word);
    }
    return 0;
}

static int predict_high(rw_view *view, uint32_t base, uint32_t word)
{
    rw_engine *e = view->engine;
    rw_ref ref = {4, RW_REF_HIGH, 0};
    uint32_t reg, high, put = word;
    uint8_t old[4], predicted[4];
    enum rw_quality quality;

    if (!rw_pair_high(e->header.arch, word, rw_address(e, RW_BASE, base), &reg, &high))
        return 0;
    ref.target = high + low_ahead(view, base + 4, reg);
    rw_pair_put_high(e->header.arch, &put, rw_address(e, RW_TARGET, e->position),
                     rw_translate(view, ref.target, 0, &quality));
    rw_put32(old, word);
    rw_put32(predicted, put);
    begin_unit(e, old, predicted, &ref, quality);
    return 1;
}

static int predict_low(rw_view *view, uint32_t base, uint32_t word)
{
    rw_engine *e = view->engine;
    rw_ref ref = {4, RW_REF_LOW, 0};
    uint32_t reg, low, put = word;
    uint8_t old[4], predicted[4];
    enum rw_quality quality;
    const rw_pair *pair;
    int last;

    if (!rw_pair_low(e->header.arch, word, &reg, &low, &last))
        return 0;
    pair = e->pair + (reg & 31);
    if (base - pair->offset - 1 >= RW_PAIR_REACH)
        return 0;
    ref.target = pair->base_high + low;
    rw_pair_put_low(e->header.arch, &put, pair->target_high,
                    rw_translate(view, ref.target, 0, &quality));
    rw_put32(old, word);
    rw_put32(predicted, put);
    begin_unit(e, old, predicted, &ref, quality);
    return 1;
}

/* Position-independent code loads a distance from a pool and adds the program counter:
 * where it adds says what the distance in the pool counts from. Learned as pool address + 1,
 * which is no address of anything else. */
static int is_anchor(uint32_t arch, uint32_t word, uint32_t reg)
{
    if (arch == RW_ARCH_THUMB) /* ADD Rd, PC */
        return (word & 0xff78) == 0x4478 && ((word & 7) | (word >> 4 & 8)) == reg;
    /* ADD Rd, PC, Rm and LDR Rd, [PC, Rm] */
    return ((word & 0x0fff0ff0) == 0x008f0000 || (word & 0x0fff0ff0) == 0x079f0000)
           && (word & 15) == reg;
}

/* The register that a load from a pool fills; 16 for a load that makes no address. */
static uint32_t loaded_register(uint32_t arch, uint32_t word)
{
    if (arch == RW_ARCH_ARM)
        return word & 0x00400000 ? 16 : word >> 12 & 15;
    if ((word & 0xf800) == 0x4800)
        return word >> 8 & 7;
    return (word & 0xff7f) == 0xf85f ? word >> 28 : 16;
}

static void find_anchor(rw_view *view, uint32_t base, const uint8_t *load, uint32_t pool)
{
    uint32_t arch = view->engine->header.arch, i, reg = loaded_register(arch, rw_get32(load)),
             ahead = arch == RW_ARCH_ARM ? 8 : 4, word = rw_get32(load);

    if (reg > 15 || (arch != RW_ARCH_THUMB && arch != RW_ARCH_ARM))
        return;
    for (i = 0; i < ANCHOR_SCAN; i++) {
        base += rw_instruction_length(arch, word);
        word = rw_base_word(view, base);
        if (is_anchor(arch, word, reg)) {
            rw_learn(view, pool + 1, rw_address(view->engine, RW_BASE, base) + ahead);
            return;
        }
    }
}

static int predict_reference(rw_view *view, uint32_t base, const uint8_t *old)
{
    rw_engine *e = view->engine;
    uint8_t predicted[4];
    enum rw_quality quality;
    rw_ref ref;

    if (!rw_ref_find(e->header.arch, old, rw_address(e, RW_BASE, base), &ref))
        return 0;
    memcpy(predicted, old, 4);
    rw_ref_put(e->header.arch, predicted, rw_address(e, RW_TARGET, e->position), &ref,
               rw_translate(view, ref.target,
                            ref.kind == RW_REF_BRANCH || ref.kind == RW_REF_LITERAL, &quality));
    begin_unit(e, old, predicted, &ref, quality);
    if (ref.kind == RW_REF_LITERAL)
        find_anchor(view, base, old, ref.target);
    return 1;
}

/* A pool word that counts from an anchor. */
static int predict_anchored(rw_view *view, uint32_t base, uint32_t word)
{
    rw_engine *e = view->engine;
    rw_ref ref = {4, RW_REF_RELATIVE, 0};
    enum rw_quality quality;
    uint32_t anchor, moved, arch = e->header.arch, ahead = arch == RW_ARCH_ARM ? 8 : 4;
    uint8_t old[4], predicted[4];

    if ((arch != RW_ARCH_THUMB && arch != RW_ARCH_ARM)
        || !rw_recall(view, rw_address(e, RW_BASE, base) + 1, &anchor))
        return 0;
    ref.target = word + anchor;
    moved = rw_translate(view, anchor - ahead, 0, &quality) + ahead;
    rw_put32(old, word);
    rw_ref_put(arch, predicted, moved, &ref,
               rw_translate(view, ref.target & ~1u, 0, &quality) + (ref.target & 1));
    begin_unit(e, old, predicted, &ref, quality);
    e->unit_key &= ~1u;
    e->unit_anchor = moved;
    return 1;
}

/* A word that holds the address of something in the image, absolute or relative. */
static int predict_word(rw_view *view, uint32_t base, uint32_t word, uint32_t kind)
{
    rw_engine *e = view->engine;
    uint32_t odd = kind == RW_REF_POINTER && e->header.arch == RW_ARCH_THUMB ? word & 1 : 0, offset;
    uint32_t target = word - odd + (kind == RW_REF_RELATIVE ? rw_address(e, RW_BASE, base) : 0);
    uint8_t old[4], predicted[4];
    enum rw_quality quality;
    rw_ref ref = {4, kind, target};

    if (!rw_offset(e, RW_BASE, target, &offset))
        return 0;
    rw_put32(old, word);
    rw_ref_put(e->header.arch, predicted, rw_address(e, RW_TARGET, e->position), &ref,
               rw_translate(view, ref.target, 0, &quality) + odd);
    begin_unit(e, old, predicted, &ref, quality);
    return 1;
}

void rw_predict(rw_view *view, uint32_t base, uint32_t end)
{
    rw_engine *e = view->engine;
    uint32_t arch = e->header.arch, word, length, left = end - base;
    uint8_t old[4];
    int whole;

    e->unit_length = e->unit_used = e->unit_kind = 0;
    e->unit_offset = base;
    e->unit_anchor = 0;
    if (arch == RW_ARCH_NONE || left < 2)
        return;
    word = rw_base_word(view, base);
    whole = (base & 3) == 0 && left >= 4;
    if (whole
        && (predict_anchored(view, base, word) || predict_word(view, base, word, RW_REF_POINTER))) {
        e->next_unit = base + 4;
        return;
    }
    if (base < e->next_unit || base % rw_instruction_step(arch) != 0)
        return;
    length = rw_instruction_length(arch, word);
    if (length > left)
        return;
    e->next_unit = base + length;
    if (arch == RW_ARCH_AARCH64 && !rw_aarch64_may_refer(word)) {
        predict_word(view, base, word, RW_REF_RELATIVE);
        return;
    }
    rw_put32(old, word);
    if (length == 4 && (predict_high(view, base, word) || predict_low(view, base, word)))
        return;
    if (predict_reference(view, base, old))
        return;
    if (whole)
        predict_word(view, base, word, RW_REF_RELATIVE);
}

static void learn_high(rw_view *view, uint32_t word, uint32_t address)
{
    rw_engine *e = view->engine;
    uint32_t reg, high;
    rw_pair *pair;

    if (!rw_pair_high(e->header.arch, rw_get32(e->unit_old), rw_address(e, RW_BASE, e->unit_offset),
                      &reg, &high))
        return;
    pair = e->pair + (reg & 31);
    pair->base_high = high;
    if (!rw_pair_high(e->header.arch, word, address, &reg, &high))
        return;
    pair->target_high = high;
    pair->offset = e->unit_offset;
}

static void learn_low(rw_view *view, uint32_t word)
{
    rw_engine *e = view->engine;
    uint32_t reg, low;
    rw_pair *pair;
    int last;

    if (!rw_pair_low(e->header.arch, word, &reg, &low, &last))
        return;
    pair = e->pair + (reg & 31);
    rw_learn(view, e->unit_key, pair->target_high + low);
    if (last)
        pair->offset = 0xffffffffu;
}

void rw_predict_learn(rw_view *view)
{
    rw_engine *e = view->engine;
    uint32_t word = rw_get32(e->unit_new), odd;
    uint32_t address = rw_address(e, RW_TARGET, e->position - e->unit_length);
    rw_ref ref;

    judge(e);
    switch (e->unit_kind) {
    case RW_REF_POINTER:
        odd = e->header.arch == RW_ARCH_THUMB ? word & 1 : 0;
        rw_learn(view, e->unit_key, word - odd);
        break;
    case RW_REF_RELATIVE:
        if (e->unit_anchor != 0)
            rw_learn(view, e->unit_key, (word + e->unit_anchor) & ~1u);
        break;
    case RW_REF_HIGH:
        learn_high(view, word, address);
        break;
    case RW_REF_LOW:
        learn_low(view, word);
        break;
    default:
        if (rw_ref_find(e->header.arch, e->unit_new, address, &ref) && ref.kind == e->unit_kind)
            rw_learn(view, e->unit_key, ref.target);
    }
}
