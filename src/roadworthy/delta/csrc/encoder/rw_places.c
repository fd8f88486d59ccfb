/* Sorting some suffixes of an image where they stand, without more memory. */
#include "rw_sort.h"

#define FEW 12
#define KEY 8u

typedef struct {
    const uint8_t *data;
    uint32_t length, step, reach;
} places_t;

/* The next bytes of a suffix as a number. Behind the reach those that are alike have numbers of
 * their own, later ones first: so does one that ends stand before one that goes on with zeros. */
static uint64_t key(const places_t *p, int32_t number, uint32_t depth)
{
    uint64_t at = (uint64_t)(uint32_t)number * p->step + depth, value = 0;
    uint32_t i;

    if (depth >= p->reach)
        return ~(uint64_t)(uint32_t)number;
    if (at + KEY <= p->length) {
        const uint8_t *d = p->data + at;

        for (i = 0; i < KEY; i++)
            value = value << 8 | d[i];
        return value;
    }
    for (i = 0; i < KEY; i++, at++)
        value = value << 8 | (at < p->length ? p->data[at] : 0);
    return value;
}

static void swap(int32_t *a, int32_t *b)
{
    int32_t kept = *a;

    *a = *b;
    *b = kept;
}

static int stands_before(const places_t *p, int32_t a, int32_t b, uint32_t depth)
{
    for (;; depth += KEY) {
        uint64_t x = key(p, a, depth), y = key(p, b, depth);

        if (x != y)
            return x < y;
    }
}

static void sort_few(const places_t *p, int32_t *order, int32_t count, uint32_t depth)
{
    int32_t i, j;

    for (i = 1; i < count; i++)
        for (j = i; j > 0 && stands_before(p, order[j], order[j - 1], depth); j--)
            swap(order + j, order + j - 1);
}

/* One of three, chosen so that no image has been made for the choice to be bad. */
static uint64_t pivot(const places_t *p, const int32_t *order, int32_t count, uint32_t depth)
{
    uint32_t chance = (uint32_t)count * 0x9E3779B1u ^ depth * 0x85EBCA6Bu;
    uint64_t a = key(p, order[(chance >> 7) % (uint32_t)count], depth),
             b = key(p, order[count / 2], depth),
             c = key(p, order[(chance >> 3) % (uint32_t)count], depth);

    if ((a < b) != (a < c))
        return a;
    return (b < a) != (b < c) ? b : c;
}

/* Puts what is below the pivot first and what is above it last; returns where they meet what is
 * equal. */
static void divide(const places_t *p, int32_t *order, int32_t count, uint32_t depth, int32_t *below,
                   int32_t *above)
{
    uint64_t middle = pivot(p, order, count, depth);
    int32_t i = 0;

    *below = 0;
    *above = count;
    while (i < *above) {
        uint64_t value = key(p, order[i], depth);

        if (value < middle)
            swap(order + i++, order + (*below)++);
        else if (value > middle)
            swap(order + i, order + --*above);
        else
            i++;
    }
}

/* Goes into the two smaller of three parts and on with the largest, so that the stack stays low. */
static void sort(const places_t *p, int32_t *order, int32_t count, uint32_t depth)
{
    while (count > FEW) {
        int32_t below, above;

        divide(p, order, count, depth, &below, &above);
        if (above - below >= below && above - below >= count - above) {
            sort(p, order, below, depth);
            sort(p, order + above, count - above, depth);
            order += below;
            count = above - below;
            depth += KEY;
            continue;
        }
        sort(p, order + below, above - below, depth + KEY);
        if (below >= count - above) {
            sort(p, order + above, count - above, depth);
            count = below;
        } else {
            sort(p, order, below, depth);
            order += above;
            count -= above;
        }
    }
    sort_few(p, order, count, depth);
}

void rw_sort_places(const uint8_t *data, uint32_t length, uint32_t step, uint32_t reach,
                    int32_t *order, int32_t count)
{
    places_t places = {data, length, step, reach};

    sort(&places, order, count, 0);
}
