/* Every word of a decoder's state, in turn, set to values that hurt: it is refused, or the run
 * that goes on from it ends inside its bounds. Not for libFuzzer: a program that takes inputs
 * as hostile.h lays them out, and prints how many states were refused and how many went on.
 *
 *   sweep PIECES INPUT...
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hostile.h"

static uint8_t input[1 << 17], out[TARGET_MAX];
static uint32_t refused, went_on;

static uint32_t value(uint32_t word, uint32_t which)
{
    const uint32_t values[] = {0, word + 1, word - 1, 200, 1u << 24, 1u << 31, 0xffffffff};

    return values[which];
}

static void try_word(hostile *h, const uint8_t *journal, uint32_t size, uint32_t at)
{
    uint32_t word, which, made;
    uint8_t *state = malloc(size);
    const rw_engine *engine = (const rw_engine *)(const void *)state;

    HOSTILE_CHECK(state != NULL);
    for (which = 0; which < 7; which++) {
        memcpy(state, journal, size);
        memcpy(&word, state + at, 4);
        word = value(word, which);
        memcpy(state + at, &word, 4);
        if (rw_decoder_resume(state, size, size) != RW_OK
            || (engine->phase != RW_PHASE_HEADER
                && engine->header.base_length != h->base_length)) {
            refused++;
            continue;
        }
        went_on++;
        h->header_is_damaged = engine->phase == RW_PHASE_HEADER;
        hostile_run(h, state, engine->fed, 1 + h->seed, out, &made);
    }
    free(state);
}

static void sweep(hostile *h, uint32_t fed)
{
    uint32_t size = rw_workspace_size(&h->header), length = h->length, made, at;
    uint8_t *state = calloc(1, size);

    HOSTILE_CHECK(state != NULL && rw_decoder_begin(state, size) == RW_OK);
    h->length = fed;
    hostile_run(h, state, 0, 0, out, &made);
    h->length = length;
    size = rw_decoder_journal_size(state);
    for (at = 0; at < size; at += at < RW_WORKSPACE_MIN ? 4 : 4 * 509)
        try_word(h, state, size, at);
    free(state);
}

int main(int count, char **argument)
{
    int i, pieces = count > 1 ? atoi(argument[1]) : 0, piece;

    for (i = 2; i < count; i++) {
        FILE *file = fopen(argument[i], "rb");
        size_t size = file != NULL ? fread(input, 1, sizeof input, file) : 0;
        hostile h;

        if (file == NULL || !hostile_open(&h, input, size))
            return 1;
        fclose(file);
        sweep(&h, RW_HEADER_MIN - 1); /* in the middle of the header */
        for (piece = 0; piece < pieces; piece++)
            sweep(&h, h.length * (uint32_t)(piece + 1) / (uint32_t)pieces - 1);
        hostile_free(&h);
    }
    printf("%u refused, %u went on\n", refused, went_on);
    return 0;
}
