/* Huffman codes as zlib and gzip build them: same heap, same ties, same way to shorten codes. */
#include <string.h>

#include "rw_deflate.h"

#define SYMBOLS 288u

typedef struct {
    const uint16_t *counts;
    uint32_t weight[2 * SYMBOLS + 1];
    uint16_t parent[2 * SYMBOLS + 1], heap[2 * SYMBOLS + 2];
    uint8_t depth[2 * SYMBOLS + 1], length[2 * SYMBOLS + 1];
    uint32_t size, top; /* heap[1..size] is the heap, heap[top..] what left it */
} tree;

static int before(const tree *t, uint32_t a, uint32_t b)
{
    return t->weight[a] < t->weight[b]
           || (t->weight[a] == t->weight[b] && t->depth[a] <= t->depth[b]);
}

static void sift(tree *t, uint32_t at)
{
    uint16_t moved = t->heap[at];
    uint32_t child = at * 2;

    while (child <= t->size) {
        if (child < t->size && before(t, t->heap[child + 1], t->heap[child]))
            child++;
        if (before(t, moved, t->heap[child]))
            break;
        t->heap[at] = t->heap[child];
        at = child;
        child *= 2;
    }
    t->heap[at] = moved;
}

static void join(tree *t, uint32_t symbols)
{
    uint32_t node = symbols, least, second;

    do {
        least = t->heap[1];
        t->heap[1] = t->heap[t->size--];
        sift(t, 1);
        second = t->heap[1];
        t->heap[--t->top] = (uint16_t)least;
        t->heap[--t->top] = (uint16_t)second;
        t->weight[node] = t->weight[least] + t->weight[second];
        t->depth[node] = t->depth[least] > t->depth[second] ? t->depth[least] : t->depth[second];
        t->depth[node]++;
        t->parent[least] = t->parent[second] = (uint16_t)node;
        t->heap[1] = (uint16_t)node++;
        sift(t, 1);
    } while (t->size >= 2);
    t->heap[--t->top] = t->heap[1];
}

/* Lengths from the root down; where they are too long, others are made longer instead. */
static void measure(tree *t, uint32_t symbols, uint32_t deepest, uint32_t heap_end)
{
    uint32_t number[16] = {0}, at, node, bits, left;
    int32_t excess = 0;

    t->length[t->heap[t->top]] = 0;
    for (at = t->top + 1; at < heap_end; at++) {
        node = t->heap[at];
        bits = t->length[t->parent[node]] + 1u;
        if (bits > deepest) {
            bits = deepest;
            excess++;
        }
        t->length[node] = (uint8_t)bits;
        if (node < symbols)
            number[bits]++;
    }
    if (excess == 0)
        return;
    for (; excess > 0; excess -= 2) {
        bits = deepest - 1;
        while (number[bits] == 0)
            bits--;
        number[bits]--;
        number[bits + 1] += 2;
        number[deepest]--;
    }
    for (bits = deepest, at = heap_end; bits > 0; bits--)
        for (left = number[bits]; left > 0;) {
            node = t->heap[--at];
            if (node >= symbols)
                continue;
            t->length[node] = (uint8_t)bits;
            left--;
        }
}

uint32_t rw_deflate_tree(const uint16_t *counts, uint32_t symbols, uint32_t deepest,
                         uint8_t *lengths)
{
    tree t;
    uint32_t i, heap_end = 2 * symbols + 1;
    int32_t last = -1;

    memset(&t, 0, sizeof t);
    for (i = 0; i < symbols; i++) {
        t.weight[i] = counts[i];
        if (counts[i] > 0) {
            t.heap[++t.size] = (uint16_t)i;
            last = (int32_t)i;
        }
    }
    while (t.size < 2) {
        /* A code needs two symbols: the next one stands in, or the first. */
        i = last < 2 ? (uint32_t)++last : 0;
        t.heap[++t.size] = (uint16_t)i;
        t.weight[i] = 1;
    }
    t.top = heap_end;
    for (i = t.size / 2; i >= 1; i--)
        sift(&t, i);
    join(&t, symbols);
    measure(&t, symbols, deepest, heap_end);
    memcpy(lengths, t.length, symbols);
    return (uint32_t)last;
}

/* Sends a run of equal lengths. */
static void send_run(rw_deflate_head *head, uint32_t value, uint32_t times, int again)
{
    if (times < (again || value == 0 ? 3u : 4u)) {
        while (times-- > 0)
            head->symbol[head->count++] = (uint8_t)value;
        return;
    }
    if (value != 0 && !again) {
        head->symbol[head->count++] = (uint8_t)value;
        times--;
    }
    if (value != 0) {
        head->extra[head->count] = (uint8_t)(times - 3);
        head->symbol[head->count++] = 16;
    } else {
        head->extra[head->count] = (uint8_t)(times - (times <= 10 ? 3 : 11));
        head->symbol[head->count++] = times <= 10 ? 17 : 18;
    }
}

static void send_lengths(rw_deflate_head *head, const uint8_t *lengths, uint32_t count)
{
    uint32_t i, most, times = 0, before_it = 99;

    for (i = 0; i < count; i++) {
        times++;
        most = lengths[i] == 0 ? 138 : lengths[i] == before_it ? 6 : 7;
        if (times < most && i + 1 < count && lengths[i + 1] == lengths[i])
            continue;
        send_run(head, lengths[i], times, lengths[i] == before_it);
        before_it = lengths[i];
        times = 0;
    }
}

static uint32_t order_bits(rw_deflate_head *head)
{
    uint16_t counts[19] = {0};
    uint32_t i, bits = 0;

    for (i = 0; i < head->count; i++)
        counts[head->symbol[i]]++;
    rw_deflate_tree(counts, 19, 7, head->order);
    head->orders = 19;
    while (head->orders > 4 && head->order[rw_deflate_order[head->orders - 1]] == 0)
        head->orders--;
    for (i = 0; i < 19; i++)
        bits += counts[i] * (head->order[i] + (i > 15 ? rw_deflate_repeat_bits[i - 16] : 0u));
    return bits + 14 + 3u * head->orders;
}

static uint32_t body_bits(const rw_deflate_counts *counts, const rw_deflate_lengths *lengths)
{
    uint32_t i, bits = 0;

    for (i = 0; i < RW_LITERALS; i++)
        bits += counts->literal[i] * (lengths->literal[i] + (i > 256 ? rw_length_extra(i) : 0));
    for (i = 0; i < RW_DISTANCES; i++)
        bits += counts->distance[i] * (lengths->distance[i] + rw_distance_extra(i));
    return bits;
}

int rw_deflate_choose(const rw_deflate_counts *counts, rw_deflate_head *head)
{
    rw_deflate_lengths lengths, fixed;
    uint32_t dynamic_bits;

    memset(head, 0, sizeof *head);
    memset(&lengths, 0, sizeof lengths);
    head->literals =
        (uint16_t)(rw_deflate_tree(counts->literal, RW_LITERALS, 15, lengths.literal) + 1);
    head->distances = (uint16_t)(
        rw_deflate_tree(counts->distance, RW_DISTANCES, 15, lengths.distance) + 1);
    send_lengths(head, lengths.literal, head->literals);
    send_lengths(head, lengths.distance, head->distances);
    rw_deflate_fixed(&fixed);
    dynamic_bits = body_bits(counts, &lengths) + order_bits(head);
    return (body_bits(counts, &fixed) + 10) >> 3 <= (dynamic_bits + 10) >> 3;
}
