#include "rw_host_sha256.h"

#include "../rw_sha256.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <cpuid.h>
#include <immintrin.h>

#define CAN __attribute__((target("sha,sse4.1")))
#define SSSE3_AND_SSE41 (1u << 9 | 1u << 19)
#define SHA (1u << 29)

static int ask_processor(void)
{
    unsigned int a, b, c, d;

    if (!__get_cpuid(1, &a, &b, &c, &d) || (c & SSSE3_AND_SSE41) != SSSE3_AND_SSE41)
        return 0;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & SHA) != 0;
}

/* Threads that ask at once find out the same; none sees half an answer. */
static int is_able(void)
{
    static int known = -1;
    int able = __atomic_load_n(&known, __ATOMIC_RELAXED);

    if (able < 0) {
        able = ask_processor();
        __atomic_store_n(&known, able, __ATOMIC_RELAXED);
    }
    return able;
}

/* The next four words of the schedule from the sixteen before them. */
CAN static inline __m128i next_words(const __m128i *m, int i)
{
    __m128i last = m[(i + 3) & 3];
    __m128i sum = _mm_sha256msg1_epu32(m[i & 3], m[(i + 1) & 3]);

    sum = _mm_add_epi32(sum, _mm_alignr_epi8(last, m[(i + 2) & 3], 4));
    return _mm_sha256msg2_epu32(sum, last);
}

/* The state as the instructions have it: words A B E F and C D G H, the first one highest. */
CAN static void take(__m128i state[2], const uint8_t *block)
{
    const __m128i order = _mm_set_epi64x(0x0c0d0e0f08090a0bLL, 0x0405060700010203LL);
    __m128i m[4], abef = state[0], cdgh = state[1], words;
    int i;

#pragma GCC unroll 16
    for (i = 0; i < 16; i++) {
        if (i < 4)
            m[i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)block + i), order);
        else
            m[i & 3] = next_words(m, i);
        words = _mm_loadu_si128((const __m128i *)rw_sha256_constants + i);
        words = _mm_add_epi32(m[i & 3], words);
        cdgh = _mm_sha256rnds2_epu32(cdgh, abef, words);
        abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(words, 0x0e));
    }
    state[0] = _mm_add_epi32(state[0], abef);
    state[1] = _mm_add_epi32(state[1], cdgh);
}

CAN static void take_all(uint32_t state[8], const uint8_t *blocks, uint32_t count)
{
    __m128i both[2], abcd = _mm_loadu_si128((const __m128i *)state),
                     efgh = _mm_loadu_si128((const __m128i *)state + 1);

    abcd = _mm_shuffle_epi32(abcd, 0xb1);
    efgh = _mm_shuffle_epi32(efgh, 0x1b);
    both[0] = _mm_alignr_epi8(abcd, efgh, 8);
    both[1] = _mm_blend_epi16(efgh, abcd, 0xf0);
    for (; count > 0; count--, blocks += 64)
        take(both, blocks);
    abcd = _mm_shuffle_epi32(both[0], 0x1b);
    efgh = _mm_shuffle_epi32(both[1], 0xb1);
    _mm_storeu_si128((__m128i *)state, _mm_blend_epi16(abcd, efgh, 0xf0));
    _mm_storeu_si128((__m128i *)state + 1, _mm_alignr_epi8(efgh, abcd, 8));
}

int rw_host_sha256(uint32_t state[8], const uint8_t *blocks, uint32_t count)
{
    if (!is_able())
        return 0;
    take_all(state, blocks, count);
    return 1;
}

#else

int rw_host_sha256(uint32_t state[8], const uint8_t *blocks, uint32_t count)
{
    (void)state;
    (void)blocks;
    (void)count;
    return 0;
}

#endif
