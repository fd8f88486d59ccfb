#include "rw_format.h"

#include <string.h>

#include "rw_engine.h"
#include "rw_sha256.h"

#define INDEX_HALF 32u /* in the byte of the index bits: short hashes are half as long */

/* Bytes of a header on their way; those after its end count as 0. */
typedef struct {
    const uint8_t *bytes;
    uint32_t length, at;
    int flawed;
} reader;

static uint32_t get_byte(reader *r)
{
    uint32_t at = r->at++;

    return at < r->length ? r->bytes[at] : 0;
}

static uint32_t get_number(reader *r)
{
    uint32_t value = 0, shift = 0, byte;

    do {
        byte = get_byte(r);
        value |= (byte & 127) << shift;
        shift += RW_NUMBER_BITS;
    } while (byte > 127 && shift < 32);
    /* In the fifth byte four bits are left; a last byte of 0 says nothing. */
    if ((shift > 32 && byte > 15) || (shift > RW_NUMBER_BITS && byte == 0))
        r->flawed = 1;
    return value;
}

/* Differences of either sign as numbers, small ones as small numbers. */
static uint32_t unfold(uint32_t number)
{
    return number >> 1 ^ (0u - (number & 1));
}

uint32_t rw_class_size(uint32_t ram_class)
{
    static const uint32_t sizes[RW_RAM_CLASSES] = {60u << 10, 240u << 10, 4u << 20};

    return ram_class < RW_RAM_CLASSES ? sizes[ram_class] : 0;
}

static int checksum_matches(const uint8_t *bytes, uint32_t length)
{
    rw_sha256 sha;
    uint8_t digest[32];

    rw_sha256_init(&sha);
    rw_sha256_update(&sha, bytes, length);
    rw_sha256_digest(&sha, digest);
    return memcmp(digest, bytes + length, RW_CHECK_SIZE) == 0;
}

static int in_range(const rw_header *h)
{
    if (h->step_bits < RW_STEP_BITS_MIN || h->step_bits > 24 || h->flags > 3)
        return 0;
    if (h->hash_bytes != RW_HASH_HALF && h->hash_bytes != RW_HASH_SHORT
        && h->hash_bytes != RW_HASH_WHOLE)
        return 0;
    if (h->memo_bits > 20 || h->window_bits > 22 || h->index_bits > 20)
        return 0;
    if ((h->index_bits > 0 && h->window_bits == 0) || h->slot_count % RW_SLOT_LINE != 0)
        return 0;
    if (h->slot_count < RW_SLOT_LINE || h->slot_count > RW_SLOTS_MAX || h->size > RW_HEADER_MAX)
        return 0;
    if (h->backend == RW_BACKEND_FAST && h->slot_count < RW_FAST_SLOTS_MIN)
        return 0;
    if (h->backend != RW_BACKEND_MIXING && (h->index_bits > 0 || (h->flags & RW_FLAG_PRIMED)))
        return 0;
    if (h->cover_count > (1u << 20) || h->payload_length > UINT32_MAX - RW_HEADER_MAX)
        return 0;
    if (h->shift > UINT32_MAX - h->base_length)
        return 0;
    return rw_workspace_size(h) <= rw_class_size(h->ram_class);
}

int rw_header_check(const rw_header *h)
{
    if (h->version != RW_FORMAT_VERSION || h->backend > RW_BACKEND_LAST
        || h->ram_class >= RW_RAM_CLASSES || h->arch > RW_ARCH_LAST)
        return RW_UNSUPPORTED;
    return in_range(h) ? RW_OK : RW_MALFORMED;
}

static void read_fields(rw_header *h, reader *r)
{
    uint32_t kind = get_byte(r), code = get_byte(r), window = get_byte(r), index = get_byte(r);
    uint32_t lines;

    h->version = kind & 15;
    h->backend = kind >> 4 & 3;
    h->ram_class = (uint8_t)(kind >> 6);
    h->arch = code & 15;
    h->step_bits = (uint8_t)(RW_STEP_BITS_MIN + (code >> 4));
    h->window_bits = window & 31;
    h->flags = window >> 5 & 3;
    h->hash_bytes = index & INDEX_HALF ? RW_HASH_HALF
                    : window >> 7      ? RW_HASH_SHORT
                                       : RW_HASH_WHOLE;
    r->flawed |= (index & INDEX_HALF) != 0 && window >> 7 == 0;
    h->index_bits = (uint8_t)(index & ~INDEX_HALF);
    h->memo_bits = (uint8_t)(h->arch != RW_ARCH_NONE ? get_byte(r) : 0);
    h->base_length = get_number(r);
    h->target_length = h->base_length + unfold(get_number(r));
    h->payload_length = get_number(r);
    h->cover_count = get_number(r);
    lines = get_number(r);
    h->slot_count = lines > RW_SLOTS_MAX / RW_SLOT_LINE ? 0 : lines * RW_SLOT_LINE;
    h->shift = h->flags & RW_FLAG_IN_PLACE ? get_number(r) : 0;
}

int rw_header_read(rw_header *h, const uint8_t *bytes, uint32_t length)
{
    reader r = {bytes, length, RW_MAGIC_SIZE, 0};

    memset(h, 0, sizeof *h);
    h->size = RW_HEADER_MIN;
    if (length < RW_HEADER_MIN)
        return RW_NEED_INPUT;
    if (memcmp(bytes, "RW", RW_MAGIC_SIZE) != 0)
        return RW_MALFORMED;
    if ((bytes[RW_MAGIC_SIZE] & 15) != RW_FORMAT_VERSION)
        return RW_UNSUPPORTED; /* what follows may mean anything */
    read_fields(h, &r);
    h->size = (uint16_t)(r.at + 2u * h->hash_bytes + RW_CHECK_SIZE);
    if (h->size > length)
        return RW_NEED_INPUT;
    if (r.flawed || !checksum_matches(bytes, h->size - RW_CHECK_SIZE))
        return RW_MALFORMED;
    memcpy(h->base_sha256, bytes + r.at, h->hash_bytes);
    memcpy(h->target_sha256, bytes + r.at + h->hash_bytes, h->hash_bytes);
    return rw_header_check(h);
}

uint32_t rw_workspace_size(const rw_header *h)
{
    uint64_t size = rw_layout_size(h);

    return size > 0xffffffffu ? 0xffffffffu : (uint32_t)size;
}
