/* The deflate recompressor: hostile streams and hostile corrections end in a status, and a stream
 * that can be read comes back bit by bit from its content and the corrections to any rule.
 *
 * Input: a byte whose lowest bit says what follows the rule: a stream, or the length of content (two
 * bytes), content and corrections; then a rule, 16 bytes. */
#include <stdlib.h>
#include <string.h>

#include "hostile.h"
#include "rw_deflate.h"

#define HEAD 17u
#define CONTENT_MAX (1u << 18)
#define ROOM 4096u

static uint32_t get16(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8;
}

/* A rule from 16 bytes; most fields are put in range, so that few inputs are wasted. */
static int rule_from(const uint8_t *p, rw_deflate_rule *rule)
{
    rule->fast = p[0] & 1;
    rule->early = p[0] >> 1 & 1;
    rule->hash_bits = (uint8_t)(8 + p[1] % 9);
    rule->window_bits = (uint8_t)(9 + p[2] % 7);
    rule->good = (uint16_t)get16(p + 4);
    rule->lazy = (uint16_t)get16(p + 6);
    rule->nice = (uint16_t)get16(p + 8);
    rule->chain = (uint16_t)get16(p + 10);
    rule->limit = get16(p + 12) | (uint32_t)(p[14] & 15) << 16;
    return rw_deflate_rule_ok(rule);
}

static int rebuild(const rw_deflate_segment *segment, const uint8_t *corrections, size_t length,
                   rw_deflate_writer *writer)
{
    memset(writer, 0, sizeof *writer);
    writer->most = (size_t)(segment->end - segment->window) * 2 + 1024;
    return rw_deflate_rebuild(segment, corrections, length, writer);
}

/* All bits of the stream but the padding of its last byte. */
static void same_bits(const rw_deflate_writer *writer, const uint8_t *in, uint64_t bits)
{
    size_t whole = (size_t)(bits / 8);

    HOSTILE_CHECK(writer->length >= whole);
    HOSTILE_CHECK(memcmp(writer->out, in, whole) == 0);
}

static void a_stream(const rw_deflate_rule *rule, const uint8_t *data, size_t size)
{
    rw_deflate_reader first = {data, size, 0, malloc(ROOM), 0, ROOM, CONTENT_MAX}, again = first;
    rw_deflate_segment segment = {rule, NULL, 0, 0, 1};
    rw_deflate_writer writer = {0};
    uint8_t *corrections = NULL;
    size_t length = 0;
    int final = 0, status = RW_DEFLATE_OK;

    again.content = malloc(ROOM);
    while (status == RW_DEFLATE_OK && !final)
        status = rw_deflate_read(&first, NULL, &final);
    if (status == RW_DEFLATE_OK) {
        segment.data = first.content;
        segment.end = (uint32_t)first.length;
        status = rw_deflate_describe(&segment, &again, first.bit, &corrections, &length);
        /* A describer may refuse; what it describes must come back. */
        if (status == RW_DEFLATE_OK && rebuild(&segment, corrections, length, &writer) == 0)
            same_bits(&writer, data, first.bit);
        free(writer.out);
        free(corrections);
    }
    free(first.content);
    free(again.content);
}

static void hostile_corrections(const rw_deflate_rule *rule, const uint8_t *data, size_t size)
{
    rw_deflate_segment segment = {rule, NULL, 0, 0, (int)(data[0] & 1)};
    rw_deflate_writer writer;
    uint32_t length = get16(data);

    if (length > size - 2)
        length = (uint32_t)(size - 2);
    segment.window = length / 3;
    segment.end = length;
    segment.data = data + 2;
    rebuild(&segment, data + 2 + length, size - 2 - length, &writer);
    free(writer.out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rw_deflate_rule rule;

    if (size < HEAD + 2 || !rule_from(data + 1, &rule))
        return 0;
    if (data[0] & 1)
        hostile_corrections(&rule, data + HEAD, size - HEAD);
    else
        a_stream(&rule, data + HEAD, size - HEAD);
    return 0;
}
