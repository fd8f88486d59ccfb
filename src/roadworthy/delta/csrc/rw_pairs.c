#include "rw_pairs.h"

#include "rw_format.h"
#include "rw_refs.h"

static int is_adrp(uint32_t w)
{
    return (w & 0x9f000000) == 0x90000000;
}

static int is_add(uint32_t w)
{
    return (w & 0xffc00000) == 0x91000000;
}

/* LDR, STR (unsigned offset), all sizes, also SIMD, and PRFM */
static int is_access(uint32_t w)
{
    return (w & 0x3b000000) == 0x39000000;
}

static uint32_t access_scale(uint32_t w)
{
    return (w & 0x04800000) == 0x04800000 && w >> 30 == 0 ? 4 : w >> 30;
}

static int is_auipc(uint32_t w)
{
    return (w & 0x7f) == 0x17;
}

static int is_lui(uint32_t w)
{
    return (w & 0x7f) == 0x37;
}

static int is_store(uint32_t w)
{
    return (w & 0x7b) == 0x23;
}

/* ADDI, ADDIW, loads and JALR */
static int is_immediate(uint32_t w)
{
    uint32_t op = w & 0x7f;

    if (op == 0x13 || op == 0x1b)
        return (w & 0x7000) == 0;
    return op == 0x03 || op == 0x07 || (op == 0x67 && (w & 0x7000) == 0);
}

int rw_pair_high(uint32_t arch, uint32_t w, uint32_t address, uint32_t *reg, uint32_t *high)
{
    if (arch == RW_ARCH_AARCH64 && is_adrp(w)) {
        *reg = w & 31;
        *high = (address & ~0xfffu) + (rw_sign((w >> 5 & 0x7ffff) << 2 | (w >> 29 & 3), 21) << 12);
        return 1;
    }
    if (arch == RW_ARCH_RISCV && (is_auipc(w) || is_lui(w))) {
        *reg = w >> 7 & 31;
        *high = (w & 0xfffff000) + (is_auipc(w) ? address : 0);
        return 1;
    }
    return 0;
}

int rw_pair_low(uint32_t arch, uint32_t w, uint32_t *reg, uint32_t *low, int *last)
{
    if (arch == RW_ARCH_AARCH64 && (is_add(w) || is_access(w))) {
        *reg = w >> 5 & 31;
        *low = (w >> 10 & 0xfff) << (is_add(w) ? 0 : access_scale(w));
        *last = (w & 31) == *reg && !(is_access(w) && (w & 0x00c00000) == 0);
        return 1;
    }
    if (arch == RW_ARCH_RISCV && (is_immediate(w) || is_store(w))) {
        *reg = w >> 15 & 31;
        *low = is_store(w) ? rw_sign((w >> 25) << 5 | (w >> 7 & 31), 12) : rw_sign(w >> 20, 12);
        *last = !is_store(w) && (w >> 7 & 31) == *reg;
        return 1;
    }
    return 0;
}

int rw_pair_put_high(uint32_t arch, uint32_t *w, uint32_t address, uint32_t target)
{
    uint32_t pages;

    if (arch == RW_ARCH_AARCH64) {
        pages = rw_sign((target >> 12) - (address >> 12), 20);
        *w = (*w & 0x9f00001f) | (pages & 3) << 29 | (pages >> 2 & 0x7ffff) << 5;
        return 1;
    }
    *w = (*w & 0xfff) | ((target - (is_auipc(*w) ? address : 0) + 0x800) & 0xfffff000);
    return 1;
}

int rw_pair_put_low(uint32_t arch, uint32_t *w, uint32_t high, uint32_t target)
{
    uint32_t low = target - high, scale;

    if (arch == RW_ARCH_AARCH64) {
        scale = is_add(*w) ? 0 : access_scale(*w);
        if (low > 0xfff || (low & ((1u << scale) - 1)) != 0)
            return 0;
        *w = (*w & ~0x003ffc00u) | low >> scale << 10;
        return 1;
    }
    if (!rw_fits(low, 12))
        return 0;
    if (is_store(*w))
        *w = (*w & 0x01fff07f) | (low >> 5 & 0x7f) << 25 | (low & 31) << 7;
    else
        *w = (*w & 0x000fffff) | low << 20;
    return 1;
}
