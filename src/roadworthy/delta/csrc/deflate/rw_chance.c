/* Range coder with a carry: 32-bit range, 16-bit probabilities. */
#include <stdlib.h>

#include "rw_chance.h"

#define QUICK 4
#define SLOW 7

void rw_chance_set(rw_chance *chances, size_t count, uint32_t zero)
{
    size_t i;

    for (i = 0; i < count; i++)
        chances[i].quick = chances[i].slow = (uint16_t)zero;
}

void rw_coin_write(rw_coin *coin)
{
    rw_coin empty = {0};

    *coin = empty;
    coin->writing = 1;
    coin->range = 0xffffffffu;
}

static uint32_t next(rw_coin *coin)
{
    return coin->in_used < coin->in_length ? coin->in[coin->in_used++] : 0;
}

void rw_coin_read(rw_coin *coin, const uint8_t *in, size_t length)
{
    rw_coin empty = {0};
    int i;

    *coin = empty;
    coin->range = 0xffffffffu;
    coin->in = in;
    coin->in_length = length;
    for (i = 0; i < 4; i++)
        coin->low = coin->low << 8 | next(coin);
}

static void emit(rw_coin *coin, uint8_t byte)
{
    uint8_t *grown;

    if (coin->failed)
        return;
    if (coin->out_length == coin->out_room) {
        coin->out_room = coin->out_room * 2 + 256;
        grown = realloc(coin->out, coin->out_room);
        if (grown == NULL) {
            coin->failed = 1;
            return;
        }
        coin->out = grown;
    }
    coin->out[coin->out_length++] = byte;
}

static void add(rw_coin *coin, uint32_t much)
{
    size_t at = coin->out_length;

    coin->low += much;
    if (coin->low < much && !coin->failed)
        while (at > 0 && ++coin->out[--at] == 0)
            ;
}

void rw_coin_end(rw_coin *coin)
{
    uint32_t bits = 32, mask, more = 0;
    int i;

    /* The value inside the range with the most zeros at its end. */
    while (bits-- > 0) {
        mask = (1u << bits) - 1;
        more = (uint32_t)(0u - coin->low) & mask;
        if (more < coin->range)
            break;
    }
    add(coin, more);
    for (i = 24; i >= 0; i -= 8)
        emit(coin, (uint8_t)(coin->low >> i));
    while (coin->out_length > 0 && coin->out[coin->out_length - 1] == 0)
        coin->out_length--;
}

static void settle(rw_coin *coin)
{
    while (coin->range < 1u << 24) {
        if (coin->writing) {
            emit(coin, (uint8_t)(coin->low >> 24));
            coin->low <<= 8;
        } else {
            coin->low = coin->low << 8 | next(coin);
        }
        coin->range <<= 8;
    }
}

/* Splits the range at `bound`; `low` is the code word less the bottom when reading. */
static int split(rw_coin *coin, uint32_t bound, int bit)
{
    if (!coin->writing)
        bit = coin->low >= bound;
    if (bit) {
        if (coin->writing)
            add(coin, bound);
        else
            coin->low -= bound;
        coin->range -= bound;
    } else {
        coin->range = bound;
    }
    settle(coin);
    return bit;
}

int rw_coin_bit(rw_coin *coin, rw_chance *chance, int bit)
{
    uint32_t zero = ((uint32_t)chance->quick + chance->slow) >> 1;

    bit = split(coin, (coin->range >> 16) * zero, bit);
    if (bit) {
        chance->quick = (uint16_t)(chance->quick - (chance->quick >> QUICK));
        chance->slow = (uint16_t)(chance->slow - (chance->slow >> SLOW));
    } else {
        chance->quick = (uint16_t)(chance->quick + ((65535u - chance->quick) >> QUICK));
        chance->slow = (uint16_t)(chance->slow + ((65535u - chance->slow) >> SLOW));
    }
    return bit;
}

uint32_t rw_coin_raw(rw_coin *coin, uint32_t bits, uint32_t value)
{
    uint32_t out = 0;

    while (bits-- > 0)
        out = out << 1 | (uint32_t)split(coin, coin->range >> 1, (int)(value >> bits & 1));
    return out;
}

uint32_t rw_coin_tree(rw_coin *coin, rw_chance *tree, uint32_t bits, uint32_t value)
{
    uint32_t node = 1, top = 1u << bits;

    while (bits-- > 0)
        node = node << 1 | (uint32_t)rw_coin_bit(coin, tree + node, (int)(value >> bits & 1));
    return node - top;
}

uint32_t rw_coin_number(rw_coin *coin, rw_count *count, uint32_t value)
{
    uint32_t more = value + 1, bits = 0, have = 0, out, bit;

    while (coin->writing && more >> (bits + 1) != 0)
        bits++;
    while (have < 31 && rw_coin_bit(coin, count->length + have, have < bits))
        have++;
    out = 1;
    if (have > 0)
        out = out << 1 | (uint32_t)rw_coin_bit(coin, count->first + have, more >> (have - 1) & 1);
    if (have > 1) {
        bit = (uint32_t)rw_coin_bit(coin, count->second + have * 2 + (out & 1),
                                    more >> (have - 2) & 1);
        out = out << 1 | bit;
    }
    if (have > 2)
        out = out << (have - 2) | rw_coin_raw(coin, have - 2, more & ((1u << (have - 2)) - 1));
    return out - 1;
}
