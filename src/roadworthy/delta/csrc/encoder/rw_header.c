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
    uint32_t hashes = h->hash_bytes == RW_HASH_TINY ? 2 : h->hash_bytes == RW_HASH_SHORT,
             difference = fold(h->target_length - h->base_length);
    int usual = rw_sizes_are_usual(h);

    *p++ = (uint8_t)(h->version | h->backend << 4 | h->ram_class << 6);
    *p++ = (uint8_t)(h->arch | (usual ? RW_USUAL : 0) | hashes << RW_HASHES_AT
                     | h->flags << RW_FLAGS_AT);
    p = put_number(p, h->base_length);
    p = put_number(p, h->cover_count << 1 | (difference != 0));
    if (difference != 0)
        p = put_number(p, difference);
    p = put_number(p, h->payload_length);
    if (!usual)
        p = put_sizes(h, p);
    return h->flags & RW_FLAG_IN_PLACE ? put_number(p, h->shift) : p;
}

uint32_t rw_header_write(const rw_header *h, uint8_t bytes[RW_HEADER_MAX])
{
    uint32_t hash_bytes = h->hash_bytes < RW_HASH_WHOLE ? h->hash_bytes : RW_HASH_WHOLE,
             check = rw_check_size(h), i;
    uint8_t digest[32], *target, *base, *end;

    memcpy(bytes, "RW", RW_MAGIC_SIZE);
    target = put_fields(h, bytes + RW_MAGIC_SIZE);
    base = target + hash_bytes;
    end = base + hash_bytes;
    memcpy(target, h->target_sha256, hash_bytes);
    memcpy(base, h->base_sha256, hash_bytes);
    rw_sha256_of(bytes, (uint32_t)((check > 0 ? end : base) - bytes), digest);
    for (i = 0; check == 0 && i < hash_bytes; i++)
        base[i] ^= digest[i];
    memcpy(end, digest, check);
    return (uint32_t)(end - bytes) + check;
}
