/* Probabilities as integers, the same on every machine.
 *
 * A probability is 16 bits wide (65536 = certain). Models are mixed in the logistic domain:
 * stretch(p) = ln(p / (1 - p)) in units of 1/256, squash is its inverse. Right shifts of
 * negative numbers are arithmetic in every compiler that this is built with (checked by the
 * round-trip tests of each build).
 */
#ifndef RW_MATH_H
#define RW_MATH_H

#include <stdint.h>

#define RW_STRETCH_MAX 3071

extern const int16_t rw_stretch_table[512];
extern const uint16_t rw_squash_table[98];

static inline uint32_t rw_log2(uint32_t x)
{
#if defined(__GNUC__)
    return 31u - (uint32_t)__builtin_clz(x | 1u);
#else
    uint32_t n = 0;
    while (x >>= 1)
        n++;
    return n;
#endif
}

static inline int32_t rw_stretch(uint32_t p16)
{
    uint32_t q = p16 < 32768 ? p16 : 65536 - p16;
    uint32_t e, mantissa;
    int32_t s;

    if (q == 0)
        q = 1;
    e = rw_log2(q);
    mantissa = e >= 5 ? q >> (e - 5) : q << (5 - e);
    s = rw_stretch_table[(e << 5 | (mantissa & 31)) & 511];
    return p16 < 32768 ? s : -s;
}

static inline uint32_t rw_squash(int32_t x)
{
    uint32_t a = (uint32_t)(x < 0 ? -x : x), i, v;

    if (a > RW_STRETCH_MAX)
        a = RW_STRETCH_MAX;
    i = a >> 5;
    v = rw_squash_table[i]
        + (((uint32_t)(rw_squash_table[i + 1] - rw_squash_table[i]) * (a & 31)) >> 5);
    return x < 0 ? 65536 - v : v;
}

static inline uint32_t rw_hash(uint32_t a, uint32_t b)
{
    uint32_t h = a * 0x9E3779B1u ^ (b + 0x7F4A7C15u) * 0x85EBCA6Bu;

    h ^= h >> 15;
    h *= 0x2C1B3C6Du;
    return h ^ h >> 13;
}

#endif
