#include "rw_header.h"

#include <string.h>

#include "rw_engine.h"
#include "rw_sha256.h"

static uint8_t *put_number(uint8_t *p, uint32_t value)
{
    for (; value >> RW_NUMBER_BITS != 0; value >>= RW_NUMBER_BITS)
        *p++ = (uint8_t)(value | 1u << RW_NUMBER_BITS);
    *p++ = (uint8_t)value;
    return p;
}

static uint32_t fold(uint32_t difference)
{
    return difference << 1 ^ (0u - (difference >> 31));
}

static uint8_t *put_sizes(const rw_header *h, uint8_t *p)
{
    *p++ = (uint8_t)(h->step_bits - RW_STEP_BITS_MIN);
    *p++ = h->window_bits;
    *p++ = h->index_bits;
    if (h->arch != RW_ARCH_NONE)
        *p++ = h->memo_bits;
    return put_number(p, h->slot_count / RW_SLOT_LINE);
}

static uint8_t *put_fields(const rw_header *h, uint8_t *p)
{
    uint32_t hashes = h->hash_bytes == RW_HASH_TINY ? 2 : h->hash_bytes == RW_HASH_SHORT;
    int usual = rw_sizes_are_usual(h);

    *p++ = (uint8_t)(h->version | h->backend << 4 | h->ram_class << 6);
    *p++ = (uint8_t)(h->arch | (usual ? RW_USUAL : 0) | hashes << RW_HASHES_AT
                     | h->flags << RW_FLAGS_AT);
    p = put_number(p, h->base_length);
    p = put_number(p, fold(h->target_length - h->base_length));
    p = put_number(p, h->payload_length);
    p = put_number(p, h->cover_count);
    if (!usual)
        p = put_sizes(h, p);
    return h->flags & RW_FLAG_IN_PLACE ? put_number(p, h->shift) : p;
}

uint32_t rw_header_write(const rw_header *h, uint8_t bytes[RW_HEADER_MAX])
{
    uint32_t hash_bytes = h->hash_bytes < RW_HASH_WHOLE ? h->hash_bytes : RW_HASH_WHOLE;
    uint8_t digest[32], *p;
    rw_sha256 sha;

    memcpy(bytes, "RW", RW_MAGIC_SIZE);
    p = put_fields(h, bytes + RW_MAGIC_SIZE);
    memcpy(p, h->base_sha256, hash_bytes);
    memcpy(p + hash_bytes, h->target_sha256, hash_bytes);
    p += 2 * hash_bytes;
    rw_sha256_init(&sha);
    rw_sha256_update(&sha, bytes, (size_t)(p - bytes));
    rw_sha256_digest(&sha, digest);
    memcpy(p, digest, rw_check_size(h));
    return (uint32_t)(p - bytes) + rw_check_size(h);
}
