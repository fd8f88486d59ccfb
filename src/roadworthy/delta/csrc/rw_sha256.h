/* SHA-256 (FIPS 180-4), streaming, no memory but the given context. */
#ifndef RW_SHA256_H
#define RW_SHA256_H

#include <stdint.h>

extern const uint32_t rw_sha256_constants[64];

typedef struct {
    uint32_t state[8];
    uint32_t length_low;
    uint32_t length_high;
    uint8_t block[64];
} rw_sha256;

void rw_sha256_init(rw_sha256 *sha);
void rw_sha256_update(rw_sha256 *sha, const uint8_t *data, uint32_t length);
/* Leaves `sha` as it was, so that a running hash can be looked at in the middle. */
void rw_sha256_digest(const rw_sha256 *sha, uint8_t digest[32]);
/* All at once. */
void rw_sha256_of(const uint8_t *data, uint32_t length, uint8_t digest[32]);

#endif
