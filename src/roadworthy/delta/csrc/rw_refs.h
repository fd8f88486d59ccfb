/* References: the addresses that instructions and words hold, one file per instruction set.
 *
 * rw_ref_find reads the address out of an instruction, rw_ref_put writes another one in. Both
 * look only at the bytes of the one instruction; addresses count modulo 2^32. Pairs (ADRP and
 * its ADD, AUIPC and its user) are put together in rw_pairs.c.
 */
#ifndef RW_REFS_H
#define RW_REFS_H

#include <stdint.h>

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

/* Length in bytes of the instruction at `p`, which has four readable bytes. */
uint32_t rw_instruction_length(uint32_t arch, const uint8_t *p);
/* Granularity of instructions: their offsets are multiples of it. */
uint32_t rw_instruction_step(uint32_t arch);
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

#endif
