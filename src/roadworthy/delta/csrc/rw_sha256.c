#include "rw_sha256.h"

#include <string.h>
#ifdef RW_HOST_SHA256
#include "host/rw_host_sha256.h"
#endif

const uint32_t rw_sha256_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t rotate(uint32_t x, int n)
{
    return (x >> n) | (x << (32 - n));
}

static void schedule(uint32_t w[64], const uint8_t *block)
{
    int i;

    for (i = 0; i < 16; i++)
        w[i] = (uint32_t)block[i * 4] << 24 | (uint32_t)block[i * 4 + 1] << 16
               | (uint32_t)block[i * 4 + 2] << 8 | block[i * 4 + 3];
    for (i = 16; i < 64; i++) {
        uint32_t a = w[i - 15], b = w[i - 2];
        w[i] = w[i - 16] + (rotate(a, 7) ^ rotate(a, 18) ^ (a >> 3)) + w[i - 7]
               + (rotate(b, 17) ^ rotate(b, 19) ^ (b >> 10));
    }
}

/* One round; the words keep their places, and their names move instead. */
#define ROUND(a, b, c, d, e, f, g, h, i)                                                           \
    do {                                                                                           \
        uint32_t t = (h) + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25))                          \
                     + ((g) ^ ((e) & ((f) ^ (g)))) + rw_sha256_constants[i] + w[i];                     \
        (d) += t;                                                                                  \
        (h) = t + (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22))                                   \
              + (((a) & (b)) | ((c) & ((a) | (b))));                                               \
    } while (0)

static void compress(uint32_t state[8], const uint8_t *block)
{
    uint32_t w[64], a = state[0], b = state[1], c = state[2], d = state[3], e = state[4],
                    f = state[5], g = state[6], h = state[7];
    int i;

    schedule(w, block);
    for (i = 0; i < 64; i += 8) {
        ROUND(a, b, c, d, e, f, g, h, i);
        ROUND(h, a, b, c, d, e, f, g, i + 1);
        ROUND(g, h, a, b, c, d, e, f, i + 2);
        ROUND(f, g, h, a, b, c, d, e, i + 3);
        ROUND(e, f, g, h, a, b, c, d, i + 4);
        ROUND(d, e, f, g, h, a, b, c, i + 5);
        ROUND(c, d, e, f, g, h, a, b, i + 6);
        ROUND(b, c, d, e, f, g, h, a, i + 7);
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
    state[4] += e;
    state[5] += f;
    state[6] += g;
    state[7] += h;
}

static void compress_all(uint32_t state[8], const uint8_t *blocks, uint32_t count)
{
#ifdef RW_HOST_SHA256
    if (rw_host_sha256(state, blocks, count))
        return;
#endif
    for (; count > 0; count--, blocks += 64)
        compress(state, blocks);
}

void rw_sha256_init(rw_sha256 *sha)
{
    static const uint32_t start[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

    memset(sha, 0, sizeof *sha);
    memcpy(sha->state, start, sizeof start);
}

void rw_sha256_update(rw_sha256 *sha, const uint8_t *data, uint32_t length)
{
    uint32_t used = sha->length_low & 63, room;

    if (sha->length_low + length < length)
        sha->length_high++;
    sha->length_low += length;
    while (length > 0) {
        if (used == 0 && length >= 64) {
            compress_all(sha->state, data, length / 64);
            data += length & ~63u;
            length &= 63;
            continue;
        }
        room = 64 - used < length ? 64 - used : length;
        memcpy(sha->block + used, data, room);
        used = (used + room) & 63;
        data += room;
        length -= room;
        if (used == 0)
            compress_all(sha->state, sha->block, 1);
    }
}

void rw_sha256_digest(const rw_sha256 *sha, uint8_t digest[32])
{
    rw_sha256 last = *sha;
    uint8_t tail[8];
    uint32_t high = sha->length_high << 3 | sha->length_low >> 29, low = sha->length_low << 3;
    static const uint8_t padding[64] = {0x80};
    uint32_t used = sha->length_low & 63;
    int i;

    for (i = 0; i < 4; i++) {
        tail[i] = (uint8_t)(high >> (24 - 8 * i));
        tail[4 + i] = (uint8_t)(low >> (24 - 8 * i));
    }
    rw_sha256_update(&last, padding, used < 56 ? 56 - used : 120 - used);
    rw_sha256_update(&last, tail, 8);
    for (i = 0; i < 32; i++)
        digest[i] = (uint8_t)(last.state[i / 4] >> (24 - 8 * (i % 4)));
}

void rw_sha256_of(const uint8_t *data, uint32_t length, uint8_t digest[32])
{
    rw_sha256 sha;

    rw_sha256_init(&sha);
    rw_sha256_update(&sha, data, length);
    rw_sha256_digest(&sha, digest);
}
