/* A bootloader with one slot: the target replaces the base in the same flash, in place. Its power
 * fails in the call that is told to it, with half of what it was writing; started again, it goes on.
 *
 *   in_place FLASH PATCH JOURNAL CALL
 *
 * Stages: the base is checked; it is moved up, sector by sector from its end, with a mark for each
 * that is done; then steps are written over what is no longer needed. The journal has two places,
 * written in turn. Each place is a head, the decoder's state and the SHA-256 of both. After them
 * stand the marks, which nobody erases before the end: 0 is a mark.
 *
 * Exit status: 0 done, 9 power failed, else the negated rw_status.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rw_decode.h"

#define MEMORY (60u << 10)
#define SECTOR 4096u
#define PLACE (long)(sizeof(place_head) + MEMORY + 32)
#define MARK 'x'

enum stage { CHECKING, MOVING, WRITING };

typedef struct {
    uint32_t length, number, stage;
} place_head;

static FILE *flash, *patch, *journal;
static long calls_left;
static place_head newest;
static uint64_t memory[MEMORY / 8];

static void lose_power_in_the_call(FILE *file, const uint8_t *data, uint32_t length)
{
    if (calls_left-- != 0)
        return;
    fwrite(data, 1, length / 2, file);
    fflush(NULL);
    exit(9);
}

static int put(FILE *file, long at, const uint8_t *data, uint32_t length)
{
    if (fseek(file, at, SEEK_SET) != 0)
        return 1;
    lose_power_in_the_call(file, data, length);
    return fwrite(data, 1, length, file) != length || fflush(file) != 0;
}

static int get(FILE *file, long at, void *data, uint32_t length)
{
    return fseek(file, at, SEEK_SET) != 0 || fread(data, 1, length, file) != length;
}

static int read_base(void *user, uint32_t offset, uint8_t *out, uint32_t length)
{
    const rw_engine *engine = (const rw_engine *)memory;

    (void)user;
    return get(flash, (long)offset + (newest.stage == WRITING ? (long)engine->header.shift : 0),
               out, length);
}

static int32_t read_patch(void *user, uint32_t offset, uint8_t *out, uint32_t length)
{
    (void)user;
    return fseek(patch, (long)offset, SEEK_SET) != 0 ? -1 : (int32_t)fread(out, 1, length, patch);
}

static int write_target(void *user, uint32_t offset, const uint8_t *data, uint32_t length)
{
    (void)user;
    return put(flash, (long)offset, data, length);
}

static void hash(const place_head *head, uint8_t digest[32])
{
    rw_sha256 sha;

    rw_sha256_init(&sha);
    rw_sha256_update(&sha, (const uint8_t *)head, sizeof *head);
    rw_sha256_update(&sha, (const uint8_t *)memory, head->length);
    rw_sha256_digest(&sha, digest);
}

static int save(uint32_t length, enum stage stage)
{
    place_head head = {length, newest.number + 1, stage};
    long at = PLACE * (long)(head.number % 2);
    uint8_t digest[32];

    hash(&head, digest);
    if (put(journal, at, (const uint8_t *)&head, sizeof head)
        || put(journal, at + (long)sizeof head, (const uint8_t *)memory, length)
        || put(journal, at + (long)sizeof head + (long)length, digest, 32))
        return 1;
    newest = head;
    return 0;
}

static int write_journal(void *user, const uint8_t *state, uint32_t length)
{
    (void)user;
    (void)state; /* is in memory */
    return save(length, WRITING);
}

/* Reads the place with this number's parity; 0 when it is empty or torn. */
static int load(uint32_t parity, place_head *head)
{
    long at = PLACE * (long)parity;
    uint8_t written[32], digest[32];

    if (get(journal, at, head, sizeof *head) || head->length > MEMORY
        || get(journal, at + (long)sizeof *head, memory, head->length)
        || get(journal, at + (long)sizeof *head + (long)head->length, written, 32))
        return 0;
    hash(head, digest);
    return memcmp(written, digest, 32) == 0;
}

static int begin(void)
{
    place_head first = {0, 0, CHECKING}, second = {0, 0, CHECKING};
    int has_first = load(0, &first), has_second = load(1, &second);

    if (!has_first && !has_second)
        return rw_decoder_begin(memory, MEMORY);
    newest = has_second ? second : first;
    if (has_first && (!has_second || first.number > second.number)) {
        newest = first;
        load(0, &first);
    }
    return rw_decoder_resume(memory, MEMORY, newest.length);
}

/* A sector is read whole before its new place is written, and its old place is written only
 * after its mark: so the one that the power failed in can be moved again. */
static int move_up(void)
{
    const rw_engine *engine = (const rw_engine *)memory;
    uint32_t length = engine->header.base_length, shift = engine->header.shift, i;
    uint32_t sectors = shift == 0 ? 0 : (length + SECTOR - 1) / SECTOR;
    static uint8_t sector[SECTOR], mark = MARK;

    for (i = 0; i < sectors; i++) {
        uint32_t from = (sectors - 1 - i) * SECTOR,
                 size = length - from < SECTOR ? length - from : SECTOR;
        uint8_t done = 0;

        if (get(journal, 2 * PLACE + (long)i, &done, 1) == 0 && done == MARK)
            continue;
        if (get(flash, (long)from, sector, size) || put(flash, (long)from + (long)shift, sector, size)
            || put(journal, 2 * PLACE + (long)i, &mark, 1))
            return RW_CALLBACK;
    }
    newest.stage = WRITING;
    return RW_OK;
}

int main(int count, char **argument)
{
    rw_io io = {NULL, read_base, read_patch, write_target, write_journal};
    int status;

    if (count != 5)
        return 2;
    flash = fopen(argument[1], "r+b");
    patch = fopen(argument[2], "rb");
    journal = fopen(argument[3], "r+b");
    calls_left = atol(argument[4]);
    if (flash == NULL || patch == NULL || journal == NULL)
        return 2;
    status = begin();
    if (status == RW_OK && newest.stage == CHECKING) {
        status = rw_apply(memory, &io);
        if (status == RW_MOVE)
            status = save(rw_decoder_journal_size(memory), MOVING) ? RW_CALLBACK : RW_OK;
    }
    if (status == RW_OK && newest.stage == MOVING)
        status = move_up();
    if (status == RW_OK)
        status = rw_apply(memory, &io);
    if (status == RW_DONE)
        printf("%ld calls left\n", calls_left);
    return status == RW_DONE ? 0 : -status;
}
