/* A bootloader in miniature: applies a patch from files with rw_apply and nothing but the
 * decoder's sources. Its power fails in a call that is told to it, in the middle of what that
 * call writes; started again, it goes on from its journal.
 *
 *   bootloader BASE PATCH TARGET JOURNAL CALL
 *
 * The journal has two places, written in turn: a torn one leaves the other whole. Each place is
 * the state's length and number, the state, and its SHA-256. TARGET is flash: a page is erased
 * before it is written, so that what was written after the last journal can be written again.
 *
 * Exit status: 0 done, 9 power failed, else the negated rw_status.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rw_decode.h"

#define MEMORY (60u << 10)

typedef struct {
    uint32_t length, number;
} place_head;

static FILE *base, *patch, *target, *journal;
static long calls_left;
static uint32_t journal_number;
static uint64_t memory[MEMORY / 8];

/* Counts a call of a callback; true in the one in which the power fails. */
static int power_fails(void)
{
    return calls_left-- == 0;
}

static void die(void)
{
    fflush(NULL);
    exit(9);
}

static int read_base(void *user, uint32_t offset, uint8_t *out, uint32_t length)
{
    (void)user;
    if (power_fails())
        die();
    return fseek(base, (long)offset, SEEK_SET) != 0 || fread(out, 1, length, base) != length;
}

static int32_t read_patch(void *user, uint32_t offset, uint8_t *out, uint32_t length)
{
    (void)user;
    if (power_fails())
        die();
    if (fseek(patch, (long)offset, SEEK_SET) != 0)
        return -1;
    return (int32_t)fread(out, 1, length, patch);
}

static int write_target(void *user, uint32_t offset, const uint8_t *data, uint32_t length)
{
    static const uint8_t erased[RW_PAGE] = {0};

    (void)user;
    if (fseek(target, (long)offset, SEEK_SET) != 0 || fwrite(erased, 1, length, target) != length
        || fseek(target, (long)offset, SEEK_SET) != 0)
        return 1;
    if (power_fails()) {
        fwrite(data, 1, length / 2, target);
        die();
    }
    return fwrite(data, 1, length, target) != length;
}

static long place_of(uint32_t number)
{
    return (long)(number % 2) * (long)(sizeof(place_head) + MEMORY + 32);
}

static int write_journal(void *user, const uint8_t *state, uint32_t length)
{
    place_head head = {length, journal_number + 1};
    int fails = power_fails();
    uint8_t digest[32];

    (void)user;
    rw_sha256_of(state, length, digest);
    if (fflush(target) != 0 || fseek(journal, place_of(head.number), SEEK_SET) != 0
        || fwrite(&head, sizeof head, 1, journal) != 1
        || fwrite(state, 1, fails ? length / 2 : length, journal) == 0)
        return 1;
    if (fails)
        die();
    journal_number = head.number;
    return fwrite(digest, 32, 1, journal) != 1 || fflush(journal) != 0;
}

/* Reads a place into memory; 0 when it is empty or torn. */
static uint32_t read_place(uint32_t number)
{
    uint8_t written[32], digest[32];
    place_head head;

    if (fseek(journal, place_of(number), SEEK_SET) != 0
        || fread(&head, sizeof head, 1, journal) != 1 || head.length > MEMORY
        || fread(memory, 1, head.length, journal) != head.length
        || fread(written, 32, 1, journal) != 1)
        return 0;
    rw_sha256_of((const uint8_t *)memory, head.length, digest);
    if (memcmp(written, digest, 32) != 0)
        return 0;
    journal_number = head.number;
    return head.length;
}

static int begin(void)
{
    uint32_t first = read_place(0), number = first > 0 ? journal_number : 0,
             second = read_place(1);

    if (first == 0 && second == 0)
        return rw_decoder_begin(memory, MEMORY);
    if (first > 0 && (second == 0 || number > journal_number))
        second = read_place(0);
    return rw_decoder_resume(memory, MEMORY, second);
}

int main(int count, char **argument)
{
    rw_io io = {NULL, read_base, read_patch, write_target, write_journal};
    int status;

    if (count != 6)
        return 2;
    base = fopen(argument[1], "rb");
    patch = fopen(argument[2], "rb");
    target = fopen(argument[3], "r+b");
    journal = fopen(argument[4], "r+b");
    calls_left = atol(argument[5]);
    if (base == NULL || patch == NULL || target == NULL || journal == NULL)
        return 2;
    status = begin();
    if (status == RW_OK)
        status = rw_apply(memory, &io);
    fflush(NULL);
    if (status == RW_DONE)
        printf("%ld calls left\n", calls_left);
    return status == RW_DONE ? 0 : -status;
}
