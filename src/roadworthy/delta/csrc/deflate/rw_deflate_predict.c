/* What an encoder of zlib's family would take next: hash chains and lazy matching. */
#include <string.h>

#include "rw_deflate.h"

#define RING 0xffffu
#define LOOK_AHEAD 262u /* zlib never matches farther than its window less this */
#define TOO_FAR 4096u   /* a match of three bytes from farther costs more than literals */

int rw_deflate_rule_ok(const rw_deflate_rule *rule)
{
    return rule->fast <= 1 && rule->early <= 1 && rule->hash_bits >= 8 && rule->hash_bits <= 16
           && rule->window_bits >= 9 && rule->window_bits <= 15 && rule->nice >= RW_MATCH_MIN
           && rule->nice <= RW_MATCH_MAX && rule->chain >= 1 && rule->chain <= RW_CHAIN_MAX
           && rule->limit >= 1 && rule->limit <= RW_TOKENS_MAX;
}

static void insert(rw_predictor *p, uint32_t to)
{
    uint32_t shift = (p->rule->hash_bits + 2u) / 3, mask = (1u << p->rule->hash_bits) - 1;
    const uint8_t *d = p->data;
    uint32_t i, hash;

    if (p->end < RW_MATCH_MIN)
        return;
    if (to > p->end - RW_MATCH_MIN + 1)
        to = p->end - RW_MATCH_MIN + 1;
    for (i = p->inserted; i < to; i++) {
        hash = ((uint32_t)d[i] << 2 * shift ^ (uint32_t)d[i + 1] << shift ^ d[i + 2]) & mask;
        p->previous[i & RING] = p->head[hash];
        p->head[hash] = i;
    }
    if (to > p->inserted)
        p->inserted = to;
}

void rw_predictor_begin(rw_predictor *p, const rw_deflate_rule *rule, const uint8_t *data,
                        uint32_t window, uint32_t end)
{
    memset(p, 0, sizeof *p);
    p->rule = rule;
    p->data = data;
    p->end = end;
    insert(p, window);
}

uint32_t rw_common(const uint8_t *a, const uint8_t *b, uint32_t most)
{
    uint32_t n = 0;
    uint64_t x, y;

    for (; n + 8 <= most; n += 8) {
        memcpy(&x, a + n, 8);
        memcpy(&y, b + n, 8);
        if (x != y)
            break;
    }
    while (n < most && a[n] == b[n])
        n++;
    return n;
}

/* Longest match at `at` of more than `best` bytes, in the order and with the limits of the rule. */
static rw_deflate_match search(const rw_predictor *p, uint32_t at, uint32_t best)
{
    uint32_t far = (1u << p->rule->window_bits) - LOOK_AHEAD, ahead = p->end - at, length;
    uint32_t most = ahead < RW_MATCH_MAX ? ahead : RW_MATCH_MAX, place;
    uint32_t links = best >= p->rule->good ? p->rule->chain >> 2 : p->rule->chain;
    uint32_t nice = p->rule->nice < ahead ? p->rule->nice : ahead;
    const uint8_t *here = p->data + at;
    rw_deflate_match found = {0, 0};

    if (ahead < RW_MATCH_MIN)
        return found;
    place = p->previous[at & RING];
    if (place == 0 || at - place > far)
        return found;
    do {
        const uint8_t *there = p->data + place;
        if (best >= most)
            break;
        if (there[best] == here[best] && there[best - 1] == here[best - 1] && *there == *here) {
            length = rw_common(there, here, most);
            if (length > best) {
                best = length;
                found.length = length;
                found.distance = at - place;
                if (length >= nice)
                    break;
            }
        }
        place = p->previous[place & RING];
    } while (place != 0 && at - place < far && --links != 0);
    return found;
}

static rw_deflate_match patient(rw_predictor *p, uint32_t at, uint32_t best)
{
    rw_deflate_match found;

    insert(p, at + 1);
    found = search(p, at, best);
    if (found.length == RW_MATCH_MIN && found.distance > TOO_FAR)
        found.length = 0;
    return found;
}

rw_deflate_match rw_predict(rw_predictor *p, uint32_t at)
{
    rw_deflate_match now, none = {0, 0};

    if (p->rule->fast) {
        insert(p, at + 1);
        return search(p, at, RW_MATCH_MIN - 1);
    }
    now = p->waiting ? p->next : patient(p, at, RW_MATCH_MIN - 1);
    p->waiting = 0;
    if (now.length < RW_MATCH_MIN)
        return none;
    if (now.length < p->rule->lazy && at + 1 < p->end) {
        p->next = patient(p, at + 1, now.length);
        if (p->next.length > now.length) {
            p->waiting = 1;
            return none;
        }
    }
    return now;
}

void rw_predictor_skip(rw_predictor *p, uint32_t to)
{
    insert(p, to);
    p->waiting = 0;
}

void rw_predictor_take(rw_predictor *p, uint32_t at, uint32_t token, int predicted)
{
    uint32_t length = token >> 16;

    if (!predicted || token != 0)
        p->waiting = 0;
    if (token == 0)
        return;
    if (!p->rule->fast || length <= p->rule->lazy)
        insert(p, at + length);
    else if (p->inserted < at + length)
        p->inserted = at + length;
}

uint32_t rw_predictor_nth(const rw_predictor *p, uint32_t at, uint32_t length, uint32_t index)
{
    uint32_t place, links;

    place = p->previous[at & RING];
    for (links = 0; links < RW_CHAIN_MAX && place != 0 && at - place <= RW_WINDOW; links++) {
        if (rw_common(p->data + place, p->data + at, length) == length && index-- == 0)
            return at - place;
        place = p->previous[place & RING];
    }
    return 0;
}

uint32_t rw_predictor_index(const rw_predictor *p, uint32_t at, uint32_t length, uint32_t distance)
{
    uint32_t place, links, index = 0;

    place = p->previous[at & RING];
    for (links = 0; links < RW_CHAIN_MAX && place != 0 && at - place <= distance; links++) {
        if (at - place == distance)
            return index;
        index += rw_common(p->data + place, p->data + at, length) == length;
        place = p->previous[place & RING];
    }
    return RW_CHAIN_MAX;
}
