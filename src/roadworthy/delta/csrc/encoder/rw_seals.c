#include "rw_seals.h"

#include <stdlib.h>
#include <string.h>

#include "rw_seal.h"

#define REACH (68u << 10) /* bytes from the end of what is hashed to the end of the target */
#define BETWEEN 64u       /* bytes from there to the seal: tags, lengths */
#define IMAGE_MAX (64u << 20)
#define WORTH 3u          /* bytes that differ from the base's, from which a seal is shorter */

/* The byte that the base has as far from its end. */
static uint8_t base_byte(const rw_encode_job *job, uint32_t at)
{
    uint32_t from_end = job->target_length - at;

    return from_end <= job->base_length ? job->base[job->base_length - from_end] : 0;
}

static int is_worth_it(const rw_encode_job *job, const rw_seal *seal)
{
    uint32_t i, different = 0;

    for (i = 0; i < rw_seal_size(seal->kind); i++)
        different += job->target[seal->at + i] != base_byte(job, seal->at + i);
    return different >= WORTH;
}

/* Whether the target has these bytes shortly after `seal->end`: sets where. */
static int find_bytes(const rw_encode_job *job, rw_seal *seal, const uint8_t *bytes)
{
    uint32_t size = rw_seal_size(seal->kind), i;

    for (i = 0; i <= BETWEEN; i++) {
        seal->at = seal->end + i;
        if (job->target_length - seal->at < size)
            return 0;
        if (job->target[seal->at] == bytes[0] && memcmp(job->target + seal->at, bytes, size) == 0)
            return is_worth_it(job, seal);
    }
    return 0;
}

/* Tries each kind of seal of the first `end` bytes; returns the first byte after it, or `end`. */
static uint32_t add_seal(rw_seals *seals, const rw_encode_job *job, uint32_t end,
                         const rw_sha256 *sha, uint32_t crc)
{
    uint8_t bytes[RW_HASH_WHOLE];
    rw_seal *seal = seals->seal + seals->count;

    seal->end = end;
    for (seal->kind = 0; seal->kind < RW_SEAL_KINDS; seal->kind++) {
        rw_seal_make(seal->kind, sha, crc, bytes);
        if (find_bytes(job, seal, bytes)) {
            seals->count++;
            return seal->at + rw_seal_size(seal->kind);
        }
    }
    return end;
}

static void find_all(rw_seals *seals, const rw_encode_job *job)
{
    uint32_t length = job->target_length, end = length > REACH ? length - REACH : 0, next = end;
    uint32_t crc = rw_crc32(0, job->target, end);
    rw_sha256 sha;

    rw_sha256_init(&sha);
    rw_sha256_update(&sha, job->target, end);
    for (; end < length && seals->count < RW_SEALS; end++) {
        if (end > 0 && end >= next)
            next = add_seal(seals, job, end, &sha, crc);
        rw_sha256_update(&sha, job->target + end, 1);
        crc = rw_crc32(crc, job->target + end, 1);
    }
}

/* Makes the copy that has the base's bytes in place of the seals. */
static int open_seals(rw_seals *seals, const rw_encode_job *job)
{
    uint32_t i, k;

    seals->open = seals->copy = malloc(job->target_length);
    if (seals->copy == 0)
        return RW_NO_MEMORY;
    memcpy(seals->copy, job->target, job->target_length);
    for (i = 0; i < seals->count; i++)
        for (k = 0; k < rw_seal_size(seals->seal[i].kind); k++)
            seals->copy[seals->seal[i].at + k] = base_byte(job, seals->seal[i].at + k);
    return RW_OK;
}

int rw_seals_find(rw_seals *seals, const rw_encode_job *job)
{
    memset(seals, 0, sizeof *seals);
    seals->target = seals->open = job->target;
    if (job->target_length > IMAGE_MAX || job->backend == RW_BACKEND_STORED)
        return RW_OK;
    find_all(seals, job);
    return seals->count > 0 ? open_seals(seals, job) : RW_OK;
}

void rw_seals_free(rw_seals *seals)
{
    free(seals->copy);
}
