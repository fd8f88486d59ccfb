#include "rw_sink.h"

void rw_sink_init(rw_sink *sink, uint8_t *data, uint32_t capacity)
{
    sink->data = data;
    sink->length = 0;
    sink->capacity = capacity;
    sink->low = 0;
    sink->range = 0xffffffffu;
    sink->cache = 0;
    sink->cache_size = 1;
    sink->failed = 0;
}

static void put(rw_sink *sink, uint8_t byte)
{
    if (sink->length < sink->capacity)
        sink->data[sink->length++] = byte;
    else
        sink->failed = 1;
}

/* The first byte is always 0; make_patch puts it where the header's last byte will be. */
static void shift(rw_sink *sink)
{
    if (sink->low < 0xff000000u || sink->low > 0xffffffffu) {
        uint8_t carry = (uint8_t)(sink->low >> 32);
        uint8_t byte = sink->cache;

        do {
            put(sink, (uint8_t)(byte + carry));
            byte = 0xff;
        } while (--sink->cache_size != 0);
        sink->cache = (uint8_t)(sink->low >> 24);
    }
    sink->cache_size++;
    sink->low = (sink->low & 0x00ffffffu) << 8;
}

/* After a part of the range was taken. */
static void drain(rw_sink *sink)
{
    while (sink->range < RW_RANGE_MIN) {
        sink->range <<= 8;
        shift(sink);
    }
}

void rw_sink_bit(rw_sink *sink, uint32_t p1, int bit)
{
    uint32_t bound = (sink->range >> 16) * p1;

    if (bit) {
        sink->range = bound;
    } else {
        sink->low += bound;
        sink->range -= bound;
    }
    drain(sink);
}

void rw_sink_part(rw_sink *sink, uint32_t from, uint32_t size)
{
    uint32_t unit = sink->range >> RW_PART_BITS;

    sink->low += (uint64_t)unit * from;
    sink->range = unit * size;
    drain(sink);
}

/* Any value from low on and below low + range says the same: take the one with most zeros at its
 * end. range is above 2^24, so there is one with three bytes of them. */
static void round_up(rw_sink *sink)
{
    uint64_t mask = 0xffffffffu, value;

    for (;; mask >>= 8) {
        value = (sink->low + mask) & ~mask;
        if (value - sink->low < sink->range)
            break;
    }
    sink->low = value;
}

void rw_sink_finish(rw_sink *sink)
{
    int i;

    round_up(sink);
    for (i = 0; i < 5; i++)
        shift(sink);
    /* Zeros at the end need not be sent: the decoder reads zeros past the end. */
    while (sink->length > 0 && sink->data[sink->length - 1] == 0)
        sink->length--;
}
