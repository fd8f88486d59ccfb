/* The loops over sixteen values do the same to each, in 16 bits, so that compilers make a few
 * vector instructions of them. */
#include "rw_nibble.h"

#define VALUES 16
#define TOTAL 16384
#define LINE_USES_MAX 30u
#define SHARE_USES_MAX 14u
#define KINDS 8u /* of lines, by how often they were used */

/* 32767 / (n + 2): how far to go to what was seen, after n times. */
static const int16_t rates[LINE_USES_MAX + 1] = {
    16383, 10922, 8191, 6553, 5461, 4681, 4095, 3640, 3276, 2978, 2730,
    2520,  2340,  2184, 2047, 1927, 1820, 1724, 1638, 1560, 1489, 1424,
    1365,  1310,  1260, 1213, 1170, 1129, 1092, 1057, 1023};

/* a + (b - a) * share / 32768, rounded down; a and b are chances, or both less than 0. Where they
 * grow from value to value, so does what is between. */
static inline int16_t between(int16_t a, int16_t b, int16_t share)
{
    int16_t twice = (int16_t)(uint16_t)(2 * (b - a));

    return (int16_t)(a + (int16_t)(twice * share >> 16));
}

static void mix(int16_t *restrict out, const int16_t *restrict a, const int16_t *restrict b,
                int16_t share)
{
    uint32_t i;

    for (i = 0; i < VALUES; i++)
        out[i] = between(a[i], b[i], share);
}

/* The value that a place among the chances stands for; the first number of a mix is below all. */
static uint32_t find(const int16_t *restrict below, int16_t place)
{
    int16_t n = 0;
    uint32_t i;

    for (i = 0; i < VALUES; i++)
        n = (int16_t)(n + (below[i] <= place));
    return (uint32_t)n - 1;
}

static void move(int16_t *restrict below, const int16_t *restrict aim, int16_t rate)
{
    uint32_t i;

    for (i = 0; i < VALUES; i++)
        below[i] = between(below[i], aim[i], rate);
}

/* Takes in that a value was seen: what is below each value goes to what would be if it always
 * came, but for a last chance of the others. */
static void train_line(rw_line *line, uint32_t value)
{
    static const int16_t aims[2 * VALUES - 1] = {
        0,     1,     2,     3,     4,     5,     6,     7,     8,     9,    10,
        11,    12,    13,    14,    15,    16369, 16370, 16371, 16372, 16373, 16374,
        16375, 16376, 16377, 16378, 16379, 16380, 16381, 16382, 16383};
    uint32_t uses = rw_line_uses(line);
    int16_t state = line->below[0];

    move(line->below, aims + VALUES - 1 - value, rates[uses]);
    line->below[0] = (int16_t)(state + (uses < LINE_USES_MAX));
}

/* How much of a mix the second of two is. */
static int16_t share_of(uint32_t slot)
{
    return (int16_t)((slot >> 17) - (slot >> 23) + 256);
}

/* Moves a share to how much of the chance of what was seen came from the second. */
static void train_share(uint32_t *slot, uint32_t second, uint32_t mixed)
{
    uint32_t uses = rw_slot_uses(*slot), seen = (uint32_t)share_of(*slot) * second / mixed;
    int32_t share = (int32_t)(*slot >> 12);

    seen = seen < 32767 ? seen : 32767;
    share += (int32_t)((int64_t)((int32_t)(seen << 5) - share) * rates[uses] >> 15);
    uses += uses < SHARE_USES_MAX;
    *slot = (uint32_t)share << 12 | uses << 7;
}

int rw_share_in_range(uint32_t slot)
{
    return rw_slot_uses(slot) <= SHARE_USES_MAX;
}

static uint32_t kind_of(const rw_line *line)
{
    static const uint8_t kinds[RW_LINE_USES + 1] = {0, 1, 2, 3, 4, 4, 5, 5, 5, 5, 6,
                                                    6, 6, 6, 6, 6, 6, 6, 6, 6, 7, 7,
                                                    7, 7, 7, 7, 7, 7, 7, 7, 7, 7};

    return kinds[rw_line_uses(line)];
}

static uint32_t chance_of(const int16_t *below, uint32_t value)
{
    return (uint32_t)((value + 1 < VALUES ? below[value + 1] : TOTAL)
                      - (value > 0 ? below[value] : 0));
}

void rw_line_begin(rw_line *line, uint32_t context)
{
    int16_t i;

    for (i = 1; i < VALUES; i++)
        line->below[i] = (int16_t)(i * (TOTAL / VALUES));
    line->below[0] = (int16_t)(RW_LINE_STATE | (int)(context & RW_LINE_CHECK));
}

int rw_line_in_range(const rw_line *line)
{
    int16_t state = line->below[0];
    uint32_t i;

    for (i = 0; i < VALUES; i++)
        if (chance_of(line->below, i) - 1 >= TOTAL)
            return 0;
    return state >= RW_LINE_STATE && state < 0 && rw_line_uses(line) <= LINE_USES_MAX;
}

uint32_t rw_nibble_code(rw_view *view, rw_line *const *lines, uint32_t count, uint32_t *shares,
                        uint32_t value)
{
    int16_t two[VALUES], three[VALUES], *all = two;
    uint32_t *second = shares + kind_of(lines[1]) * KINDS + kind_of(lines[0]), *third = 0;

    mix(two, lines[0]->below, lines[1]->below, share_of(*second));
    if (count > 2) {
        third = shares + KINDS * KINDS + kind_of(lines[1]) * KINDS + kind_of(lines[2]);
        all = three;
        mix(three, two, lines[2]->below, share_of(*third));
    }
    if (view->sink == 0)
        value = find(all, (int16_t)rw_part_find(view));
    rw_code_part(view, value > 0 ? (uint32_t)all[value] : 0, chance_of(all, value));
    train_share(second, chance_of(lines[1]->below, value), chance_of(two, value));
    if (count > 2) {
        train_share(third, chance_of(lines[2]->below, value), chance_of(three, value));
        train_line(lines[2], value);
    }
    train_line(lines[0], value);
    train_line(lines[1], value);
    return value;
}
