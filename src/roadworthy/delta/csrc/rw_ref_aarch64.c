/* A64 (ARM DDI 0487, C4 and C6), instructions that name an address by themselves. */
#include "rw_refs.h"

/* Where the offset stands: its lowest bit, its width, and how far it is shifted. */
typedef struct {
    uint32_t at, bits, kind;
} field_t;

static field_t field_of(uint32_t w)
{
    field_t none = {0, 0, RW_REF_NONE}, wide = {0, 26, RW_REF_CALL};
    field_t middle = {5, 19, RW_REF_BRANCH}, narrow = {5, 14, RW_REF_BRANCH},
            pool = {5, 19, RW_REF_LITERAL};

    if ((w & 0x7c000000) == 0x14000000) /* B, BL */
        return wide;
    if ((w & 0xff000010) == 0x54000000 || (w & 0x7e000000) == 0x34000000) /* B.cond, CBZ, CBNZ */
        return middle;
    if ((w & 0x7e000000) == 0x36000000) /* TBZ, TBNZ */
        return narrow;
    return (w & 0x3b000000) == 0x18000000 ? pool : none; /* LDR (literal) */
}

static int is_adr(uint32_t w)
{
    return (w & 0x9f000000) == 0x10000000;
}

int rw_aarch64_find(const uint8_t *p, uint32_t address, rw_ref *ref)
{
    uint32_t w = rw_get32(p);
    field_t field = field_of(w);

    ref->length = 4;
    ref->kind = field.kind;
    if (field.bits > 0) {
        ref->target = address + (rw_sign(w >> field.at, field.bits) << 2);
        return 1;
    }
    if (is_adr(w)) {
        ref->kind = RW_REF_LITERAL;
        ref->target = address + rw_sign((w >> 5 & 0x7ffff) << 2 | (w >> 29 & 3), 21);
        return 1;
    }
    return 0;
}

int rw_aarch64_put(uint8_t *p, uint32_t address, uint32_t target)
{
    uint32_t w = rw_get32(p), offset = target - address, mask;
    field_t field = field_of(w);

    if (field.bits > 0) {
        if ((offset & 3) != 0 || !rw_fits(offset, field.bits + 2))
            return 0;
        mask = ((1u << field.bits) - 1) << field.at;
        rw_put32(p, (w & ~mask) | (offset >> 2 << field.at & mask));
        return 1;
    }
    if (!is_adr(w) || !rw_fits(offset, 21))
        return 0;
    rw_put32(p, (w & 0x9f00001f) | (offset & 3) << 29 | (offset >> 2 & 0x7ffff) << 5);
    return 1;
}
