#include "rw_refs.h"

#include "rw_format.h"

int rw_ref_find(uint32_t arch, const uint8_t *p, uint32_t address, rw_ref *ref)
{
    switch (arch) {
    case RW_ARCH_THUMB:
        return rw_thumb_find(p, address, ref);
    case RW_ARCH_ARM:
        return rw_arm_find(p, address, ref);
    case RW_ARCH_AARCH64:
        return rw_aarch64_find(p, address, ref);
    case RW_ARCH_RISCV:
        return rw_riscv_find(p, address, ref);
    case RW_ARCH_XTENSA:
        return rw_xtensa_find(p, address, ref);
    default:
        return 0;
    }
}

static int put_word(uint8_t *p, uint32_t address, const rw_ref *ref, uint32_t target)
{
    uint32_t from = ref->kind == RW_REF_RELATIVE ? address : 0;

    rw_put32(p, target - from);
    return 1;
}

int rw_ref_put(uint32_t arch, uint8_t *p, uint32_t address, const rw_ref *ref, uint32_t target)
{
    if (ref->kind == RW_REF_POINTER || ref->kind == RW_REF_RELATIVE)
        return put_word(p, address, ref, target);
    switch (arch) {
    case RW_ARCH_THUMB:
        return rw_thumb_put(p, address, target);
    case RW_ARCH_ARM:
        return rw_arm_put(p, address, target);
    case RW_ARCH_AARCH64:
        return rw_aarch64_put(p, address, target);
    case RW_ARCH_RISCV:
        return rw_riscv_put(p, address, target);
    case RW_ARCH_XTENSA:
        return rw_xtensa_put(p, address, target);
    default:
        return 0;
    }
}
