/* The encoder's index of a base, whole and with steps, against what any sort finds.
 *
 *   index_cases
 */
#include <string.h>

#include "check.h"
#include "encoder/rw_index.h"
#include "rw_format.h"

enum { LENGTH = 6000, ORIGIN = 100 };

static uint8_t image[LENGTH];

/* Text of few letters, runs of zeros longer than the reach, and a run at the end. */
static void fill_image(void)
{
    uint32_t seed = 1, i;

    for (i = 0; i < LENGTH; i++) {
        seed = seed * 1103515245u + 12345u;
        image[i] = (uint8_t)(seed >> 16 & 3);
    }
    image[999] = 1;
    memset(image + 1000, 0, 1500);
    memset(image + 5300, 0, LENGTH - 5300);
}

static int compare(const rw_index *x, int32_t a, int32_t b)
{
    uint32_t from = (uint32_t)a * x->step, to = (uint32_t)b * x->step,
             left = x->length - (from > to ? from : to),
             same = rw_index_common(x->data + from, left, x->data + to, left);

    if (same == left || same >= RW_INDEX_REACH)
        return 0;
    return x->data[from + same] < x->data[to + same] ? -1 : 1;
}

static void every_place_is_there_once_and_in_order(const rw_index *x)
{
    static uint8_t seen[LENGTH];
    int32_t i;

    memset(seen, 0, sizeof seen);
    CHECK(x->count == (int32_t)((x->length + x->step - 1) / x->step));
    for (i = 0; i < x->count; i++) {
        CHECK(x->order[i] >= 0 && x->order[i] < x->count && !seen[x->order[i]]);
        seen[x->order[i]] = 1;
        CHECK(i == 0 || compare(x, x->order[i - 1], x->order[i]) <= 0);
    }
}

/* A suffix of the image is found where it stands, or one that is as good. */
static void what_is_indexed_is_found(const rw_index *x)
{
    uint32_t at;

    for (at = 0; at + 4 <= x->length; at += x->step) {
        uint32_t left = x->length - at, reach = left < RW_INDEX_REACH ? left : RW_INDEX_REACH, from;
        int32_t place = rw_index_find(x, x->data + at, left);

        CHECK(place >= 0 && place < x->count);
        from = (uint32_t)x->order[place] * x->step;
        CHECK(rw_index_common(x->data + at, reach, x->data + from, x->length - from) == reach);
    }
}

static void an_index_of_any_step_finds_what_it_holds(void)
{
    uint32_t step;
    rw_index x;

    for (step = 1; step <= 16; step *= 2) {
        CHECK(rw_index_begin(&x, image, ORIGIN, LENGTH, step) == RW_OK);
        every_place_is_there_once_and_in_order(&x);
        what_is_indexed_is_found(&x);
        CHECK(x.origin == ORIGIN && x.run[0] == 1000 && x.run_length[0] >= 1500);
        rw_index_free(&x);
    }
}

static void an_image_of_nothing_holds_nothing(void)
{
    uint32_t step;
    rw_index x;

    for (step = 1; step <= 16; step *= 2) {
        CHECK(rw_index_begin(&x, image, 7, 7, step) == RW_OK);
        CHECK(x.count == 0 && rw_index_find(&x, image, 9) == 0);
        rw_index_free(&x);
        CHECK(rw_index_begin(&x, image, 7, 8, step) == RW_OK);
        CHECK(x.count == 1 && x.order[0] == 0);
        rw_index_free(&x);
    }
}

int main(void)
{
    fill_image();
    an_index_of_any_step_finds_what_it_holds();
    an_image_of_nothing_holds_nothing();
    return 0;
}
