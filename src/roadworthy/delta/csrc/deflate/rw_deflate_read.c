/* Reading deflate blocks: content, and where wanted tokens and heads. */
#include <stdlib.h>
#include <string.h>

#include "rw_deflate.h"

#define DIRECT 10u

/* Codes of up to DIRECT bits are looked up, longer ones found by counting. An entry is
 * symbol << 4 | length. */
typedef struct {
    uint16_t direct[1u << DIRECT];
    uint16_t number[16], sorted[288];
} lookup;

/* Eight bytes, lowest first; compilers make one load of it. */
static uint64_t load(const uint8_t *b)
{
    return (uint64_t)b[0] | (uint64_t)b[1] << 8 | (uint64_t)b[2] << 16 | (uint64_t)b[3] << 24
           | (uint64_t)b[4] << 32 | (uint64_t)b[5] << 40 | (uint64_t)b[6] << 48
           | (uint64_t)b[7] << 56;
}

static uint32_t peek(const rw_deflate_reader *r, uint64_t bit, uint32_t bits)
{
    size_t at = (size_t)(bit >> 3);
    uint64_t word = 0;
    uint32_t i;

    if (at + 8 <= r->in_length) {
        word = load(r->in + at);
    } else {
        for (i = 0; at + i < r->in_length; i++)
            word |= (uint64_t)r->in[at + i] << (8 * i);
    }
    return (uint32_t)(word >> (bit & 7)) & ((1u << bits) - 1);
}

static uint32_t take(rw_deflate_reader *r, uint32_t bits)
{
    uint32_t value = peek(r, r->bit, bits);

    r->bit += bits;
    return value;
}

static int overrun(const rw_deflate_reader *r)
{
    return r->bit > (uint64_t)r->in_length * 8;
}

static int build(lookup *table, const uint8_t *lengths, uint32_t count)
{
    uint16_t codes[288], place[16];
    uint32_t i, step;
    int32_t left = 1;

    memset(table, 0, sizeof *table);
    for (i = 0; i < count; i++)
        table->number[lengths[i]]++;
    table->number[0] = 0;
    place[0] = place[1] = 0;
    for (i = 1; i < 16; i++) {
        left = left * 2 - table->number[i];
        if (left < 0)
            return RW_DEFLATE_MALFORMED;
        if (i < 15)
            place[i + 1] = (uint16_t)(place[i] + table->number[i]);
    }
    rw_deflate_codes(lengths, count, codes);
    for (i = 0; i < count; i++) {
        if (lengths[i] == 0)
            continue;
        table->sorted[place[lengths[i]]++] = (uint16_t)i;
        if (lengths[i] <= DIRECT)
            for (step = codes[i]; step < 1u << DIRECT; step += 1u << lengths[i])
                table->direct[step] = (uint16_t)(i << 4 | lengths[i]);
    }
    return RW_DEFLATE_OK;
}

/* Returns a symbol, or 999 where the bits are no code. */
static uint32_t symbol_of(rw_deflate_reader *r, const lookup *table)
{
    uint32_t word = peek(r, r->bit, 15), entry = table->direct[word & ((1u << DIRECT) - 1)];
    uint32_t code = 0, first = 0, index = 0, length;

    if (entry != 0) {
        r->bit += entry & 15;
        return entry >> 4;
    }
    for (length = 1; length < 16; length++) {
        code |= word & 1;
        word >>= 1;
        if (code < first + table->number[length]) {
            r->bit += length;
            return table->sorted[index + code - first];
        }
        index += table->number[length];
        first = (first + table->number[length]) << 1;
        code <<= 1;
    }
    return 999;
}

static int make_room(rw_deflate_reader *r, size_t more)
{
    size_t room = r->room;
    uint8_t *grown;

    if (more > r->most || r->length > r->most - more)
        return RW_DEFLATE_TOO_LONG;
    if (r->length + more <= room)
        return RW_DEFLATE_OK;
    while (room < r->length + more)
        room = room < 65536 ? 65536 : room * 2;
    grown = realloc(r->content, room);
    if (grown == NULL)
        return RW_DEFLATE_NO_MEMORY;
    r->content = grown;
    r->room = room;
    return RW_DEFLATE_OK;
}

int rw_deflate_push(rw_deflate_block *block, uint32_t token)
{
    uint32_t *grown;

    if (block->count == block->room) {
        if (block->count >= RW_TOKENS_MAX)
            return RW_DEFLATE_TOO_LONG;
        grown = realloc(block->tokens, sizeof(uint32_t) * (block->room + 32768));
        if (grown == NULL)
            return RW_DEFLATE_NO_MEMORY;
        block->tokens = grown;
        block->room += 32768;
    }
    block->tokens[block->count++] = token;
    return RW_DEFLATE_OK;
}

static int read_stored(rw_deflate_reader *r, rw_deflate_block *block)
{
    uint32_t length, check;
    int status;

    r->bit = (r->bit + 7) & ~(uint64_t)7;
    length = take(r, 16);
    check = take(r, 16);
    if ((length ^ check) != 0xffff || (r->bit >> 3) + length > r->in_length)
        return RW_DEFLATE_MALFORMED;
    status = make_room(r, length);
    if (status != RW_DEFLATE_OK)
        return status;
    memcpy(r->content + r->length, r->in + (r->bit >> 3), length);
    r->length += length;
    r->bit += (uint64_t)length * 8;
    if (block != NULL)
        block->stored = length;
    return RW_DEFLATE_OK;
}

static int read_head(rw_deflate_reader *r, rw_deflate_head *head)
{
    lookup table;
    uint32_t i, at = 0, symbol;

    memset(head, 0, sizeof *head);
    head->literals = (uint16_t)(take(r, 5) + 257);
    head->distances = (uint16_t)(take(r, 5) + 1);
    head->orders = (uint16_t)(take(r, 4) + 4);
    for (i = 0; i < head->orders; i++)
        head->order[rw_deflate_order[i]] = (uint8_t)take(r, 3);
    if (build(&table, head->order, 19) != RW_DEFLATE_OK)
        return RW_DEFLATE_MALFORMED;
    while (at < (uint32_t)head->literals + head->distances) {
        symbol = symbol_of(r, &table);
        if (symbol > 18 || overrun(r))
            return RW_DEFLATE_MALFORMED;
        head->symbol[head->count] = (uint8_t)symbol;
        if (symbol > 15)
            head->extra[head->count] = (uint8_t)take(r, rw_deflate_repeat_bits[symbol - 16]);
        at += symbol < 16 ? 1 : head->extra[head->count] + (symbol == 18 ? 11u : 3u);
        head->count++;
    }
    return RW_DEFLATE_OK;
}

static int copy_match(rw_deflate_reader *r, uint32_t length, uint32_t distance)
{
    uint8_t *to;
    uint32_t i;
    int status = make_room(r, length);

    if (status != RW_DEFLATE_OK)
        return status;
    if (distance > r->length)
        return RW_DEFLATE_MALFORMED;
    to = r->content + r->length;
    for (i = 0; i < length; i++)
        to[i] = to[(ptrdiff_t)i - (ptrdiff_t)distance];
    r->length += length;
    return RW_DEFLATE_OK;
}

static int read_match(rw_deflate_reader *r, const lookup *distances, uint32_t symbol,
                      rw_deflate_block *block)
{
    uint32_t length, distance, code;
    int status;

    length = rw_length_base(symbol) + take(r, rw_length_extra(symbol));
    if (symbol == 284 && length == RW_MATCH_MAX)
        return RW_DEFLATE_MALFORMED; /* legal, but nobody writes it and we can't say it */
    code = symbol_of(r, distances);
    if (code >= RW_DISTANCES)
        return RW_DEFLATE_MALFORMED;
    distance = rw_distance_base(code) + take(r, rw_distance_extra(code));
    status = copy_match(r, length, distance);
    if (status == RW_DEFLATE_OK && block != NULL)
        status = rw_deflate_push(block, length << 16 | distance);
    return status;
}

static int read_tokens(rw_deflate_reader *r, const lookup *literals, const lookup *distances,
                       rw_deflate_block *block)
{
    uint32_t symbol;
    int status = RW_DEFLATE_OK;

    while (status == RW_DEFLATE_OK) {
        symbol = symbol_of(r, literals);
        if (symbol > 285 || overrun(r))
            return RW_DEFLATE_MALFORMED;
        if (symbol == 256)
            return RW_DEFLATE_OK;
        if (symbol > 256) {
            status = read_match(r, distances, symbol, block);
            continue;
        }
        status = make_room(r, 1);
        if (status == RW_DEFLATE_OK)
            r->content[r->length++] = (uint8_t)symbol;
        if (status == RW_DEFLATE_OK && block != NULL)
            status = rw_deflate_push(block, 0);
    }
    return status;
}

static int read_coded(rw_deflate_reader *r, uint32_t type, rw_deflate_block *block)
{
    rw_deflate_head head;
    rw_deflate_lengths lengths;
    lookup literals, distances;

    if (type == 1) {
        rw_deflate_fixed(&lengths);
    } else {
        if (read_head(r, &head) != RW_DEFLATE_OK
            || rw_deflate_expand(&head, &lengths) != RW_DEFLATE_OK || lengths.literal[256] == 0)
            return RW_DEFLATE_MALFORMED;
        if (block != NULL)
            block->head = head;
    }
    if (build(&literals, lengths.literal, 288) != RW_DEFLATE_OK
        || build(&distances, lengths.distance, 32) != RW_DEFLATE_OK)
        return RW_DEFLATE_MALFORMED;
    return read_tokens(r, &literals, &distances, block);
}

int rw_deflate_read(rw_deflate_reader *r, rw_deflate_block *block, int *final)
{
    uint32_t type;
    int status;

    *final = (int)take(r, 1);
    type = take(r, 2);
    if (type == 3 || overrun(r))
        return RW_DEFLATE_MALFORMED;
    if (block != NULL) {
        block->type = (uint8_t)type;
        block->final = (uint8_t)*final;
        block->count = 0;
    }
    status = type == 0 ? read_stored(r, block) : read_coded(r, type, block);
    return status == RW_DEFLATE_OK && overrun(r) ? RW_DEFLATE_MALFORMED : status;
}
