/* Range coder, adaptive slots, logistic mixing, numbers. */
#include "rw_engine.h"
#ifndef RW_DECODER_ONLY
#include "rw_sink.h"
#endif

#define COUNT_MAX 18
#define CONTEXT_COUNT_MAX 15
#define FIRST_RATE 12u /* of weights */
#define LAST_RATE 15u  /* of weights between mixes */
#define CURVE_RATE 6   /* of points of a curve */

/* The slot of a context: probability (16 bits), count (4 bits), check of the context (12 bits).
 * One without a context: probability (20 bits), count (5 bits). */
#define CHECK_MASK 0xfffu

static const uint16_t slot_rate[COUNT_MAX + 1] = {860, 540, 380, 280, 220, 175, 137, 120, 108, 98,
                                                  89,  82,  76,  71,  66,  62,  59,  55,  53};

static uint32_t next_byte(rw_engine *e)
{
    if (e->input_used < e->input_length)
        return e->input[e->input_used++];
    return 0;
}

/* After a part of the range was taken: it lacks two bytes at most. */
static inline void refill(rw_engine *e)
{
    int bytes = (e->range < RW_RANGE_MIN) + (e->range < RW_RANGE_MIN >> 8);
    uint32_t lacks = 8 * (uint32_t)bytes, next;

    if (e->input_length - e->input_used >= 2) {
        next = (uint32_t)e->input[e->input_used] << 8 | e->input[e->input_used + 1];
        e->code = e->code << lacks | next >> (16 - lacks);
        e->range <<= lacks;
        e->input_used += lacks >> 3;
        return;
    }
    for (; lacks > 0; lacks -= 8) {
        e->range <<= 8;
        e->code = e->code << 8 | next_byte(e);
    }
}

static int read_bit(rw_engine *e, uint32_t p1)
{
    uint32_t bound = (e->range >> 16) * p1;
    int bit = e->code < bound;

    if (bit) {
        e->range = bound;
    } else {
        e->code -= bound;
        e->range -= bound;
    }
    if (e->range < RW_RANGE_MIN)
        refill(e);
    return bit;
}

static void read_part(rw_engine *e, uint32_t from, uint32_t size)
{
    uint32_t unit = e->range >> RW_PART_BITS;

    e->code -= unit * from;
    e->range = unit * size;
    refill(e);
}

int rw_code_bit(rw_view *view, uint32_t p1, int bit)
{
    if (view->training)
        return bit;
#ifndef RW_DECODER_ONLY
    if (view->sink != 0) {
        rw_sink_bit(view->sink, p1, bit);
        return bit;
    }
#endif
    return read_bit(view->engine, p1);
}

uint32_t rw_code_raw(rw_view *view, uint32_t value, uint32_t bits)
{
    uint32_t out = 0;

    while (bits-- > 0)
        out = out << 1 | (uint32_t)rw_code_bit(view, 32768, (int)(value >> bits & 1));
    return out;
}

uint32_t rw_part_find(const rw_view *view)
{
    uint32_t place = view->engine->code / (view->engine->range >> RW_PART_BITS);

    return place < 1u << RW_PART_BITS ? place : (1u << RW_PART_BITS) - 1;
}

void rw_code_part(rw_view *view, uint32_t from, uint32_t size)
{
    if (view->training)
        return;
#ifndef RW_DECODER_ONLY
    if (view->sink != 0) {
        rw_sink_part(view->sink, from, size);
        return;
    }
#endif
    read_part(view->engine, from, size);
}

static uint32_t context_uses(uint32_t slot)
{
    return slot >> 12 & CONTEXT_COUNT_MAX;
}

/* Three places for every context; the one seen least often gives way to a new context. */
static uint32_t *choose(uint32_t *line, uint32_t i, uint32_t check)
{
    uint32_t *a = line + i, *b = line + (i ^ 1), *c = line + (i ^ 2);

    if ((*a & CHECK_MASK) == check)
        return a;
    if ((*b & CHECK_MASK) == check)
        return b;
    if ((*c & CHECK_MASK) == check)
        return c;
    if (context_uses(*b) < context_uses(*a))
        a = b;
    if (context_uses(*c) < context_uses(*a))
        a = c;
    *a = RW_SLOT_START | check;
    return a;
}

static void train_slot(uint32_t *slot, int bit)
{
    uint32_t n = rw_slot_uses(*slot);
    int32_t p = (int32_t)(*slot >> 12);

    p += (((bit ? 0xfffff : 0) - p) * (int32_t)slot_rate[n < COUNT_MAX ? n : COUNT_MAX]) >> 10;
    *slot = (uint32_t)p << 12 | (n < COUNT_MAX ? n + 1 : n) << 7;
}

static void train_context(uint32_t *slot, int bit)
{
    uint32_t n = context_uses(*slot);
    int32_t p = (int32_t)(*slot >> 16);

    p += (((bit ? 0xffff : 0) - p) * (int32_t)slot_rate[n]) >> 10;
    *slot = (uint32_t)p << 16 | (n < CONTEXT_COUNT_MAX ? n + 1 : n) << 12 | (*slot & CHECK_MASK);
}

/* A weighted sum in the logistic domain. */
static int32_t cut(int32_t sum)
{
    sum >>= 8;
    if (sum > RW_STRETCH_MAX)
        return RW_STRETCH_MAX;
    return sum < -RW_STRETCH_MAX ? -RW_STRETCH_MAX : sum;
}

static int32_t limit(int32_t weight)
{
    if (weight > RW_WEIGHT_MAX)
        return RW_WEIGHT_MAX;
    return weight < -RW_WEIGHT_MAX ? -RW_WEIGHT_MAX : weight;
}

int rw_slot_code(rw_view *view, uint32_t *slot, int bit)
{
    uint32_t p = *slot >> 16;

    bit = rw_code_bit(view, p < 1 ? 1 : p, bit);
    train_slot(slot, bit);
    return bit;
}

void rw_mix_add(rw_view *view, rw_mix *mix, uint32_t hash)
{
    uint32_t count = (view->engine->header.slot_count - rw_run_count(view)) & ~3u;
    uint32_t i = (uint32_t)((uint64_t)hash * count >> 32);

    if (mix->count < RW_INPUTS - 1)
        mix->slot[mix->count++] = choose(view->slots, i, hash & CHECK_MASK);
}

void rw_mix_add_guess(rw_view *view, rw_mix *mix, uint32_t hash, uint32_t guess)
{
    mix->flip |= (uint32_t)!guess << mix->count;
    rw_mix_add(view, mix, hash);
}

void rw_mix_add_hint(rw_mix *mix, int32_t hint)
{
    if (mix->count < RW_INPUTS - 1)
        mix->input[mix->count++] = hint;
}

static void gather(rw_mix *mix)
{
    uint32_t i;

    for (i = 0; i < mix->count; i++) {
        if (mix->slot[i] != 0)
            mix->input[i] = rw_stretch(*mix->slot[i] >> 16);
        if (mix->flip >> i & 1)
            mix->input[i] = -mix->input[i];
    }
    mix->input[RW_INPUTS - 1] = 256;
}

static int32_t dot(const int32_t *weights, const int32_t *inputs, uint32_t count)
{
    int32_t sum = 0;
    uint32_t i;

    for (i = 0; i < count; i++)
        sum += (weights[i] * inputs[i]) >> 8;
    return cut(sum);
}

/* By how much a mix was wrong, and its weights with it. A larger `rate` is a slower one. */
static void train_weights(int32_t *weights, const int32_t *inputs, uint32_t count, int32_t x,
                          int bit, uint32_t rate)
{
    int32_t error = ((bit ? 65535 : 0) - (int32_t)rw_squash(x)) >> 2;
    uint32_t i;

    for (i = 0; i < count; i++)
        weights[i] = limit(weights[i] + ((inputs[i] * error + (1 << (rate - 1))) >> rate));
}

static int code_probability(rw_view *view, uint32_t p, int bit)
{
    return rw_code_bit(view, p < 1 ? 1 : p > 65535 ? 65535 : p, bit);
}

/* Codes with the average of what a mix says and of how often that came true before. */
static int code_corrected(rw_view *view, int32_t x, uint16_t *curve, int bit)
{
    int32_t end = (int32_t)(RW_POINTS - 1) << RW_POINT_BITS, at = x + end / 2, part;
    uint32_t p;

    at = at < 0 ? 0 : at >= end ? end - 1 : at;
    part = at & ((1 << RW_POINT_BITS) - 1);
    curve += at >> RW_POINT_BITS;
    p = (uint32_t)(curve[0] * ((1 << RW_POINT_BITS) - part) + curve[1] * part) >> RW_POINT_BITS;
    bit = code_probability(view, (rw_squash(x) + p) / 2, bit);
    curve += part >> (RW_POINT_BITS - 1);
    *curve = (uint16_t)(*curve + (((bit ? 65535 : 0) - *curve) >> CURVE_RATE));
    return bit;
}

static void learn(rw_view *view, const rw_mix *mix, const uint32_t *sets, const int32_t *mixed,
                  uint32_t count, int bit)
{
    uint32_t i;

    for (i = 0; i < count; i++)
        train_weights(view->weights + sets[i] * RW_INPUTS, mix->input, RW_INPUTS, mixed[i], bit,
                      FIRST_RATE);
    for (i = 0; i < mix->count; i++)
        if (mix->slot[i] != 0)
            train_context(mix->slot[i], bit ^ (int)(mix->flip >> i & 1));
}

int rw_mix_code(rw_view *view, rw_mix *mix, uint32_t set_a, uint32_t set_b, int bit)
{
    uint32_t sets[] = {set_a % RW_WEIGHT_SETS, set_b % RW_WEIGHT_SETS};
    int32_t mixed[2];

    gather(mix);
    mixed[0] = dot(view->weights + sets[0] * RW_INPUTS, mix->input, RW_INPUTS);
    mixed[1] = dot(view->weights + sets[1] * RW_INPUTS, mix->input, RW_INPUTS);
    bit = code_probability(view, rw_squash((mixed[0] + mixed[1]) / 2), bit);
    learn(view, mix, sets, mixed, 2, bit);
    return bit;
}

int rw_mix_twice(rw_view *view, rw_mix *mix, const uint32_t *sets, uint32_t last, int bit)
{
    uint32_t count = rw_is_wide(&view->engine->header) ? RW_MIXES : 2, i;
    int32_t *weights = view->weights + rw_weight_count(&view->engine->header)
                       - (RW_LAST_SETS - last) * RW_MIXES;
    int32_t mixed[RW_MIXES], x;

    gather(mix);
    for (i = 0; i < count; i++)
        mixed[i] = dot(view->weights + sets[i] * RW_INPUTS, mix->input, RW_INPUTS);
    x = dot(weights, mixed, count);
    if (rw_point_count(&view->engine->header) > 0)
        bit = code_corrected(view, x, view->curves + (sets[2] - RW_WEIGHT_SETS) * RW_POINTS, bit);
    else
        bit = code_probability(view, rw_squash(x), bit);
    train_weights(weights, mixed, count, x, bit, LAST_RATE);
    learn(view, mix, sets, mixed, count, bit);
    return bit;
}

#define BELOW 64u /* first place of a bit below the first one of a number */

/* One bit of a number: its place `node`, and two contexts of which one may be 0. */
static int number_bit(rw_view *view, uint32_t field, uint32_t context, uint32_t node, int bit)
{
    rw_mix mix = {0};
    const uint32_t *last = view->engine->number_history;
    uint32_t is_below = node >= BELOW;

    rw_mix_add(view, &mix, rw_hash(0x100 + field, node));
    rw_mix_add(view, &mix, rw_hash(0x200 + field, node + 4096 * context));
    /* Numbers of all sizes have something in common below their first bits. */
    rw_mix_add(view, &mix, is_below ? rw_hash(0x500 + field, node % BELOW)
                                    : rw_hash(0x300 + field, node + 4096 * last[field & 3]));
    rw_mix_add(view, &mix,
               rw_hash(0x400 + field, node + 4096 * (last[0] + 64 * last[1] + 4096 * last[2])));
    return rw_mix_code(view, &mix, 250 + is_below, 232 + 2 * (field & 3) + is_below, bit);
}

#define LARGE_FIELDS 0x7au /* 1, 3, 4, 5 and 6: lengths, shifts and addresses */

/* How many bits a number has below its first one. */
static uint32_t code_size(rw_view *view, uint32_t field, uint32_t context, uint32_t bits)
{
    uint32_t n = 0, node = 1, i;

    if (LARGE_FIELDS >> field & 1) {
        for (i = 5; i-- > 0;)
            node = node << 1
                   | (uint32_t)number_bit(view, field, context, node, (int)(bits >> i & 1));
        return node & 31;
    }
    while (n < 31 && number_bit(view, field, context, n, n < bits))
        n++;
    return n;
}

uint32_t rw_quick_number(rw_view *view, uint32_t at, uint32_t context, uint32_t value)
{
    uint32_t bits = rw_log2(value + 1), n = 0, out = 1, i;
    uint32_t *slots = view->slots + at, *lengths = slots + (context < 8 ? context : 7) * 32;

    while (n < 31 && rw_slot_code(view, lengths + n, n < bits))
        n++;
    slots += 8 * 32 + n * 8;
    for (i = n; i-- > 0;) {
        int bit = (int)((value + 1) >> i & 1);

        bit = i + 3 >= n ? rw_slot_code(view, slots + out, bit)
                         : (int)rw_code_raw(view, (uint32_t)bit, 1);
        out = out << 1 | (uint32_t)bit;
    }
    return out - 1;
}

/* Elias-gamma with modelled bits: the length, in unary where it is small, then the bits below the
 * first one. */
uint32_t rw_code_number(rw_view *view, uint32_t field, uint32_t context, uint32_t value)
{
    uint32_t bits = rw_log2(value + 1), n, node = 1, out = 1, i;

    if (view->engine->header.backend == RW_BACKEND_FAST)
        return rw_quick_number(view, field * RW_NUMBER_SLOTS, context, value);
    n = code_size(view, field, context, bits);
    for (i = n; i-- > 0;) {
        int bit = (int)((value + 1) >> i & 1);

        if (i + 4 > n || i < 2)
            bit = number_bit(view, field, context,
                             BELOW * (1 + n) + (i < 2 && i + 4 <= n ? 32 + i : node), bit);
        else
            bit = (int)rw_code_raw(view, (uint32_t)bit, 1);
        node = (node << 1 | (uint32_t)bit) & 31;
        out = out << 1 | (uint32_t)bit;
    }
    view->engine->number_history[field & 3] = n;
    return out - 1;
}
