/* A32 (ARM DDI 0406C, A5 and A8). */
#include "rw_refs.h"

static int is_branch(uint32_t w)
{
    return (w & 0x0e000000) == 0x0a000000;
}

/* BLX (immediate) has the condition field 1111; bit 24 is its half-word. */
static int is_exchange(uint32_t w)
{
    return w >> 28 == 15;
}

/* LDR, LDRB from [pc, #+-imm12] */
static int is_load(uint32_t w)
{
    return (w & 0x0f3f0000) == 0x051f0000 && w >> 28 != 15;
}

int rw_arm_find(const uint8_t *p, uint32_t address, rw_ref *ref)
{
    uint32_t w = rw_get32(p), pc = address + 8, offset = w & 0xfff;

    ref->length = 4;
    if (is_branch(w)) {
        ref->kind = RW_REF_CALL;
        ref->target = pc + rw_sign(w << 2, 26) + (is_exchange(w) ? w >> 23 & 2 : 0);
        return 1;
    }
    if (is_load(w)) {
        ref->kind = RW_REF_LITERAL;
        ref->target = w & 0x00800000 ? pc + offset : pc - offset;
        return 1;
    }
    return 0;
}

static int put_branch(uint8_t *p, uint32_t w, uint32_t offset)
{
    if (!rw_fits(offset, 26) || (offset & (is_exchange(w) ? 1 : 3)) != 0)
        return 0;
    if (is_exchange(w))
        w = (w & ~0x01000000u) | (offset & 2) << 23;
    rw_put32(p, (w & 0xff000000) | (offset >> 2 & 0xffffff));
    return 1;
}

int rw_arm_put(uint8_t *p, uint32_t address, uint32_t target)
{
    uint32_t w = rw_get32(p), offset = target - address - 8;

    if (is_branch(w))
        return put_branch(p, w, offset);
    if (!is_load(w))
        return 0;
    if (offset > 0xfff && 0u - offset > 0xfff)
        return 0;
    w &= ~0x00800fffu;
    rw_put32(p, offset > 0xfff ? w | (0u - offset) : w | 0x00800000 | offset);
    return 1;
}
