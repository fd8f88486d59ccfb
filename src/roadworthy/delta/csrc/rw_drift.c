#include "rw_drift.h"

#include "rw_math.h"

#define NEAR 2 /* differences this far from one that was seen are likely, too */
#define DOUBT 8u
#define UP 1u
#define DOWN 2u

int rw_drift_in_range(const rw_drift *drift)
{
    uint32_t i;

    for (i = 0; i < RW_DRIFT_LISTS; i++)
        if (drift->count[i] > RW_DRIFT_LENGTH)
            return 0;
    return drift->list < RW_DRIFT_LISTS && drift->carry <= DOWN;
}

void rw_drift_begin(rw_drift *drift, uint32_t lane, uint32_t missed)
{
    drift->list = (uint8_t)(drift->carry > 0 ? 3u + drift->carry : (lane & 1) << 1 | missed);
}

uint32_t rw_drift_latest(const rw_drift *drift)
{
    return drift->difference[drift->list][0];
}

/* Adds the weight of a difference, and of those near to it, to that of the bit that each would give. */
static void weigh(uint32_t likely, uint32_t predicted, uint32_t node, uint32_t bit, uint32_t times,
                  uint32_t *weight)
{
    static const uint8_t share[2 * NEAR + 1] = {1, 2, 8, 2, 1};
    uint32_t k;

    for (k = 0; k < sizeof share; k++) {
        uint32_t byte = (likely + k - NEAR) & 255;

        if (byte != predicted && (byte | 256) >> (bit + 1) == node)
            weight[byte >> bit & 1] += share[k] * times;
    }
}

int32_t rw_drift_hint(const rw_drift *drift, uint32_t predicted, uint32_t node, uint32_t bit)
{
    const uint8_t *list = drift->difference[drift->list];
    uint32_t weight[2] = {DOUBT, DOUBT}, count = drift->count[drift->list], i;

    for (i = 0; i < count; i++)
        weigh(predicted + list[i], predicted, node, bit, RW_DRIFT_LENGTH - i, weight);
    if (count > 1)
        weigh(predicted + 2u * list[0] - list[1], predicted, node, bit, RW_DRIFT_LENGTH, weight);
    return weight[0] == weight[1] ? 0
                                  : rw_stretch(weight[1] * 65535u / (weight[0] + weight[1]));
}

void rw_drift_keep(rw_drift *drift, uint32_t predicted, uint32_t byte)
{
    uint8_t *list = drift->difference[drift->list], *count = &drift->count[drift->list];
    uint32_t difference = (byte - predicted) & 255, i;

    drift->carry = 0;
    if (difference == 0)
        return;
    if (difference < 128 && byte < predicted)
        drift->carry = UP;
    else if (difference >= 128 && byte > predicted)
        drift->carry = DOWN;
    if (*count < RW_DRIFT_LENGTH)
        ++*count;
    for (i = *count; i-- > 1;)
        list[i] = list[i - 1];
    list[0] = (uint8_t)difference;
}
