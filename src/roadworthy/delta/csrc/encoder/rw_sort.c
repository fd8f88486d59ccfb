#include "rw_sort.h"

#include <stdlib.h>
#include <string.h>

/* A text over 0..symbols-1 whose last symbol, 0, occurs only there: numbers, or the bytes of
 * an image counted from 1 and a 0 behind them. */
typedef struct {
    const int32_t *text;
    const uint8_t *bytes; /* instead of text, when not 0 */
    int32_t length, symbols;
    uint8_t *type; /* bit i: suffix i is smaller than suffix i + 1 */
    int32_t *bucket;
} text_t;

static int32_t symbol(const text_t *t, int32_t i)
{
    if (t->bytes == 0)
        return t->text[i];
    return i == t->length - 1 ? 0 : t->bytes[i] + 1;
}

static int is_s(const text_t *t, int32_t i)
{
    return t->type[i >> 3] >> (i & 7) & 1;
}

static int is_lms(const text_t *t, int32_t i)
{
    return i > 0 && is_s(t, i) && !is_s(t, i - 1);
}

static void find_types(text_t *t)
{
    int32_t i;

    memset(t->type, 0, (size_t)t->length / 8 + 1);
    t->type[(t->length - 1) >> 3] |= (uint8_t)(1 << ((t->length - 1) & 7));
    for (i = t->length - 2; i >= 0; i--)
        if (symbol(t, i) < symbol(t, i + 1) || (symbol(t, i) == symbol(t, i + 1) && is_s(t, i + 1)))
            t->type[i >> 3] |= (uint8_t)(1 << (i & 7));
}

static void find_buckets(text_t *t, int ends)
{
    int32_t i, sum = 0;

    memset(t->bucket, 0, sizeof(int32_t) * (size_t)t->symbols);
    for (i = 0; i < t->length; i++)
        t->bucket[symbol(t, i)]++;
    for (i = 0; i < t->symbols; i++) {
        int32_t count = t->bucket[i];

        sum += count;
        t->bucket[i] = ends ? sum : sum - count;
    }
}

static void induce(text_t *t, int32_t *order)
{
    int32_t i, j;

    find_buckets(t, 0);
    for (i = 0; i < t->length; i++) {
        j = order[i] - 1;
        if (j >= 0 && !is_s(t, j))
            order[t->bucket[symbol(t, j)]++] = j;
    }
    find_buckets(t, 1);
    for (i = t->length - 1; i >= 0; i--) {
        j = order[i] - 1;
        if (j >= 0 && is_s(t, j))
            order[--t->bucket[symbol(t, j)]] = j;
    }
}

static int same_lms(const text_t *t, int32_t a, int32_t b)
{
    int32_t d;

    for (d = 0;; d++) {
        if (symbol(t, a + d) != symbol(t, b + d) || is_s(t, a + d) != is_s(t, b + d))
            return 0;
        if (d > 0 && (is_lms(t, a + d) || is_lms(t, b + d)))
            return 1;
    }
}

/* Names the sorted LMS substrings order[0..count); names lie behind them. Returns how many. */
static int32_t name_substrings(const text_t *t, int32_t *order, int32_t count)
{
    int32_t i, names = 0, last = -1;

    for (i = count; i < t->length; i++)
        order[i] = -1;
    for (i = 0; i < count; i++) {
        int32_t position = order[i];

        if (last < 0 || !same_lms(t, position, last)) {
            names++;
            last = position;
        }
        order[count + position / 2] = names - 1;
    }
    return names;
}

static int sort_text(text_t t, int32_t *order);

static int32_t sort_substrings(text_t *t, int32_t *order)
{
    int32_t i, count = 0;

    find_buckets(t, 1);
    for (i = 0; i < t->length; i++)
        order[i] = -1;
    for (i = 1; i < t->length; i++)
        if (is_lms(t, i))
            order[--t->bucket[symbol(t, i)]] = i;
    induce(t, order);
    for (i = 0; i < t->length; i++)
        if (is_lms(t, order[i]))
            order[count++] = order[i];
    return count;
}

static int sort_lms(text_t *t, int32_t *order, int32_t count, int32_t names)
{
    int32_t *reduced = order + t->length - count, i, j;

    for (i = t->length - 1, j = t->length - 1; i >= count; i--)
        if (order[i] >= 0)
            order[j--] = order[i];
    if (names < count) {
        text_t names_text = {reduced, 0, count, names, 0, 0};

        if (sort_text(names_text, order) != 0)
            return -1;
    } else {
        for (i = 0; i < count; i++)
            order[reduced[i]] = i;
    }
    for (i = 1, j = 0; i < t->length; i++)
        if (is_lms(t, i))
            reduced[j++] = i;
    for (i = 0; i < count; i++)
        order[i] = reduced[order[i]];
    return 0;
}

static int sort_text(text_t t, int32_t *order)
{
    int32_t count, names, i;
    int status = -1;

    t.type = malloc((size_t)t.length / 8 + 1);
    t.bucket = malloc(sizeof(int32_t) * (size_t)t.symbols);
    if (t.type != 0 && t.bucket != 0) {
        find_types(&t);
        count = sort_substrings(&t, order);
        names = name_substrings(&t, order, count);
        status = sort_lms(&t, order, count, names);
        find_buckets(&t, 1);
        for (i = count; i < t.length; i++)
            order[i] = -1;
        for (i = count - 1; i >= 0; i--) {
            int32_t j = order[i];

            order[i] = -1;
            order[--t.bucket[symbol(&t, j)]] = j;
        }
        induce(&t, order);
    }
    free(t.type);
    free(t.bucket);
    return status;
}

int rw_suffix_sort(const uint8_t *data, int32_t length, int32_t *order)
{
    text_t text = {0, data, length + 1, 257, 0, 0};

    if (sort_text(text, order) != 0)
        return -1;
    memmove(order, order + 1, sizeof(int32_t) * (size_t)length);
    return 0;
}
