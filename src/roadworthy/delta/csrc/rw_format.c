#include "rw_format.h"

#include <string.h>

#include "rw_engine.h"
#include "rw_math.h"
#include "rw_sha256.h"

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

uint32_t rw_check_size(const rw_header *h)
{
    return h->hash_bytes == RW_HASH_TINY ? 0 : 4;
}

/* The hashes and what checks the header: where they are tiny, the mask of the base's hash. */
static int read_hashes(rw_header *h, const uint8_t *bytes, uint32_t at)
{
    uint32_t size = h->hash_bytes, check = rw_check_size(h), i;
    uint8_t digest[32];

    memcpy(h->target_sha256, bytes + at, size);
    memcpy(h->base_sha256, bytes + at + size, size);
    rw_sha256_of(bytes, h->size - (check > 0 ? check : size), digest);
    for (i = 0; check == 0 && i < size; i++)
        h->base_sha256[i] ^= digest[i];
    return memcmp(digest, bytes + h->size - check, check) == 0;
}

static int in_range(const rw_header *h)
{
    if (h->step_bits < RW_STEP_BITS_MIN || h->step_bits > 24 || h->flags > 3)
        return 0;
    if (h->hash_bytes != RW_HASH_TINY && h->hash_bytes != RW_HASH_SHORT
        && h->hash_bytes != RW_HASH_WHOLE)
        return 0;
    if (h->hash_bytes == RW_HASH_TINY && h->payload_length >= RW_TINY_PAYLOAD)
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

uint8_t rw_bits_for(uint64_t n, uint32_t most)
{
    uint32_t bits = n >> most == 0 ? rw_log2((uint32_t)n) + 1 : most;

    return (uint8_t)bits;
}

/* With the mixing back end half of what its contexts take if all are new. */
uint64_t rw_slots_wanted(const rw_header *h)
{
    return (uint64_t)h->target_length * (h->backend == RW_BACKEND_FAST ? 16 : 64) + 16384;
}

void rw_usual_sizes(rw_header *h)
{
    static const uint8_t memo[RW_RAM_CLASSES] = {9, 12, 16}, window[RW_RAM_CLASSES] = {11, 14, 18},
                         far_window[RW_RAM_CLASSES] = {12, 16, 20},
                         index[RW_RAM_CLASSES] = {9, 12, 17},
                         slots[RW_RAM_CLASSES] = {12, 14, 19};
    uint32_t class = h->ram_class, is_fast = h->backend == RW_BACKEND_FAST;
    uint64_t target = h->target_length, wanted = rw_slots_wanted(h);

    h->step_bits = h->flags & RW_FLAG_IN_PLACE ? 16 : 22;
    h->memo_bits = h->window_bits = h->index_bits = 0;
    h->slot_count = RW_SLOT_LINE;
    if (h->backend == RW_BACKEND_STORED)
        return;
    if (h->arch != RW_ARCH_NONE)
        h->memo_bits = rw_bits_for(target / 16 + 64, memo[class]);
    h->window_bits = rw_bits_for(target + 64, (is_fast ? far_window : window)[class]);
    if (!is_fast)
        h->index_bits = rw_bits_for(target + h->base_length + 64, index[class]);
    h->slot_count = wanted >> slots[class] != 0 ? 1u << slots[class]
                                                : (uint32_t)wanted & ~(RW_SLOT_LINE - 1);
}

int rw_sizes_are_usual(const rw_header *h)
{
    rw_header usual = *h;

    rw_usual_sizes(&usual);
    return usual.step_bits == h->step_bits && usual.window_bits == h->window_bits
           && usual.index_bits == h->index_bits && usual.memo_bits == h->memo_bits
           && usual.slot_count == h->slot_count;
}

static void read_sizes(rw_header *h, reader *r)
{
    uint32_t lines;

    h->step_bits = (uint8_t)(RW_STEP_BITS_MIN + get_byte(r));
    h->window_bits = get_byte(r);
    h->index_bits = get_byte(r);
    h->memo_bits = h->arch != RW_ARCH_NONE ? get_byte(r) : 0;
    lines = get_number(r);
    h->slot_count = lines > RW_SLOTS_MAX / RW_SLOT_LINE ? 0 : lines * RW_SLOT_LINE;
    r->flawed |= h->ram_class < RW_RAM_CLASSES && rw_sizes_are_usual(h);
}

static void read_fields(rw_header *h, reader *r)
{
    static const uint8_t hash_bytes[] = {RW_HASH_WHOLE, RW_HASH_SHORT, RW_HASH_TINY,
                                         RW_HASH_TINY};
    uint32_t kind = get_byte(r), code = get_byte(r), covers, difference;

    h->version = kind & 15;
    h->backend = kind >> 4 & 3;
    h->ram_class = (uint8_t)(kind >> 6);
    h->arch = code & 7;
    h->hash_bytes = hash_bytes[code >> RW_HASHES_AT & 3];
    r->flawed |= (code >> RW_HASHES_AT & 3) == 3;
    h->flags = (uint8_t)(code >> RW_FLAGS_AT);
    h->base_length = get_number(r);
    covers = get_number(r);
    difference = covers & 1 ? get_number(r) : 0;
    r->flawed |= covers & 1 && difference == 0;
    h->target_length = h->base_length + unfold(difference);
    h->cover_count = covers >> 1;
    h->payload_length = get_number(r);
    if (!(code & RW_USUAL))
        read_sizes(h, r);
    else if (h->ram_class < RW_RAM_CLASSES)
        rw_usual_sizes(h);
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
    h->size = (uint16_t)(r.at + 2u * h->hash_bytes + rw_check_size(h));
    if (h->size > length)
        return RW_NEED_INPUT;
    if (r.flawed || !read_hashes(h, bytes, r.at))
        return RW_MALFORMED;
    return rw_header_check(h);
}

uint32_t rw_workspace_size(const rw_header *h)
{
    uint64_t size = rw_layout_size(h);

    return size > 0xffffffffu ? 0xffffffffu : (uint32_t)size;
}
