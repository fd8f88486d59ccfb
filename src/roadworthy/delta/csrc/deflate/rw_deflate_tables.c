/* Constants of RFC 1951 and what follows from code lengths. */
#include <string.h>

#include "rw_deflate.h"

const uint8_t rw_deflate_order[19] = {16, 17, 18, 0, 8,  7, 9,  6, 10, 5,
                                      11, 4,  12, 3, 13, 2, 14, 1, 15};
const uint8_t rw_deflate_repeat_bits[3] = {2, 3, 7};

uint32_t rw_length_extra(uint32_t symbol)
{
    if (symbol < 265 || symbol == 285)
        return 0;
    return (symbol - 261) / 4;
}

uint32_t rw_length_base(uint32_t symbol)
{
    if (symbol < 265)
        return symbol - 254;
    if (symbol == 285)
        return RW_MATCH_MAX;
    return 3 + ((4 + ((symbol - 261) & 3)) << rw_length_extra(symbol));
}

uint32_t rw_length_symbol(uint32_t length)
{
    uint32_t value = length - 3, extra = 0;

    if (length == RW_MATCH_MAX)
        return 285;
    while (value >> extra >= 8)
        extra++;
    return 257 + extra * 4 + (value >> extra);
}

uint32_t rw_distance_extra(uint32_t symbol)
{
    return symbol < 4 ? 0 : (symbol - 2) / 2;
}

uint32_t rw_distance_base(uint32_t symbol)
{
    if (symbol < 4)
        return symbol + 1;
    return 1 + ((2 + (symbol & 1)) << rw_distance_extra(symbol));
}

uint32_t rw_distance_symbol(uint32_t distance)
{
    uint32_t value = distance - 1, extra = 0;

    while (value >> extra >= 4)
        extra++;
    return extra * 2 + (value >> extra);
}

void rw_deflate_fixed(rw_deflate_lengths *lengths)
{
    memset(lengths->literal, 8, 144);
    memset(lengths->literal + 144, 9, 112);
    memset(lengths->literal + 256, 7, 24);
    memset(lengths->literal + 280, 8, 8);
    memset(lengths->distance, 5, 32);
}

void rw_deflate_codes(const uint8_t *lengths, uint32_t count, uint16_t *codes)
{
    uint32_t next[17] = {0}, number[16] = {0}, i, bit, code;

    for (i = 0; i < count; i++)
        number[lengths[i]]++;
    number[0] = 0;
    for (i = 1; i < 16; i++)
        next[i + 1] = (next[i] + number[i]) << 1;
    for (i = 0; i < count; i++) {
        code = 0;
        for (bit = 0; bit < lengths[i]; bit++)
            code |= (next[lengths[i]] >> bit & 1) << (lengths[i] - 1u - bit);
        if (lengths[i] > 0)
            next[lengths[i]]++;
        codes[i] = (uint16_t)code;
    }
}

/* Puts one sent symbol's lengths after `at` others; returns how many, 0 for a wrong symbol. */
static uint32_t spread(uint8_t *all, uint32_t at, uint32_t most, uint32_t symbol, uint32_t extra)
{
    uint32_t times = 1, value = symbol;

    if (symbol == 16) {
        times = 3 + extra;
        value = at > 0 ? all[at - 1] : 99;
    } else if (symbol > 16) {
        times = extra + (symbol == 17 ? 3 : 11);
        value = 0;
    }
    if (value > 15 || at + times > most)
        return 0;
    memset(all + at, (int)value, times);
    return times;
}

int rw_deflate_expand(const rw_deflate_head *head, rw_deflate_lengths *lengths)
{
    uint8_t all[RW_LITERALS + 32];
    uint32_t most = (uint32_t)head->literals + head->distances, at = 0, i, times;

    if (head->literals > RW_LITERALS || head->distances > RW_DISTANCES)
        return RW_DEFLATE_MALFORMED;
    for (i = 0; i < head->count; i++) {
        times = spread(all, at, most, head->symbol[i], head->extra[i]);
        if (times == 0)
            return RW_DEFLATE_MALFORMED;
        at += times;
    }
    memset(lengths, 0, sizeof *lengths);
    memcpy(lengths->literal, all, head->literals);
    memcpy(lengths->distance, all + head->literals, head->distances);
    return RW_DEFLATE_OK;
}
