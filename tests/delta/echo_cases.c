/* What the planner takes for known from earlier target bytes.
 *
 *   echo_cases
 */
#include <string.h>

#include "check.h"
#include "encoder/rw_echo.h"

enum { LENGTH = 4096, ENTRY = 600, WINDOW_BITS = 11, INDEX_BITS = 16 };

static uint8_t target[LENGTH];

/* Bytes without repeats, from a generator that is the same everywhere. */
static void fill(void)
{
    uint32_t state = 7, i;

    for (i = 0; i < LENGTH; i++) {
        state = state * 1664525u + 1013904223u;
        target[i] = (uint8_t)(state >> 24);
    }
}

/* How many bytes of from..to are known, after a walk up to there. */
static uint32_t known(uint32_t from, uint32_t to)
{
    rw_echo echo;
    uint32_t at, count = 0;

    CHECK(rw_echo_begin(&echo, target, WINDOW_BITS, INDEX_BITS));
    for (at = 0; at < to; at++)
        count += (uint32_t)rw_echo_sure(&echo, at) & (uint32_t)(at >= from);
    rw_echo_free(&echo);
    return count;
}

static void only_what_was_there_before_is_known(void)
{
    fill();
    CHECK(known(0, LENGTH) == 0);
    memcpy(target + 1000, target + 100, ENTRY);
    CHECK(known(0, 1000) == 0);
    CHECK(known(1000, 1000 + ENTRY) >= ENTRY - 40 && known(1000, 1000 + ENTRY) <= ENTRY - 32);
    CHECK(known(1000 + ENTRY + 1, LENGTH) == 0);
}

static void a_byte_that_differs_is_not_known(void)
{
    uint32_t before;

    fill();
    memcpy(target + 1000, target + 100, ENTRY);
    before = known(1000, 1000 + ENTRY);
    target[1300] ^= 1;
    CHECK(known(1300, 1300 + 32) == 0);
    CHECK(known(1000, 1000 + ENTRY) < before);
    CHECK(known(1340, 1000 + ENTRY) == 1000 + ENTRY - 1340);
}

static void what_is_behind_the_window_is_forgotten(void)
{
    fill();
    memcpy(target + 100 + (1 << WINDOW_BITS), target + 100, ENTRY);
    CHECK(known(0, LENGTH) == 0);
    fill();
    memcpy(target + 90 + (1 << WINDOW_BITS), target + 100, ENTRY);
    CHECK(known(0, LENGTH) > 0);
}

int main(void)
{
    only_what_was_there_before_is_known();
    a_byte_that_differs_is_not_known();
    what_is_behind_the_window_is_forgotten();
    return 0;
}
