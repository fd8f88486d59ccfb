/* References: the addresses that instructions and words hold, one file per instruction set.
 *
 * rw_ref_find reads the address out of an instruction, rw_ref_put writes another one in. Both
 * look only at the bytes of the one instruction; addresses count modulo 2^32. Pairs (ADRP and
 * its ADD, AUIPC and its user) are put together in rw_pairs.c.
 */
#ifndef RW_REFS_H
#define RW_REFS_H

#include <stdint.h>

#include "rw_format.h"

enum rw_ref_kind {
    RW_REF_NONE,
    RW_REF_CALL,     /* a branch that reaches the whole image */
    RW_REF_BRANCH,   /* a branch within a function */
    RW_REF_LITERAL,  /* a load from a pool near the code */
    RW_REF_POINTER,  /* an absolute address in a word */
    RW_REF_RELATIVE, /* a word that counts from about where it stands */
    RW_REF_HIGH,     /* upper part of an address, made whole by a later instruction */
    RW_REF_LOW       /* that lower part */
};

typedef struct {
    uint32_t length; /* of the instruction, in bytes */
    uint32_t kind;
    uint32_t target; /* address it names */
} rw_ref;

/* 1 when the instruction at `p` (four readable bytes) holds an address by itself. */
int rw_ref_find(uint32_t arch, const uint8_t *p, uint32_t address, rw_ref *ref);
/* Writes `target` into the instruction; returns 0 and changes nothing when it can't. */
int rw_ref_put(uint32_t arch, uint8_t *p, uint32_t address, const rw_ref *ref, uint32_t target);

int rw_thumb_find(const uint8_t *p, uint32_t address, rw_ref *ref);
int rw_thumb_put(uint8_t *p, uint32_t address, uint32_t target);
int rw_arm_find(const uint8_t *p, uint32_t address, rw_ref *ref);
int rw_arm_put(uint8_t *p, uint32_t address, uint32_t target);
int rw_aarch64_find(const uint8_t *p, uint32_t address, rw_ref *ref);
int rw_aarch64_put(uint8_t *p, uint32_t address, uint32_t target);
int rw_riscv_find(const uint8_t *p, uint32_t address, rw_ref *ref);
int rw_riscv_put(uint8_t *p, uint32_t address, uint32_t target);
int rw_xtensa_find(const uint8_t *p, uint32_t address, rw_ref *ref);
int rw_xtensa_put(uint8_t *p, uint32_t address, uint32_t target);

static inline uint32_t rw_get16(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8;
}

static inline uint32_t rw_get32(const uint8_t *p)
{
    return rw_get16(p) | rw_get16(p + 2) << 16;
}

static inline void rw_put16(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}

static inline void rw_put32(uint8_t *p, uint32_t v)
{
    rw_put16(p, v);
    rw_put16(p + 2, v >> 16);
}

/* The lowest `bits` bits of `v` as a signed number. */
static inline uint32_t rw_sign(uint32_t v, uint32_t bits)
{
    uint32_t top = 1u << (bits - 1);

    v &= top * 2 - 1;
    return (v ^ top) - top;
}

/* Whether `v` is a signed number of `bits` bits. */
static inline int rw_fits(uint32_t v, uint32_t bits)
{
    return rw_sign(v, bits) == v;
}

/* Length in bytes of the instruction that begins with these four bytes. */
static inline uint32_t rw_instruction_length(uint32_t arch, uint32_t word)
{
    switch (arch) {
    case RW_ARCH_THUMB:
        return (word & 0xf800) >= 0xe800 ? 4 : 2;
    case RW_ARCH_RISCV:
        return (word & 3) == 3 ? 4 : 2;
    case RW_ARCH_XTENSA:
        return (word & 15) >= 8 && (word & 15) < 14 ? 2 : 3;
    default:
        return 4;
    }
}

/* A64: 0 when the instruction names no address, neither whole nor in part, which its uppermost byte
 * tells of most. */
static inline int rw_aarch64_may_refer(uint32_t word)
{
    uint32_t top = word >> 24;

    return (top & 0x1e) == 0x10 || (top & 0x7c) == 0x14 || (top & 0x7c) == 0x34 || top == 0x54
           || (top & 0x3b) == 0x18 || (top & 0x3b) == 0x39;
}

/* Granularity of instructions: their offsets are multiples of it. */
static inline uint32_t rw_instruction_step(uint32_t arch)
{
    switch (arch) {
    case RW_ARCH_THUMB:
    case RW_ARCH_RISCV:
        return 2;
    case RW_ARCH_XTENSA:
        return 1;
    default:
        return 4;
    }
}

#endif
