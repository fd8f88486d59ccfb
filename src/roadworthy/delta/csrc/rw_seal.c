#include "rw_seal.h"

#include <string.h>

#define NO_OTHER 64512u /* chance, of 65536, that there is no other seal */
#define CRC32_SIZE 4u
#define FIELD 7u /* of the numbers, and what they are apart by */
#define BYTES_BEHIND 3u
#define BYTES_BETWEEN 4u

uint32_t rw_seal_size(uint32_t kind)
{
    return kind == RW_SEAL_SHA256 ? RW_HASH_WHOLE : CRC32_SIZE;
}

uint32_t rw_crc32(uint32_t crc, const uint8_t *bytes, uint32_t length)
{
    /* What four bits do to the rest (the polynomial, reflected, is the one of 8). */
    static const uint32_t table[16] = {
        0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
        0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
        0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c};
    uint32_t i;

    crc = ~crc;
    for (i = 0; i < length; i++) {
        crc ^= bytes[i];
        crc = crc >> 4 ^ table[crc & 15];
        crc = crc >> 4 ^ table[crc & 15];
    }
    return ~crc;
}

void rw_seal_make(uint32_t kind, const rw_sha256 *sha, uint32_t crc, uint8_t seal[32])
{
    uint32_t i;

    if (kind == RW_SEAL_SHA256)
        rw_sha256_digest(sha, seal);
    else
        for (i = 0; i < CRC32_SIZE; i++)
            seal[i] = (uint8_t)(crc >> 8 * (kind == RW_SEAL_CRC32_BIG ? CRC32_SIZE - 1 - i : i));
}

/* The first byte after the seals up to number `count`. */
static uint32_t end_of_seals(const rw_engine *e, uint32_t count)
{
    return count == 0 ? 0 : e->seal[count - 1].at + rw_seal_size(e->seal[count - 1].kind);
}

static int in_range(const rw_engine *e, uint32_t i)
{
    const rw_seal *s = e->seal + i;
    uint32_t length = e->header.target_length;

    return s->kind < RW_SEAL_KINDS && s->end >= end_of_seals(e, i) && s->at >= s->end
           && s->at <= length && length - s->at >= rw_seal_size(s->kind);
}

int rw_code_seal(rw_view *view)
{
    rw_engine *e = view->engine;
    rw_seal *s = e->seal + e->counter;
    uint32_t last;

    if (e->counter == RW_SEALS || rw_code_bit(view, NO_OTHER, e->counter == e->seal_count)) {
        e->seal_count = e->counter;
        e->counter = 0;
        return 1;
    }
    s->kind = rw_code_raw(view, s->kind, 2);
    last = e->header.target_length - rw_seal_size(s->kind);
    s->at = last - rw_code_number(view, FIELD, BYTES_BEHIND, last - s->at);
    s->end = s->at - rw_code_number(view, FIELD, BYTES_BETWEEN, s->at - s->end);
    return in_range(e, e->counter++) ? 0 : RW_MALFORMED;
}

int rw_seals_in_range(const rw_engine *e)
{
    uint32_t count = e->phase == RW_PHASE_SEALS ? e->counter : e->seal_count, i;

    if (count > RW_SEALS || e->seals_made > e->seal_count)
        return 0;
    for (i = 0; i < count; i++)
        if (!in_range(e, i))
            return 0;
    return 1;
}

uint32_t rw_seal_left(const rw_engine *e)
{
    return e->seals_made < e->seal_count ? e->seal[e->seals_made].end - e->position : UINT32_MAX;
}

void rw_seal_hash(rw_engine *e, const uint8_t *bytes, uint32_t length)
{
    rw_sha256_update(&e->sha, bytes, length);
    if (e->seals_made < e->seal_count)
        e->crc = rw_crc32(e->crc, bytes, length);
}

void rw_seal_next(rw_engine *e)
{
    rw_seal_make(e->seal[e->seals_made].kind, &e->sha, e->crc, e->seal_bytes);
    e->seals_made++;
}

void rw_seal_put(const rw_engine *e, uint32_t from, uint8_t *bytes, uint32_t length)
{
    const rw_seal *s;
    uint32_t i;

    if (e->seals_made == 0)
        return;
    s = e->seal + e->seals_made - 1;
    for (i = 0; i < length; i++)
        if (from + i - s->at < rw_seal_size(s->kind))
            bytes[i] = e->seal_bytes[from + i - s->at];
}
