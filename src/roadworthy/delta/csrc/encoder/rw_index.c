#include "rw_index.h"

#include <stdlib.h>
#include <string.h>

#include "rw_format.h"
#include "rw_sort.h"

uint32_t rw_index_common(const uint8_t *a, uint32_t a_left, const uint8_t *b, uint32_t b_left)
{
    uint32_t n = a_left < b_left ? a_left : b_left, i = 0;

    while (i < n && a[i] == b[i])
        i++;
    return i;
}

/* The last suffix may have one byte only; it stands before those that go on. */
static uint32_t first_two(const rw_index *x, int32_t number)
{
    uint32_t at = (uint32_t)number * x->step;

    return (uint32_t)x->data[at] << 8 | (at + 1 < x->length ? x->data[at + 1] : 0);
}

static int find_first(rw_index *x)
{
    int32_t i;

    x->first = calloc(65537, sizeof(int32_t));
    if (x->first == 0)
        return RW_NO_MEMORY;
    for (i = 0; i < x->count; i++)
        x->first[first_two(x, i) + 1]++;
    for (i = 0; i < 65536; i++)
        x->first[i + 1] += x->first[i];
    return RW_OK;
}

/* Sorts suffixes that agree in their first two bytes, which keeps each sort's bytes close by. */
static int sort_sparse(rw_index *x)
{
    int32_t *end = malloc(sizeof(int32_t) * 65536), i;

    if (end == 0)
        return RW_NO_MEMORY;
    for (i = 0; i < 65536; i++)
        end[i] = x->first[i];
    for (i = 0; i < x->count; i++)
        x->order[end[first_two(x, i)]++] = i;
    for (i = 0; i < 65536; i++)
        rw_sort_places(x->data, x->length, x->step, RW_INDEX_REACH, x->order + x->first[i],
                       end[i] - x->first[i]);
    free(end);
    return RW_OK;
}

static void find_runs(rw_index *x)
{
    uint32_t i, length = 0;

    for (i = 0; i < x->length; i++) {
        uint8_t byte = x->data[i];

        length = i > 0 && x->data[i - 1] == byte ? length + 1 : 1;
        if (length > x->run_length[byte]) {
            x->run_length[byte] = length;
            x->run[byte] = x->origin + i + 1 - length;
        }
    }
}

int rw_index_begin(rw_index *x, const uint8_t *image, uint32_t from, uint32_t to, uint32_t step)
{
    memset(x, 0, sizeof *x);
    x->data = image + from;
    x->origin = from;
    x->length = to - from;
    x->step = step;
    x->count = (int32_t)(x->length / step + (x->length % step != 0));
    find_runs(x);
    x->order = malloc(sizeof(int32_t) * ((size_t)x->count + 1));
    if (x->order == 0 || find_first(x) != RW_OK)
        return RW_NO_MEMORY;
    if (step > 1)
        return sort_sparse(x);
    return rw_suffix_sort(x->data, x->count, x->order) == 0 ? RW_OK : RW_NO_MEMORY;
}

void rw_index_free(rw_index *x)
{
    free(x->order);
    free(x->first);
    x->order = x->first = 0;
}

int32_t rw_index_find(const rw_index *x, const uint8_t *wanted, uint32_t left)
{
    uint32_t low_same = 0, high_same = 0;
    int32_t low = -1, high = x->count;

    left = left < RW_INDEX_REACH ? left : RW_INDEX_REACH;
    if (left >= 2) {
        low = x->first[wanted[0] << 8 | wanted[1]] - 1;
        high = x->first[(wanted[0] << 8 | wanted[1]) + 1];
    }
    while (high - low > 1) {
        int32_t middle = low + (high - low) / 2;
        uint32_t from = (uint32_t)x->order[middle] * x->step,
                 same = low_same < high_same ? low_same : high_same;

        same += rw_index_common(wanted + same, left - same, x->data + from + same,
                                x->length - from - same);
        if (same == left || (from + same < x->length && x->data[from + same] > wanted[same])) {
            high = middle;
            high_same = same;
        } else {
            low = middle;
            low_same = same;
        }
    }
    return high;
}
