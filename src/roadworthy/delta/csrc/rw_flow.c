#include "rw_flow.h"

#include "rw_refs.h"

#define POOL_REACH 4096u /* bytes from a load to its pool */

enum { LOAD = 1, BRANCH, JUMP, COMPARE };

static uint32_t kind_of(uint32_t upper)
{
    if ((upper & 0xf8) == 0x48 || (upper & 0xf8) == 0xa0) /* LDR (literal), ADR */
        return LOAD;
    if ((upper & 0xf0) == 0xd0 && upper < 0xde)
        return BRANCH;
    if ((upper & 0xf8) == 0xe0)
        return JUMP;
    return (upper & 0xf5) == 0xb1 ? COMPARE : 0; /* CBZ, CBNZ */
}

/* Loads hold it in words, the others in halfwords with what is above them as in `upper`. */
static void guess_target(rw_guess *g, uint32_t at, uint32_t upper, uint32_t target)
{
    uint32_t offset = target - at - 4;

    g->bits = 8;
    if (g->kind == LOAD && target - ((at + 4) & ~3u) < 1024)
        g->byte = (target - ((at + 4) & ~3u)) >> 2;
    if (g->kind == BRANCH && rw_fits(offset, 9))
        g->byte = offset >> 1 & 0xff;
    if (g->kind == JUMP && rw_fits(offset, 12) && (offset >> 9 & 7) == (upper & 7))
        g->byte = offset >> 1 & 0xff;
    if (g->kind == COMPARE && offset < 128 && (offset >> 6 & 1) == (upper >> 1 & 1)) {
        g->byte = offset << 2 & 0xf8;
        g->bits = 5;
    }
}

void rw_flow_guess(const rw_engine *e, uint32_t at, uint32_t upper, rw_guess *guess)
{
    uint32_t kind = kind_of(upper), i;

    for (i = 0; kind > 0 && i < RW_GUESSES; i++) {
        guess[i].kind = kind;
        if (kind != LOAD)
            guess_target(guess + i, at, upper, e->flow.label[i]);
        else
            guess_target(guess + i, at, upper, i == 0 ? e->flow.pool_last + 4 : e->flow.pool_end);
    }
}

uint32_t rw_flow_pool(const rw_engine *e, uint32_t at)
{
    const rw_flow *f = &e->flow;

    return at - f->pool_first < f->pool_end - f->pool_first ? f->pool_end - at : 0;
}

/* The loads since the last pool point to one pool, of which the words stand in order of their first
 * use. */
static void keep_pool(rw_flow *f, uint32_t at, uint32_t target)
{
    if (at >= f->pool_end || f->pool_first - at > POOL_REACH) {
        f->pool_first = target;
        f->pool_end = target + 4;
    }
    if (target < f->pool_first)
        f->pool_first = target;
    if (target >= f->pool_end)
        f->pool_end = target + 4;
    f->pool_last = target;
}

static void keep_label(rw_flow *f, uint32_t target)
{
    if (target == f->label[0])
        return;
    f->label[1] = f->label[0];
    f->label[0] = target;
}

/* The second half of an instruction. LDR.W (literal) may load from a pool, too. */
static void keep_second(rw_flow *f, uint32_t at, uint32_t halfword)
{
    f->last = f->wide << 16 | halfword;
    if (f->wide == 0xf8df)
        keep_pool(f, at, ((at + 2) & ~3u) + (halfword & 0xfff));
    f->wide = 0;
}

static void keep_halfword(rw_engine *e, uint32_t at, uint32_t halfword)
{
    uint8_t bytes[4] = {(uint8_t)halfword, (uint8_t)(halfword >> 8), 0, 0};
    rw_flow *f = &e->flow;
    rw_ref ref;

    if (rw_flow_pool(e, at) > 0) {
        f->wide = 0;
        return;
    }
    if (f->wide != 0) {
        keep_second(f, at, halfword);
        return;
    }
    f->operations = f->operations << 8 | halfword >> 8;
    f->last = halfword;
    if (halfword >= 0xe800)
        f->wide = halfword;
    else if (kind_of(halfword >> 8) != 0 && rw_thumb_find(bytes, at, &ref)) {
        if (ref.kind == RW_REF_LITERAL)
            keep_pool(f, at, ref.target);
        else
            keep_label(f, ref.target);
    }
}

void rw_flow_keep(rw_engine *e, uint32_t at, const uint8_t *bytes, uint32_t length)
{
    uint32_t lower = e->order[0] & 0xff, i;

    if (e->header.arch != RW_ARCH_THUMB || e->header.backend != RW_BACKEND_MIXING)
        return;
    for (i = 0; i < length; i++) {
        if ((at + i) & 1)
            keep_halfword(e, at + i - 1, lower | (uint32_t)bytes[i] << 8);
        lower = bytes[i];
    }
}
