/* rw_decoder_resume on hostile journals: a decoder is stopped, words of its state are changed,
 * and it goes on. The state is refused, or work ends with a status; it may end in a wrong
 * target (who can write the journal can write the target), but never out of bounds.
 *
 *   offset size
 *        0    2 patch bytes fed before the journal is taken
 *        2    1 number of changes, at most 15
 *        3    4 each change: place (2), what happens to the word there (1), with what (1)
 *           ... as in hostile.h
 */
#include <stdlib.h>
#include <string.h>

#include "hostile.h"

static uint32_t changed(uint32_t word, uint32_t how, uint32_t by)
{
    switch (how % 8) {
    case 0:
        return by;
    case 1:
        return 0u - by;
    case 2:
        return word + by;
    case 3:
        return word - by;
    case 4:
        return word ^ 1u << by % 32;
    case 5:
        return 1u << by % 32;
    case 6:
        return (uint32_t)by << 24 | (word & 0xffffff);
    default:
        return by * 0x01010101u;
    }
}

static void change(uint8_t *state, uint32_t size, const uint8_t *changes, uint32_t count)
{
    uint32_t i, word, engine = RW_WORKSPACE_MIN / 4;

    for (i = 0; i < count; i++, changes += 4) {
        uint32_t place = changes[0] | (uint32_t)changes[1] << 8;

        /* Most of it is models; all but each fourth change hit what stands before them. */
        place = i % 4 == 3 ? place * 8 % (size / 4) : place % engine;
        memcpy(&word, state + 4 * place, 4);
        word = changed(word, changes[2], changes[3]);
        memcpy(state + 4 * place, &word, 4);
    }
}

/* Returns the journal, exactly as large as it says it is. */
static uint8_t *take_journal(hostile *h, uint32_t fed, uint32_t *size)
{
    static uint8_t out[TARGET_MAX];
    uint32_t length = h->length, workspace_size = rw_workspace_size(&h->header), made;
    uint8_t *workspace = calloc(1, workspace_size), *journal;

    HOSTILE_CHECK(workspace != NULL && rw_decoder_begin(workspace, workspace_size) == RW_OK);
    h->length = fed < length ? fed : length;
    hostile_run(h, workspace, 0, 0, out, &made);
    h->length = length;
    *size = rw_decoder_journal_size(workspace);
    journal = malloc(*size);
    HOSTILE_CHECK(journal != NULL && *size <= workspace_size);
    memcpy(journal, workspace, *size);
    free(workspace);
    return journal;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t out[TARGET_MAX];
    uint32_t count, journal_size, made;
    const rw_engine *engine;
    uint8_t *journal;
    hostile h;

    if (size < 3)
        return 0;
    count = data[2] & 15;
    if (size < 3 + 4 * count || !hostile_open(&h, data + 3 + 4 * count, size - 3 - 4 * count))
        return 0;
    journal = take_journal(&h, data[0] | (uint32_t)data[1] << 8, &journal_size);
    change(journal, journal_size, data + 3, count);
    engine = (const rw_engine *)(const void *)journal;
    if (rw_decoder_resume(journal, journal_size, journal_size) == RW_OK
        && engine->header.target_length - engine->position <= TARGET_MAX
        && engine->header.base_length == h.base_length) {
        h.header_is_damaged = engine->phase == RW_PHASE_HEADER;
        hostile_run(&h, journal, engine->fed, 1 + h.seed, out, &made);
    }
    free(journal);
    hostile_free(&h);
    return 0;
}
