#include "rw_hints.h"

#include <stdlib.h>
#include <string.h>

#include "rw_math.h"
#include "rw_refs.h"

#define HASH_BITS 16
#define TRIES 48
#define LONGEST (1u << 16) /* of a match; what is longer is several */
#define NONE 0xffffffffu

int rw_hints_begin(rw_hints *h, const uint8_t *target, uint32_t length, uint32_t window_bits)
{
    memset(h, 0, sizeof *h);
    h->target = target;
    h->target_length = length;
    h->window = (1u << window_bits) - 1;
    h->head = malloc((sizeof *h->head) << HASH_BITS);
    h->previous = malloc(((size_t)h->window + 1) * sizeof *h->previous);
    if (h->head == 0 || h->previous == 0)
        return 0;
    memset(h->head, 0xff, (sizeof *h->head) << HASH_BITS);
    return 1;
}

void rw_hints_free(rw_hints *h)
{
    free(h->runs);
    free(h->head);
    free(h->previous);
}

static void add_run(rw_hints *h)
{
    uint32_t capacity = h->capacity * 2 + 256;
    uint32_t *runs;

    if (h->count == h->capacity) {
        runs = realloc(h->runs, capacity * sizeof *runs);
        if (runs == 0) {
            h->failed = 1;
            return;
        }
        h->runs = runs;
        h->capacity = capacity;
    }
    h->runs[h->count++] = h->current;
    h->current = 0;
}

void rw_hints_record(rw_hints *h, int right)
{
    if (right)
        h->current++;
    else
        add_run(h);
}

uint32_t rw_hints_run(rw_hints *h)
{
    return h->next < h->count ? h->runs[h->next++] : h->current;
}

static uint32_t hash_at(const rw_hints *h, uint32_t position)
{
    return rw_hash(rw_get32(h->target + position), 0) >> (32 - HASH_BITS);
}

static void enter_up_to(rw_hints *h, uint32_t position)
{
    uint32_t *head;

    if (h->entered + h->window < position)
        h->entered = position - h->window;
    for (; h->entered < position && h->entered + 4 <= h->target_length; h->entered++) {
        head = h->head + hash_at(h, h->entered);
        h->previous[h->entered & h->window] = *head;
        *head = h->entered;
    }
}

static uint32_t common(const uint8_t *a, const uint8_t *b, uint32_t limit)
{
    uint32_t n = 0;

    while (n < limit && a[n] == b[n])
        n++;
    return n;
}

/* What a match saves, in about 1/8 literals. */
static int32_t gain(uint32_t length, uint32_t distance)
{
    return (int32_t)length * 6 - 8 - (int32_t)rw_log2(distance);
}

uint32_t rw_hints_match(rw_hints *h, uint32_t position, uint32_t limit, uint32_t *distance)
{
    uint32_t at, tries, length, best = 0;

    if (position + 4 > h->target_length || limit < 4)
        return 0;
    if (limit > LONGEST)
        limit = LONGEST;
    enter_up_to(h, position);
    at = h->head[hash_at(h, position)];
    for (tries = 0; tries < TRIES && at != NONE && position - at < h->window; tries++) {
        length = common(h->target + at, h->target + position, limit);
        if (length >= 4 && gain(length, position - at) > (best ? gain(best, *distance) : 0)) {
            best = length;
            *distance = position - at;
        }
        if (h->previous[at & h->window] == NONE || h->previous[at & h->window] >= at)
            break;
        at = h->previous[at & h->window];
    }
    return best;
}
