/* Writing deflate blocks. */
#include <stdlib.h>
#include <string.h>

#include "rw_deflate.h"

static int put_bytes(rw_deflate_writer *w, const uint8_t *bytes, size_t count)
{
    size_t room = w->room;
    uint8_t *grown;

    if (w->status != RW_DEFLATE_OK)
        return w->status;
    if (count > w->most || w->length > w->most - count)
        return w->status = RW_DEFLATE_TOO_LONG;
    while (room < w->length + count)
        room = room < 65536 ? 65536 : room * 2;
    if (room > w->room) {
        grown = realloc(w->out, room);
        if (grown == NULL)
            return w->status = RW_DEFLATE_NO_MEMORY;
        w->out = grown;
        w->room = room;
    }
    memcpy(w->out + w->length, bytes, count);
    w->length += count;
    return RW_DEFLATE_OK;
}

void rw_deflate_put(rw_deflate_writer *w, uint32_t value, uint32_t bits)
{
    uint8_t byte;

    w->hold |= value << w->held;
    w->held += bits;
    while (w->held >= 8) {
        byte = (uint8_t)w->hold;
        put_bytes(w, &byte, 1);
        w->hold >>= 8;
        w->held -= 8;
    }
}

void rw_deflate_pad(rw_deflate_writer *w)
{
    if (w->held > 0)
        rw_deflate_put(w, 0, 8 - w->held);
}

static void write_stored(rw_deflate_writer *w, uint32_t length, const uint8_t *content)
{
    rw_deflate_pad(w);
    rw_deflate_put(w, length, 16);
    rw_deflate_put(w, length ^ 0xffff, 16);
    put_bytes(w, content, length);
}

static void write_head(rw_deflate_writer *w, const rw_deflate_head *head)
{
    uint16_t codes[19];
    uint32_t i, symbol;

    rw_deflate_codes(head->order, 19, codes);
    rw_deflate_put(w, head->literals - 257u, 5);
    rw_deflate_put(w, head->distances - 1u, 5);
    rw_deflate_put(w, head->orders - 4u, 4);
    for (i = 0; i < head->orders; i++)
        rw_deflate_put(w, head->order[rw_deflate_order[i]], 3);
    for (i = 0; i < head->count; i++) {
        symbol = head->symbol[i];
        if (head->order[symbol] == 0)
            w->status = RW_DEFLATE_MALFORMED;
        rw_deflate_put(w, codes[symbol], head->order[symbol]);
        if (symbol > 15)
            rw_deflate_put(w, head->extra[i], rw_deflate_repeat_bits[symbol - 16]);
    }
}

typedef struct {
    rw_deflate_lengths lengths;
    uint16_t literal[288], distance[32];
} code_set;

static void put_literal(rw_deflate_writer *w, const code_set *set, uint32_t symbol)
{
    if (set->lengths.literal[symbol] == 0)
        w->status = RW_DEFLATE_MALFORMED;
    rw_deflate_put(w, set->literal[symbol], set->lengths.literal[symbol]);
}

static void put_match(rw_deflate_writer *w, const code_set *set, uint32_t token)
{
    uint32_t length = token >> 16, distance = token & 0xffff, symbol = rw_length_symbol(length);

    put_literal(w, set, symbol);
    rw_deflate_put(w, length - rw_length_base(symbol), rw_length_extra(symbol));
    symbol = rw_distance_symbol(distance);
    if (set->lengths.distance[symbol] == 0)
        w->status = RW_DEFLATE_MALFORMED;
    rw_deflate_put(w, set->distance[symbol], set->lengths.distance[symbol]);
    rw_deflate_put(w, distance - rw_distance_base(symbol), rw_distance_extra(symbol));
}

int rw_deflate_write(rw_deflate_writer *w, const rw_deflate_block *block, const uint8_t *content)
{
    code_set set;
    uint32_t i;

    rw_deflate_put(w, block->final, 1);
    rw_deflate_put(w, block->type, 2);
    if (block->type == 0) {
        write_stored(w, block->stored, content);
        return w->status;
    }
    rw_deflate_fixed(&set.lengths);
    if (block->type == 2) {
        if (rw_deflate_expand(&block->head, &set.lengths) != RW_DEFLATE_OK)
            return w->status = RW_DEFLATE_MALFORMED;
        write_head(w, &block->head);
    }
    rw_deflate_codes(set.lengths.literal, 288, set.literal);
    rw_deflate_codes(set.lengths.distance, 32, set.distance);
    for (i = 0; i < block->count && w->status == RW_DEFLATE_OK; i++) {
        if (block->tokens[i] == 0) {
            put_literal(w, &set, *content++);
        } else {
            put_match(w, &set, block->tokens[i]);
            content += block->tokens[i] >> 16;
        }
    }
    put_literal(w, &set, 256);
    return w->status;
}
