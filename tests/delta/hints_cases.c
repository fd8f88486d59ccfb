/* What the encoder of the fast back end finds in images that no test has the time to encode.
 *
 *   hints_cases
 */
#include <string.h>

#include "check.h"
#include "encoder/rw_hints.h"

enum { WINDOW_BITS = 12 };

/* A long run is found, and not looked at to its end. */
static void a_run_of_hundreds_of_megabytes_is_a_match(void)
{
    const uint32_t length = 400u << 20;
    uint8_t *zeros = calloc(1, length);
    uint32_t distance = 0, found;
    rw_hints hints;

    CHECK(zeros != 0 && rw_hints_begin(&hints, zeros, length, WINDOW_BITS));
    found = rw_hints_match(&hints, 1, length - 1, &distance);
    CHECK(found >= 1u << 16 && found <= 1u << 20 && distance == 1);
    rw_hints_free(&hints);
    free(zeros);
}

/* In images that end with the match, and in those too short for one. */
static void a_match_ends_with_the_image(void)
{
    static const uint8_t image[] = "abcdXabcd";
    uint32_t distance = 0;
    rw_hints hints;

    CHECK(rw_hints_begin(&hints, image, 9, WINDOW_BITS));
    CHECK(rw_hints_match(&hints, 5, 4, &distance) == 4 && distance == 5);
    CHECK(rw_hints_match(&hints, 6, 3, &distance) == 0);
    rw_hints_free(&hints);
    CHECK(rw_hints_begin(&hints, image, 3, WINDOW_BITS));
    CHECK(rw_hints_match(&hints, 0, 3, &distance) == 0);
    rw_hints_free(&hints);
}

int main(void)
{
    a_match_ends_with_the_image();
    a_run_of_hundreds_of_megabytes_is_a_match();
    return 0;
}
