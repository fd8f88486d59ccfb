/* Equal blocks of two images, wherever they are: a rolling hash over the target is looked up in
 * a table of the base's aligned blocks, and what is found grows in both directions. */
#include <stdlib.h>
#include <string.h>

#include "rw_plan.h"

#define ROOM 1024u /* for covers, at first */
#define BLOCK 1024u
#define MULTIPLIER 0x9E3779B97F4A7C15u
#define BRIDGE_MAX 4096u /* a change in place, this long at most, does not end a cover */

typedef struct {
    const rw_encode_job *job;
    uint32_t *table; /* number of a base block + 1 */
    uint32_t bits;
    uint64_t leaving; /* what a byte weighs when it leaves the block */
    uint32_t run[256], run_length[256]; /* longest run of each byte in the base */
    rw_cover *covers;
    uint32_t count, room;
    int failed;
} blocks_t;

static uint64_t hash_block(const uint8_t *p)
{
    uint64_t h = 0;
    uint32_t i;

    for (i = 0; i < BLOCK; i++)
        h = h * MULTIPLIER + p[i] + 1;
    return h;
}

static uint32_t slot_of(const blocks_t *b, uint64_t hash)
{
    return (uint32_t)((hash ^ hash >> 29) * 0xBF58476D1CE4E5B9u >> (64 - b->bits));
}

static int is_run(const uint8_t *p)
{
    return memcmp(p, p + 1, BLOCK - 1) == 0;
}

/* A table twice as large as the number of blocks; equal blocks are kept once. */
static int index_base(blocks_t *b)
{
    const rw_encode_job *job = b->job;
    uint32_t blocks = job->base_length / BLOCK, mask, i, at;

    b->bits = rw_log2(blocks + 1) + 2;
    mask = (1u << b->bits) - 1;
    b->table = calloc((size_t)1 << b->bits, sizeof *b->table);
    if (b->table == 0)
        return RW_NO_MEMORY;
    for (i = 0; i < blocks; i++) {
        const uint8_t *p = job->base + (size_t)i * BLOCK;

        if (i * BLOCK % REPORT_BYTES == 0 && rw_report(job, 20) != RW_OK)
            return RW_CALLBACK;
        if (is_run(p))
            continue;
        for (at = slot_of(b, hash_block(p)); b->table[at] != 0; at = (at + 1) & mask)
            if (memcmp(p, job->base + (size_t)(b->table[at] - 1) * BLOCK, BLOCK) == 0)
                break;
        if (b->table[at] == 0)
            b->table[at] = i + 1;
    }
    return RW_OK;
}

static int find_runs(blocks_t *b)
{
    const rw_encode_job *job = b->job;
    uint32_t i, start = 0;

    for (i = 1; i <= job->base_length; i++) {
        uint8_t byte = job->base[start];

        if (i % REPORT_BYTES == 0 && rw_report(job, 20) != RW_OK)
            return RW_CALLBACK;
        if (i < job->base_length && job->base[i] == byte)
            continue;
        if (i - start > b->run_length[byte]) {
            b->run_length[byte] = i - start;
            b->run[byte] = start;
        }
        start = i;
    }
    return RW_OK;
}

/* Where a block of the target is in the base; 0 when nowhere. */
static int find(const blocks_t *b, uint32_t at, uint64_t hash, uint32_t *base)
{
    const rw_encode_job *job = b->job;
    const uint8_t *p = job->target + at;
    uint32_t mask = (1u << b->bits) - 1, slot;

    if (b->count > 0) {
        const rw_cover *last = b->covers + b->count - 1;
        uint32_t there = at + (last->base - last->target);

        *base = there;
        if (there < job->base_length && job->base_length - there >= BLOCK
            && memcmp(p, job->base + there, BLOCK) == 0)
            return 1;
    }
    if (is_run(p)) {
        *base = b->run[*p];
        return b->run_length[*p] >= BLOCK;
    }
    for (slot = slot_of(b, hash); b->table[slot] != 0; slot = (slot + 1) & mask) {
        *base = (b->table[slot] - 1) * BLOCK;
        if (memcmp(p, job->base + *base, BLOCK) == 0)
            return 1;
    }
    return 0;
}

/* Keeps a cover, or lets the last one go on over a change that left things in their place. */
static void keep(blocks_t *b, rw_cover c)
{
    rw_cover *last = b->covers + b->count - 1;

    if (b->count > 0 && last->base - last->target == c.base - c.target
        && c.target - (last->target + last->length) <= BRIDGE_MAX) {
        last->length = c.target + c.length - last->target;
        return;
    }
    if (b->count == b->room) {
        uint32_t room = b->room * 2;
        rw_cover *more = realloc(b->covers, sizeof *more * room);

        if (more == 0) {
            b->failed = 1;
            return;
        }
        b->covers = more;
        b->room = room;
    }
    b->covers[b->count++] = c;
}

/* Grows a block in both directions, but not into the last cover. Returns where it ends. */
static uint32_t grow(blocks_t *b, uint32_t at, uint32_t base)
{
    const rw_encode_job *job = b->job;
    uint32_t floor = b->count > 0 ? b->covers[b->count - 1].target + b->covers[b->count - 1].length
                                  : 0;
    rw_cover c = {at, base, BLOCK};

    while (c.target > floor && c.base > 0 && job->base[c.base - 1] == job->target[c.target - 1]) {
        c.target--;
        c.base--;
        c.length++;
    }
    while (c.target + c.length < job->target_length && c.base + c.length < job->base_length
           && job->base[c.base + c.length] == job->target[c.target + c.length])
        c.length++;
    keep(b, c);
    return c.target + c.length;
}

static int scan_target(blocks_t *b)
{
    const rw_encode_job *job = b->job;
    uint32_t at = 0, told = 0, base;
    uint64_t hash = 0;
    int fresh = 1;

    while (!b->failed && job->target_length - at >= BLOCK) {
        if (at >= told) {
            if (rw_report(job, 20 + (uint32_t)((uint64_t)at * 60 / job->target_length)) != RW_OK)
                return RW_CALLBACK;
            told = at + REPORT_BYTES;
        }
        if (fresh)
            hash = hash_block(job->target + at);
        fresh = find(b, at, hash, &base);
        if (fresh) {
            at = grow(b, at, base);
        } else {
            if (job->target_length - at > BLOCK)
                hash = hash * MULTIPLIER + job->target[at + BLOCK] + 1
                       - (job->target[at] + (uint64_t)1) * b->leaving;
            at++;
        }
    }
    return b->failed ? RW_NO_MEMORY : RW_OK;
}

int rw_match_blocks(const rw_encode_job *job, rw_cover **covers, uint32_t *count)
{
    blocks_t *b = calloc(1, sizeof *b);
    int status = RW_NO_MEMORY;
    uint32_t i;

    if (b == 0)
        return status;
    b->job = job;
    b->leaving = 1;
    for (i = 0; i < BLOCK; i++)
        b->leaving *= MULTIPLIER;
    b->room = ROOM;
    b->covers = malloc(sizeof *b->covers * ROOM); /* also for none: they are sorted */
    if (b->covers != 0)
        status = index_base(b);
    if (status == RW_OK && job->base_length > 0)
        status = find_runs(b);
    if (status == RW_OK)
        status = scan_target(b);
    *covers = b->covers;
    *count = b->count;
    free(b->table);
    free(b);
    return status;
}
