/* What no stream and no Python caller brings about in the deflate recompressor: memory that runs
 * out at every allocation in turn, and blocks whose symbols have no code.
 *
 * Linked with --wrap for malloc, calloc and realloc. Exit status 0, or 1 with the line. */
#include <string.h>

#include "check.h"
#include "rw_deflate.h"

enum { CONTENT = 200000, STREAM_MAX = 400000, UNLIMITED = -1 };

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);

static int allocations_left = UNLIMITED;
static uint8_t content[CONTENT], stream[STREAM_MAX];

static int runs_out(void)
{
    return allocations_left != UNLIMITED && allocations_left-- <= 0;
}

void *__wrap_malloc(size_t size)
{
    return runs_out() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return runs_out() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
    return runs_out() ? NULL : __real_realloc(memory, size);
}

static const rw_deflate_rule greedy = {1, 0, 15, 15, 4, 4, 8, 4, 40000};
static const rw_deflate_rule patient = {0, 0, 15, 15, 32, 258, 258, 4096, 40000};

/* Half of it is text of few letters, half of it noise. */
static void fill(void)
{
    uint32_t i, state = 1;

    for (i = 0; i < CONTENT; i++) {
        state = state * 1664525u + 1013904223u;
        content[i] = (uint8_t)(i < CONTENT / 2 ? 97 + (state >> 30) : state >> 24);
    }
}

/* Rebuilds the content's stream by a rule, and corrections if there are any. */
static int rebuild(const rw_deflate_rule *rule, const uint8_t *corrections, size_t length,
                   size_t *made)
{
    rw_deflate_segment segment = {rule, content, 0, CONTENT, 1};
    rw_deflate_writer writer = {0};
    int status;

    writer.most = STREAM_MAX;
    status = rw_deflate_rebuild(&segment, corrections, length, &writer);
    if (status == RW_DEFLATE_OK) {
        memcpy(stream, writer.out, writer.length);
        *made = writer.length;
    }
    free(writer.out);
    return status;
}

/* Reads the whole stream; the content must be ours. */
static int read_all(size_t length, uint64_t *bit_end)
{
    rw_deflate_reader reader = {0};
    int final = 0, status = RW_DEFLATE_OK;

    reader.in = stream;
    reader.in_length = length;
    reader.most = CONTENT;
    while (status == RW_DEFLATE_OK && !final)
        status = rw_deflate_read(&reader, NULL, &final);
    if (status == RW_DEFLATE_OK)
        CHECK(reader.length == CONTENT && memcmp(reader.content, content, CONTENT) == 0);
    *bit_end = reader.bit;
    free(reader.content);
    return status;
}

static int describe(const rw_deflate_rule *rule, uint32_t size, size_t length, uint64_t bit_end,
                    uint8_t **corrections, size_t *many)
{
    rw_deflate_segment segment = {rule, content, 0, size, 1};
    rw_deflate_reader reader = {0};
    int status;

    reader.in = stream;
    reader.in_length = length;
    reader.most = CONTENT;
    *corrections = NULL;
    status = rw_deflate_describe(&segment, &reader, bit_end, corrections, many);
    free(reader.content);
    if (status != RW_DEFLATE_OK)
        free(*corrections);
    return status;
}

/* Counts how often memory ran out in a call before it went well. */
#define WITH_LESS_MEMORY(failures, status, call)                                                   \
    for (failures = 0;; failures++) {                                                              \
        allocations_left = failures;                                                               \
        status = call;                                                                             \
        allocations_left = UNLIMITED;                                                              \
        if (status == RW_DEFLATE_OK)                                                               \
            break;                                                                                 \
        CHECK(status == RW_DEFLATE_NO_MEMORY);                                                     \
    }

static void memory_runs_out_at_every_allocation(void)
{
    uint8_t *corrections = NULL;
    size_t length = 0, again = 0, many = 0;
    uint64_t bit_end = 0;
    int failures, status;

    CHECK(rebuild(&patient, NULL, 0, &length) == RW_DEFLATE_OK);
    WITH_LESS_MEMORY(failures, status, read_all(length, &bit_end));
    CHECK(failures >= 1);

    WITH_LESS_MEMORY(failures, status,
                     describe(&patient, CONTENT, length, bit_end, &corrections, &many));
    CHECK(failures >= 4 && many == 0); /* the walk, content, tokens, the end of what is said */
    free(corrections);

    WITH_LESS_MEMORY(failures, status,
                     describe(&greedy, CONTENT, length, bit_end, &corrections, &many));
    CHECK(failures >= 8 && many > 1000); /* and what is said on the way */

    WITH_LESS_MEMORY(failures, status, rebuild(&greedy, corrections, many, &again));
    CHECK(failures >= 3 && again == length && read_all(again, &bit_end) == RW_DEFLATE_OK);
    free(corrections);
}

/* Where nothing is said on the way, the first bytes are those of the end. */
static void memory_runs_out_at_the_end(void)
{
    static const uint8_t empty[2] = {3, 0};
    uint8_t *corrections = NULL;
    size_t many = 1;
    int failures, status;

    memcpy(stream, empty, sizeof empty);
    WITH_LESS_MEMORY(failures, status, describe(&patient, 0, 2, 10, &corrections, &many));
    CHECK(failures == 2 && many == 0);
    free(corrections);
}

/* A reader that may read on for longer than the segment is. */
static void a_block_longer_than_its_segment_is_not_described(void)
{
    rw_deflate_segment segment = {&patient, content, 0, 1000, 1};
    rw_deflate_reader reader = {0};
    uint8_t *corrections = NULL;
    size_t length = 0, many = 0;

    CHECK(rebuild(&patient, NULL, 0, &length) == RW_DEFLATE_OK);
    reader.in = stream;
    reader.in_length = length;
    reader.most = CONTENT;
    CHECK(rw_deflate_describe(&segment, &reader, length * 8, &corrections, &many)
          == RW_DEFLATE_MALFORMED);
    free(reader.content);
    free(corrections);
}

/* Codes of two bits for a, b and the end of the block, of three for a match of three bytes; codes
 * of one bit for distances of one and two bytes. */
static void plain_head(rw_deflate_head *head)
{
    static const uint8_t sent[12][2] = {{18, 86}, {2, 0},   {2, 0}, {18, 127}, {18, 8}, {2, 0},
                                        {3, 0},   {1, 0},   {1, 0}, {0, 0},    {0, 0},  {0, 0}};
    uint32_t i;

    memset(head, 0, sizeof *head);
    head->literals = 258;
    head->distances = 2;
    head->orders = 19;
    head->count = 9;
    memset(head->order, 4, 13);
    memset(head->order + 13, 5, 6);
    for (i = 0; i < head->count; i++) {
        head->symbol[i] = sent[i][0];
        head->extra[i] = sent[i][1];
    }
}

static int write_block(const rw_deflate_block *block)
{
    rw_deflate_writer writer = {0};
    int status;

    writer.most = 1000;
    status = rw_deflate_write(&writer, block, (const uint8_t *)"abababa");
    CHECK(status == writer.status);
    free(writer.out);
    return status;
}

static void a_symbol_without_a_code_is_not_written(void)
{
    uint32_t tokens[4] = {0, 0, 3u << 16 | 2, 0};
    rw_deflate_block block = {2, 1, 0, 4, 4, NULL, {0}};

    block.tokens = tokens;
    plain_head(&block.head);
    CHECK(write_block(&block) == RW_DEFLATE_OK);

    tokens[2] = 3u << 16 | 4; /* a distance without a code */
    CHECK(write_block(&block) == RW_DEFLATE_MALFORMED);
    tokens[2] = 4u << 16 | 2; /* a length without a code */
    CHECK(write_block(&block) == RW_DEFLATE_MALFORMED);
    tokens[2] = 0;
    block.head.extra[0]--; /* a code for ` instead of one for b */
    block.head.extra[4]++;
    CHECK(write_block(&block) == RW_DEFLATE_MALFORMED);

    plain_head(&block.head);
    block.head.order[18] = 0; /* a symbol of the head without a code */
    CHECK(write_block(&block) == RW_DEFLATE_MALFORMED);
    plain_head(&block.head);
    block.head.literals--; /* one length too many */
    CHECK(write_block(&block) == RW_DEFLATE_MALFORMED);
    block.head.literals = RW_LITERALS + 1;
    CHECK(write_block(&block) == RW_DEFLATE_MALFORMED);
}

int main(void)
{
    fill();
    memory_runs_out_at_every_allocation();
    memory_runs_out_at_the_end();
    a_block_longer_than_its_segment_is_not_described();
    a_symbol_without_a_code_is_not_written();
    return 0;
}
