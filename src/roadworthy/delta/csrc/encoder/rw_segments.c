/* Load addresses of an image: from its ELF header, or guessed. */
#include <stdlib.h>
#include <string.h>

#include "rw_analyse.h"
#include "rw_map.h"
#include "rw_refs.h"

#define PAIRS 512u
#define NOWHERE 0xA5000000u

static int is_elf(const uint8_t *p, uint32_t length)
{
    return length >= 64 && memcmp(p, "\177ELF", 4) == 0 && p[5] == 1;
}

/* Reads program header `i` into `s`; returns 1 for a part that is loaded. */
static int load_segment(const uint8_t *p, uint32_t length, uint32_t i, rw_segment *s,
                        uint32_t *memory)
{
    int wide = p[4] == 2;
    uint32_t size = wide ? 56 : 32, at = rw_get32(p + (wide ? 32 : 28)) + i * size;

    if (at > length || length - at < size || rw_get32(p + at) != 1)
        return 0;
    p += at;
    s->offset = rw_get32(p + (wide ? 8 : 4));
    s->address = rw_get32(p + (wide ? 16 : 8));
    s->length = rw_get32(p + (wide ? 32 : 16));
    *memory = rw_get32(p + (wide ? 40 : 20));
    return s->length > 0 && s->offset <= length && s->length <= length - s->offset;
}

static uint32_t elf_segments(const uint8_t *p, uint32_t length, rw_segment *segments)
{
    uint32_t count = rw_get16(p + (p[4] == 2 ? 56 : 44)), found = 0, memory = 0, last = 0, i;

    for (i = 0; i < count && found < RW_SEGMENTS; i++)
        if (load_segment(p, length, i, segments + found, &memory)) {
            last = memory;
            found++;
        }
    if (found > 0 && last > segments[found - 1].length)
        segments[found - 1].length = last;
    return found;
}

typedef struct {
    uint32_t base, target;
} change_t;

static int by_base_value(const void *a, const void *b)
{
    uint32_t x = ((const change_t *)a)->base, y = ((const change_t *)b)->base;

    return x < y ? -1 : x > y;
}

/* Aligned words under covers that changed, thinned out to at most `most`. */
static uint32_t changed_words(const rw_pair_of_images *m, change_t *changes, uint32_t most)
{
    uint32_t found = 0, seen = 0, i, at;

    for (i = 0; i < m->cover_count; i++) {
        for (at = (4 - m->covers[i].base % 4) % 4; at + 4 <= m->covers[i].length; at += 4) {
            change_t c = {rw_get32(m->base + m->covers[i].base + at),
                          rw_get32(m->target + m->covers[i].target + at)};

            if (c.base != c.target && c.target - c.base + 0x400000 < 0x800000 && found < most)
                changes[found++] = c;
        }
        rw_images_seen(m, &seen, m->covers[i].length);
    }
    return found;
}

/* The stretch of `length` address bytes that holds most of the changed words. */
static uint32_t densest(const change_t *changes, uint32_t count, uint32_t length, uint32_t *inside)
{
    uint32_t low = 0, high, best = 0;

    *inside = 0;
    for (high = 0; high < count; high++) {
        while (changes[high].base - changes[low].base >= length)
            low++;
        if (high - low + 1 > *inside) {
            *inside = high - low + 1;
            best = low;
        }
    }
    return best;
}

static uint32_t agreement(const rw_view *view, const change_t *changes, uint32_t count,
                          uint32_t address)
{
    uint32_t step = count / PAIRS + 1, right = 0, i, target;

    for (i = 0; i < count; i += step) {
        uint32_t offset = (changes[i].base & ~1u) - address;

        if (offset < view->engine->header.base_length && rw_map_offset(view, offset, &target)
            && target + address == (changes[i].target & ~1u))
            right++;
    }
    return right;
}

static uint32_t guess_address(const rw_view *view, const change_t *changes, uint32_t count)
{
    uint32_t length = view->engine->header.base_length, inside, first, last, step = 256, best = 0,
             found = NOWHERE;
    uint32_t address;

    if (count < 4 || length < 256)
        return NOWHERE;
    first = densest(changes, count, length, &inside);
    last = changes[first + inside - 1].base;
    changes += first;
    while (length / step > 4096)
        step *= 2;
    for (address = changes[0].base & ~(step - 1);; address -= step) {
        uint32_t right = last - address < length ? agreement(view, changes, inside, address) : 0;

        if (right > best) {
            best = right;
            found = address;
        }
        if (address < step || last - address >= length)
            break;
    }
    return best >= 8 && best * 8 > (inside < PAIRS ? inside : PAIRS) ? found : NOWHERE;
}

static uint32_t guess(const rw_pair_of_images *m)
{
    uint32_t most = m->base_length / 4 + 1, count, address = NOWHERE;
    change_t *changes = malloc(sizeof(change_t) * most);
    uint32_t *order = malloc(sizeof(uint32_t) * (m->cover_count + 1));
    rw_engine *engine = calloc(1, sizeof *engine);
    rw_view view = {0};

    if (changes != 0 && order != 0 && engine != 0) {
        view.engine = engine;
        view.covers = (rw_cover *)m->covers;
        view.by_base = order;
        engine->header.cover_count = m->cover_count;
        engine->header.base_length = m->base_length;
        rw_sort_covers(&view);
        count = changed_words(m, changes, most);
        qsort(changes, count, sizeof(change_t), by_base_value);
        address = guess_address(&view, changes, count);
    }
    free(changes);
    free(order);
    free(engine);
    return address;
}

void rw_find_segments(const rw_pair_of_images *m, rw_engine *p)
{
    uint32_t address;

    p->segment_count[0] = p->segment_count[1] = 0;
    if (is_elf(m->base, m->base_length) && is_elf(m->target, m->target_length)) {
        p->segment_count[0] = elf_segments(m->base, m->base_length, p->segment[0]);
        p->segment_count[1] = elf_segments(m->target, m->target_length, p->segment[1]);
        if (p->segment_count[0] > 0 && p->segment_count[1] > 0)
            return;
    }
    address = guess(m);
    p->segment_count[0] = p->segment_count[1] = 1;
    p->segment[0][0].offset = p->segment[1][0].offset = 0;
    p->segment[0][0].address = p->segment[1][0].address = address;
    p->segment[0][0].length = m->base_length + m->base_length / 4;
    p->segment[1][0].length = m->target_length + m->target_length / 4;
}
