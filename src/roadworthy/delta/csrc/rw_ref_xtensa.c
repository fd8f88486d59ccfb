/* Xtensa with the density option (Xtensa ISA reference, 3.8 and 6). */
#include "rw_refs.h"

static uint32_t get24(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16;
}

static void put24(uint8_t *p, uint32_t v)
{
    rw_put16(p, v);
    p[2] = (uint8_t)(v >> 16);
}

/* CALL0, CALL4, CALL8, CALL12 */
static int is_call(uint32_t w)
{
    return (w & 0xf) == 5;
}

static int is_jump(uint32_t w)
{
    return (w & 0x3f) == 6;
}

/* L32R */
static int is_load(uint32_t w)
{
    return (w & 0xf) == 1;
}

int rw_xtensa_find(const uint8_t *p, uint32_t address, rw_ref *ref)
{
    uint32_t w = get24(p);

    ref->length = 3;
    ref->kind = is_load(w) ? RW_REF_LITERAL : is_call(w) ? RW_REF_CALL : RW_REF_BRANCH;
    if (is_call(w))
        ref->target = (address & ~3u) + 4 + (rw_sign(w >> 6, 18) << 2);
    else if (is_jump(w))
        ref->target = address + 4 + rw_sign(w >> 6, 18);
    else if (is_load(w))
        ref->target = ((address + 3) & ~3u) + ((w >> 8) << 2) - 0x40000;
    else
        return 0;
    return 1;
}

int rw_xtensa_put(uint8_t *p, uint32_t address, uint32_t target)
{
    uint32_t w = get24(p), offset;

    if (is_call(w)) {
        offset = target - (address & ~3u) - 4;
        if ((offset & 3) != 0 || !rw_fits(offset, 20))
            return 0;
        put24(p, (w & 0x3f) | (offset >> 2 & 0x3ffff) << 6);
    } else if (is_jump(w)) {
        offset = target - address - 4;
        if (!rw_fits(offset, 18))
            return 0;
        put24(p, (w & 0x3f) | (offset & 0x3ffff) << 6);
    } else if (is_load(w)) {
        offset = target - ((address + 3) & ~3u) + 0x40000;
        if ((offset & 3) != 0 || offset >= 0x40000)
            return 0;
        put24(p, (w & 0xff) | offset >> 2 << 8);
    } else {
        return 0;
    }
    return 1;
}
