#include "rw_echo.h"

#include <stdlib.h>

#include "rw_math.h"

#define CONTEXT 5u /* bytes that are looked up */
#define SURE 32u

int rw_echo_begin(rw_echo *echo, const uint8_t *target, uint8_t window_bits, uint8_t index_bits)
{
    echo->target = target;
    echo->position = echo->length = 0;
    echo->window_bits = window_bits;
    echo->index_bits = index_bits;
    echo->places = calloc((size_t)1 << index_bits, sizeof *echo->places);
    return echo->places != 0;
}

void rw_echo_free(rw_echo *echo)
{
    free(echo->places);
}

/* Enters the bytes before `here`, and looks where they were before if nothing is followed. */
static void look_up(rw_echo *echo, uint32_t here)
{
    const uint8_t *last = echo->target + here - CONTEXT;
    uint32_t bytes = last[1] | (uint32_t)last[2] << 8 | (uint32_t)last[3] << 16
                     | (uint32_t)last[4] << 24,
             *place = echo->places + (rw_hash(bytes, last[0]) >> (32 - echo->index_bits));

    if (echo->length == 0 && *place != 0) {
        echo->position = *place;
        echo->length = 1;
    }
    if (here - echo->position >= (1u << echo->window_bits) - 1)
        echo->length = 0;
    *place = here;
}

int rw_echo_sure(rw_echo *echo, uint32_t at)
{
    int sure = echo->length >= SURE;

    if (echo->length > 0 && echo->target[echo->position] == echo->target[at]) {
        echo->length++;
        echo->position++;
    } else {
        echo->length = 0;
        sure = 0;
    }
    if (at + 1 >= CONTEXT)
        look_up(echo, at + 1);
    return sure;
}
