/* RISC-V RV32/RV64 with C (unprivileged specification, 2.3, 2.5 and 16.4). */
#include "rw_refs.h"

static int is_jal(uint32_t w)
{
    return (w & 0x7f) == 0x6f;
}

static int is_branch(uint32_t w)
{
    return (w & 0x7f) == 0x63;
}

/* C.J and, on RV32, C.JAL */
static int is_short_jump(uint32_t h)
{
    return (h & 0xe003) == 0xa001;
}

/* C.BEQZ, C.BNEZ */
static int is_short_branch(uint32_t h)
{
    return (h & 0xc003) == 0xc001;
}

static uint32_t jal_offset(uint32_t w)
{
    return rw_sign((w >> 31) << 20 | (w & 0x000ff000) | (w >> 9 & 0x800) | (w >> 20 & 0x7fe), 21);
}

static uint32_t branch_offset(uint32_t w)
{
    return rw_sign((w >> 31) << 12 | (w << 4 & 0x800) | (w >> 20 & 0x7e0) | (w >> 7 & 0x1e), 13);
}

static uint32_t short_jump_offset(uint32_t h)
{
    return rw_sign((h >> 1 & 0x800) | (h << 2 & 0x400) | (h >> 1 & 0x300) | (h << 1 & 0x80)
                       | (h >> 1 & 0x40) | (h << 3 & 0x20) | (h >> 7 & 0x10) | (h >> 2 & 0xe),
                   12);
}

static uint32_t short_branch_offset(uint32_t h)
{
    return rw_sign(
        (h >> 4 & 0x100) | (h << 1 & 0xc0) | (h << 3 & 0x20) | (h >> 7 & 0x18) | (h >> 2 & 6), 9);
}

int rw_riscv_find(const uint8_t *p, uint32_t address, rw_ref *ref)
{
    uint32_t h = rw_get16(p), w;

    ref->length = (h & 3) == 3 ? 4 : 2;
    ref->kind = RW_REF_BRANCH;
    if (ref->length == 2) {
        if (is_short_jump(h))
            ref->target = address + short_jump_offset(h);
        else if (is_short_branch(h))
            ref->target = address + short_branch_offset(h);
        else
            return 0;
        return 1;
    }
    w = rw_get32(p);
    if (is_jal(w)) {
        ref->kind = RW_REF_CALL;
        ref->target = address + jal_offset(w);
        return 1;
    }
    if (!is_branch(w))
        return 0;
    ref->target = address + branch_offset(w);
    return 1;
}

static int put_short(uint8_t *p, uint32_t h, uint32_t o)
{
    if (is_short_jump(h) && rw_fits(o, 12)) {
        rw_put16(p, (h & 0xe003) | (o << 1 & 0x1000) | (o >> 2 & 0x100) | (o << 1 & 0x600)
                        | (o >> 1 & 0x40) | (o << 1 & 0x80) | (o >> 3 & 4) | (o << 7 & 0x800)
                        | (o << 2 & 0x38));
        return 1;
    }
    if (is_short_branch(h) && rw_fits(o, 9)) {
        rw_put16(p, (h & 0xe383) | (o << 4 & 0x1000) | (o >> 1 & 0x60) | (o >> 3 & 4)
                        | (o << 7 & 0xc00) | (o << 2 & 0x18));
        return 1;
    }
    return 0;
}

int rw_riscv_put(uint8_t *p, uint32_t address, uint32_t target)
{
    uint32_t h = rw_get16(p), o = target - address, w;

    if ((o & 1) != 0)
        return 0;
    if ((h & 3) != 3)
        return put_short(p, h, o);
    w = rw_get32(p);
    if (is_jal(w) && rw_fits(o, 21)) {
        rw_put32(p, (w & 0xfff) | (o << 11 & 0x80000000) | (o << 20 & 0x7fe00000)
                        | (o << 9 & 0x100000) | (o & 0xff000));
        return 1;
    }
    if (is_branch(w) && rw_fits(o, 13)) {
        rw_put32(p, (w & 0x01fff07f) | (o << 19 & 0x80000000) | (o << 20 & 0x7e000000)
                        | (o << 7 & 0xf00) | (o >> 4 & 0x80));
        return 1;
    }
    return 0;
}
