#include "rw_format.h"

#include <string.h>

#include "rw_engine.h"
#include "rw_sha256.h"

static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void put32(uint8_t *p, uint32_t v)
{
    int i;

    for (i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (8 * i));
}

uint32_t rw_class_size(uint32_t ram_class)
{
    static const uint32_t sizes[RW_RAM_CLASSES] = {60u << 10, 240u << 10, 4u << 20};

    return ram_class < RW_RAM_CLASSES ? sizes[ram_class] : 0;
}

static int checksum_matches(const uint8_t *bytes)
{
    rw_sha256 sha;
    uint8_t digest[32];

    rw_sha256_init(&sha);
    rw_sha256_update(&sha, bytes, RW_HEADER_SIZE - 4);
    rw_sha256_digest(&sha, digest);
    return memcmp(digest, bytes + RW_HEADER_SIZE - 4, 4) == 0;
}

static int in_range(const rw_header *h)
{
    if (h->step_bits < 12 || h->step_bits > 24 || h->flags > 3)
        return 0;
    if (h->memo_bits > 20 || h->window_bits > 22 || h->index_bits > 20)
        return 0;
    if ((h->index_bits > 0 && h->window_bits == 0) || h->slot_count % RW_SLOT_LINE != 0)
        return 0;
    if (h->cover_count > (1u << 20) || h->slot_count < RW_SLOT_LINE || h->slot_count > (1u << 20))
        return 0;
    if (h->payload_length > UINT32_MAX - RW_HEADER_SIZE)
        return 0;
    if (h->shift > UINT32_MAX - h->base_length || (h->shift > 0 && !(h->flags & RW_FLAG_IN_PLACE)))
        return 0;
    return rw_workspace_size(h) <= rw_class_size(h->ram_class);
}

int rw_header_read(rw_header *h, const uint8_t bytes[RW_HEADER_SIZE])
{
    static const uint8_t zeros[3] = {0};

    if (memcmp(bytes, "RWDP", 4) != 0 || memcmp(bytes + 13, zeros, sizeof zeros) != 0
        || !checksum_matches(bytes))
        return RW_MALFORMED;
    h->version = bytes[4];
    h->backend = bytes[5];
    h->ram_class = bytes[6];
    h->arch = bytes[7];
    h->step_bits = bytes[8];
    h->flags = bytes[9];
    h->memo_bits = bytes[10];
    h->window_bits = bytes[11];
    h->index_bits = bytes[12];
    h->base_length = get32(bytes + 16);
    h->target_length = get32(bytes + 20);
    h->payload_length = get32(bytes + 24);
    h->cover_count = get32(bytes + 28);
    h->slot_count = get32(bytes + 32);
    h->shift = get32(bytes + 36);
    memcpy(h->base_sha256, bytes + 40, 32);
    memcpy(h->target_sha256, bytes + 72, 32);
    if (h->version != RW_FORMAT_VERSION || h->backend > RW_BACKEND_FAST
        || h->ram_class >= RW_RAM_CLASSES || h->arch > RW_ARCH_LAST)
        return RW_UNSUPPORTED;
    return in_range(h) ? RW_OK : RW_MALFORMED;
}

void rw_header_write(const rw_header *h, uint8_t bytes[RW_HEADER_SIZE])
{
    rw_sha256 sha;
    uint8_t digest[32];

    memset(bytes, 0, RW_HEADER_SIZE);
    memcpy(bytes, "RWDP", 4);
    bytes[4] = h->version;
    bytes[5] = h->backend;
    bytes[6] = h->ram_class;
    bytes[7] = h->arch;
    bytes[8] = h->step_bits;
    bytes[9] = h->flags;
    bytes[10] = h->memo_bits;
    bytes[11] = h->window_bits;
    bytes[12] = h->index_bits;
    put32(bytes + 16, h->base_length);
    put32(bytes + 20, h->target_length);
    put32(bytes + 24, h->payload_length);
    put32(bytes + 28, h->cover_count);
    put32(bytes + 32, h->slot_count);
    put32(bytes + 36, h->shift);
    memcpy(bytes + 40, h->base_sha256, 32);
    memcpy(bytes + 72, h->target_sha256, 32);
    rw_sha256_init(&sha);
    rw_sha256_update(&sha, bytes, RW_HEADER_SIZE - 4);
    rw_sha256_digest(&sha, digest);
    memcpy(bytes + RW_HEADER_SIZE - 4, digest, 4);
}

uint32_t rw_workspace_size(const rw_header *h)
{
    uint64_t size = rw_layout_size(h);

    return size > 0xffffffffu ? 0xffffffffu : (uint32_t)size;
}
