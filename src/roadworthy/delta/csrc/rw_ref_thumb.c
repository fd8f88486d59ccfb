/* Thumb and Thumb-2 (ARM DDI 0406C, A6 and A8). */
#include "rw_refs.h"

enum form { NONE, BL, BLX, BW, BCW, B11, BC8, CBZ, LDR8, ADR8, LDRW, VLDR };

static enum form short_form(uint32_t h)
{
    if ((h & 0xf800) == 0x4800)
        return LDR8;
    if ((h & 0xf800) == 0xa000)
        return ADR8;
    if ((h & 0xf800) == 0xe000)
        return B11;
    if ((h & 0xf000) == 0xd000 && (h & 0x0f00) < 0x0e00)
        return BC8;
    return (h & 0xf500) == 0xb100 ? CBZ : NONE;
}

static enum form long_form(uint32_t h, uint32_t l)
{
    if ((h & 0xf800) == 0xf000) {
        if ((l & 0xd000) == 0xd000)
            return BL;
        if ((l & 0xd001) == 0xc000)
            return BLX;
        if ((l & 0xd000) == 0x9000)
            return BW;
        return (l & 0xd000) == 0x8000 && (h & 0x0380) != 0x0380 ? BCW : NONE;
    }
    if ((h & 0xff1f) == 0xf81f) /* LDR, LDRB, LDRH (literal), signed and not */
        return LDRW;
    return (h & 0xff3f) == 0xed1f && (l & 0x0e00) == 0x0a00 ? VLDR : NONE;
}

static enum form form_of(const uint8_t *p)
{
    uint32_t h = rw_get16(p);

    return (h & 0xf800) >= 0xe800 ? long_form(h, rw_get16(p + 2)) : short_form(h);
}

/* Offset of BL, BLX and B.W: S:I1:I2:imm10:imm11:0. */
static uint32_t wide_offset(uint32_t h, uint32_t l)
{
    uint32_t s = h >> 10 & 1, i1 = ~(l >> 13 ^ s) & 1, i2 = ~(l >> 11 ^ s) & 1;

    return rw_sign(s << 24 | i1 << 23 | i2 << 22 | (h & 0x3ff) << 12 | (l & 0x7ff) << 1, 25);
}

static uint32_t conditional_offset(uint32_t h, uint32_t l)
{
    return rw_sign((h & 0x400) << 10 | (l & 0x800) << 8 | (l & 0x2000) << 5 | (h & 0x3f) << 12
                       | (l & 0x7ff) << 1,
                   21);
}

static uint32_t pool_offset(uint32_t h, uint32_t imm)
{
    return h & 0x80 ? imm : 0u - imm;
}

int rw_thumb_find(const uint8_t *p, uint32_t address, rw_ref *ref)
{
    uint32_t h = rw_get16(p), l, pc = address + 4, pool = pc & ~3u;
    enum form form = form_of(p);

    ref->length = form == NONE || form >= LDRW || form <= BCW ? 4 : 2;
    l = ref->length == 4 ? rw_get16(p + 2) : 0;
    ref->kind = form <= BW ? RW_REF_CALL : form < LDR8 ? RW_REF_BRANCH : RW_REF_LITERAL;
    switch (form) {
    case BL:
    case BW:
        ref->target = pc + wide_offset(h, l);
        return 1;
    case BLX:
        ref->target = pool + wide_offset(h, l);
        return 1;
    case BCW:
        ref->target = pc + conditional_offset(h, l);
        return 1;
    case B11:
        ref->target = pc + rw_sign(h << 1, 12);
        return 1;
    case BC8:
        ref->target = pc + rw_sign(h << 1, 9);
        return 1;
    case CBZ:
        ref->target = pc + ((h & 0xf8) >> 2 | (h & 0x200) >> 3);
        return 1;
    case LDR8:
    case ADR8:
        ref->target = pool + (h & 0xff) * 4;
        return 1;
    case LDRW:
        ref->target = pool + pool_offset(h, l & 0xfff);
        return 1;
    case VLDR:
        ref->target = pool + pool_offset(h, (l & 0xff) * 4);
        return 1;
    default:
        return 0;
    }
}

static int put_wide(uint8_t *p, uint32_t offset)
{
    uint32_t h = rw_get16(p), l = rw_get16(p + 2), s = offset >> 24 & 1;

    if (!rw_fits(offset, 25) || (offset & 1) != 0)
        return 0;
    h = (h & 0xf800) | s << 10 | (offset >> 12 & 0x3ff);
    l = (l & 0xd000) | (~(offset >> 23 ^ s) & 1) << 13 | (~(offset >> 22 ^ s) & 1) << 11
        | (offset >> 1 & 0x7ff);
    rw_put16(p, h);
    rw_put16(p + 2, l);
    return 1;
}

static int put_conditional(uint8_t *p, uint32_t offset)
{
    uint32_t h = rw_get16(p), l = rw_get16(p + 2);

    if (!rw_fits(offset, 21) || (offset & 1) != 0)
        return 0;
    rw_put16(p, (h & 0xfbc0) | (offset >> 10 & 0x400) | (offset >> 12 & 0x3f));
    rw_put16(p + 2,
             (l & 0xd000) | (offset >> 8 & 0x800) | (offset >> 5 & 0x2000) | (offset >> 1 & 0x7ff));
    return 1;
}

static int put_short(uint8_t *p, uint32_t offset, uint32_t bits)
{
    uint32_t h = rw_get16(p), mask = (1u << (bits - 1)) - 1;

    if (!rw_fits(offset, bits) || (offset & 1) != 0)
        return 0;
    rw_put16(p, (h & ~mask) | (offset >> 1 & mask));
    return 1;
}

static int put_compare(uint8_t *p, uint32_t offset)
{
    if (offset > 126 || (offset & 1) != 0)
        return 0;
    rw_put16(p, (rw_get16(p) & ~0x2f8u) | (offset & 0x3e) << 2 | (offset & 0x40) << 3);
    return 1;
}

static int put_pool(uint8_t *p, uint32_t offset, uint32_t scale, uint32_t mask)
{
    uint32_t h = rw_get16(p), size = h & 0x80 ? offset : 0u - offset;

    if (size > mask * scale) {
        size = 0u - size;
        h ^= 0x80;
    }
    if (size > mask * scale || size % scale != 0)
        return 0;
    rw_put16(p, h);
    rw_put16(p + 2, (rw_get16(p + 2) & ~mask) | size / scale);
    return 1;
}

int rw_thumb_put(uint8_t *p, uint32_t address, uint32_t target)
{
    uint32_t pc = address + 4, pool = pc & ~3u;

    switch (form_of(p)) {
    case BL:
    case BW:
        return put_wide(p, target - pc);
    case BLX:
        return (target & 3) == 0 && put_wide(p, target - pool);
    case BCW:
        return put_conditional(p, target - pc);
    case B11:
        return put_short(p, target - pc, 12);
    case BC8:
        return put_short(p, target - pc, 9);
    case CBZ:
        return put_compare(p, target - pc);
    case LDR8:
    case ADR8:
        if (target - pool > 1020 || ((target - pool) & 3) != 0)
            return 0;
        p[0] = (uint8_t)((target - pool) / 4);
        return 1;
    case LDRW:
        return put_pool(p, target - pool, 1, 0xfff);
    case VLDR:
        return put_pool(p, target - pool, 4, 0xff);
    default:
        return 0;
    }
}
