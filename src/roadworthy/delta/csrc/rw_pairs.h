/* Addresses that two instructions make together: ADRP and its user (A64), AUIPC or LUI and its
 * user (RISC-V). */
#ifndef RW_PAIRS_H
#define RW_PAIRS_H

#include <stdint.h>

enum { RW_PAIR_REACH = 64 /* bytes between the two halves */ };

/* 1 when the instruction makes the upper part of an address: into which register, and what. */
int rw_pair_high(uint32_t arch, uint32_t word, uint32_t address, uint32_t *reg, uint32_t *high);
/* 1 when it uses a lower part: of which register, and what; *last when it overwrites it. */
int rw_pair_low(uint32_t arch, uint32_t word, uint32_t *reg, uint32_t *low, int *last);
/* Writes the upper part of `target`; returns 0 and changes nothing when it can't. */
int rw_pair_put_high(uint32_t arch, uint32_t *word, uint32_t address, uint32_t target);
/* Writes the lower part, target - high. */
int rw_pair_put_low(uint32_t arch, uint32_t *word, uint32_t high, uint32_t target);

#endif
