/* A bootloader in miniature: applies a patch from files with rw_apply and nothing but the
 * decoder's sources. Its power fails after a given number of writes; started again, it goes on
 * from the journal of the last step.
 *
 *   bootloader BASE PATCH TARGET JOURNAL WRITES_BEFORE_POWER_FAILS
 *
 * Exit status: 0 done, 9 power failed, else the negated rw_status.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rw_decode.h"

#define MEMORY (60u << 10)

static FILE *base, *patch, *target;
static const char *journal_name;
static long writes_left;
static uint64_t memory[MEMORY / 8];

static int read_base(void *user, uint32_t offset, uint8_t *out, uint32_t length)
{
    (void)user;
    return fseek(base, (long)offset, SEEK_SET) != 0 || fread(out, 1, length, base) != length;
}

static int32_t read_patch(void *user, uint32_t offset, uint8_t *out, uint32_t length)
{
    (void)user;
    if (fseek(patch, (long)offset, SEEK_SET) != 0)
        return -1;
    return (int32_t)fread(out, 1, length, patch);
}

static int write_target(void *user, uint32_t offset, const uint8_t *data, uint32_t length)
{
    (void)user;
    if (fseek(target, (long)offset, SEEK_SET) != 0)
        return 1;
    if (writes_left-- == 0)
        exit(9);
    return fwrite(data, 1, length, target) != length;
}

static int write_journal(void *user, const uint8_t *state, uint32_t length)
{
    FILE *file = fopen(journal_name, "wb");
    int failed;

    (void)user;
    if (file == NULL)
        return 1;
    failed = fflush(target) != 0 || fwrite(state, 1, length, file) != length;
    return fclose(file) != 0 || failed;
}

static int begin(void)
{
    FILE *file = fopen(journal_name, "rb");
    uint32_t length;

    if (file == NULL)
        return rw_decoder_begin(memory, MEMORY);
    length = (uint32_t)fread(memory, 1, MEMORY, file);
    fclose(file);
    return rw_decoder_resume(memory, MEMORY, length);
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
    journal_name = argument[4];
    writes_left = atol(argument[5]);
    if (base == NULL || patch == NULL || target == NULL)
        return 2;
    status = begin();
    if (status == RW_OK)
        status = rw_apply(memory, &io);
    fclose(base);
    fclose(patch);
    fclose(target);
    return status == RW_DONE ? 0 : -status;
}
