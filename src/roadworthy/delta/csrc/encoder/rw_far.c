#include "rw_far.h"

#include <stdlib.h>

#include "rw_math.h"
#include "rw_refs.h"

#define BLOCK 32u /* bytes of a repeat that are looked up */
#define EVERY 8u  /* of which places are remembered */
#define BITS 18u

typedef struct {
    const uint8_t *target;
    uint32_t length, near, far, least;
    uint32_t *places; /* behind the first byte of the latest block with each hash; 0 for none */
} far_t;

static uint32_t *place_of(const far_t *f, uint32_t at)
{
    uint32_t hash = 0, i;

    for (i = 0; i < BLOCK; i += 4)
        hash = rw_hash(hash, rw_get32(f->target + at + i));
    return f->places + (hash >> (32 - BITS));
}

/* The length of what stands at `at` and stood far before, up to what is enough. */
static uint32_t repeated(const far_t *f, uint32_t at)
{
    uint32_t before = *place_of(f, at), length = 0;

    if (before == 0 || at + 1 - before < f->near || at + 1 - before >= f->far)
        return 0;
    while (length < f->least && at + length < f->length
           && f->target[before - 1 + length] == f->target[at + length])
        length++;
    return length < BLOCK ? 0 : length;
}

int rw_repeats_far(const rw_plan *plan, uint32_t near, uint32_t far, uint32_t least)
{
    const rw_encode_job *job = plan->job;
    far_t f = {job->target, job->target_length, near, far, least,
               calloc((size_t)1 << BITS, sizeof(uint32_t))};
    uint32_t at, counted = 0, sum = 0, cover = 0;

    for (at = 0; f.places != 0 && sum < least && f.length - at >= BLOCK; at++) {
        const rw_cover *c = plan->covers + cover;

        if (cover < plan->cover_count && at >= c->target + c->length)
            c = plan->covers + ++cover;
        if (at >= counted && (cover == plan->cover_count || at < c->target)) {
            uint32_t length = repeated(&f, at);

            sum += length;
            counted = at + length;
        }
        if (at % EVERY == 0)
            *place_of(&f, at) = at + 1;
    }
    free(f.places);
    return sum >= least;
}
