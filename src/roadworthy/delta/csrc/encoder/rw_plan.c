#include "rw_plan.h"

#include <stdlib.h>
#include <string.h>

#include "rw_map.h"
#include "rw_match.h"

#define PART (4u << 20) /* of the target, that is masked at a time where memory is limited */
#define BESIDE (4u << 20) /* pages of the base between two reports, and what the search keeps */

uint64_t rw_plan_memory(const rw_encode_job *job, uint32_t step)
{
    uint64_t part = job->target_length < PART ? job->target_length : PART;

    return (uint64_t)job->base_length / step * sizeof(int32_t) + job->base_length + 2 * part + BESIDE;
}

/* The smallest step of the index that the memory is enough for. */
static uint32_t step_of(const rw_encode_job *job)
{
    uint32_t step = 1;

    while (job->memory > 0 && step < RW_INDEX_STEP_MAX && rw_plan_memory(job, step) > job->memory)
        step *= 2;
    return step;
}

/* A walk over the target, part by part. */
typedef struct {
    rw_plan *plan;
    rw_index index;
    const uint8_t *masked_base;
    uint8_t *masked; /* room for a part; 0 where nothing is masked */
    uint32_t from, to;
    rw_cover *covers;
    uint32_t count;
} walk_t;

/* Planning takes 400 thousandths of the work. */
static int report(void *user, uint32_t at)
{
    const walk_t *w = user;
    const rw_encode_job *job = w->plan->job;
    uint64_t done = (uint64_t)(w->from + at) * 190 / job->target_length;

    return rw_report(job, w->plan->done + (uint32_t)done);
}

/* Masks an image from..to, piece by piece where its pages are to be let go of. */
static int mask(const rw_plan *plan, int side, uint32_t from, uint32_t to, uint8_t *masked)
{
    const rw_encode_job *job = plan->job;
    const uint8_t *image = side == RW_BASE ? job->base : job->target;
    uint32_t most = job->memory > 0 ? PART : to - from, at, piece;

    for (at = from; at < to; at += piece) {
        piece = to - at < most ? to - at : most;
        rw_mask(plan->header.arch, &plan->parameters, side, image + at, piece,
                masked + (at - from));
        if (rw_report(job, plan->done) != RW_OK)
            return RW_CALLBACK;
    }
    return RW_OK;
}

static int add_covers(walk_t *w, const rw_cover *covers, uint32_t count)
{
    rw_cover *all = realloc(w->covers, sizeof *all * (w->count + (size_t)count + 1));
    uint32_t i;

    if (all == 0)
        return RW_NO_MEMORY;
    w->covers = all;
    for (i = 0; i < count; i++) {
        rw_cover c = covers[i];

        c.target += w->from;
        w->count = rw_append_cover(all, w->count, &c, 0, c.length);
    }
    return RW_OK;
}

/* Goes on in the shift of the last cover, or as if nothing had moved. */
static int match_part(walk_t *w)
{
    const rw_plan *plan = w->plan;
    const rw_encode_job *job = plan->job;
    const uint8_t *target = job->target + w->from;
    const rw_cover *last = w->count > 0 ? w->covers + w->count - 1 : 0;
    rw_match_job match = {job->base,
                          target,
                          w->masked_base,
                          w->masked != 0 ? w->masked : target,
                          &w->index,
                          job->base_length,
                          w->to - w->from,
                          {w->from, w->from},
                          46 * 32,
                          140,
                          9 * 32,
                          250,
                          1,
                          16,
                          report,
                          w};
    rw_cover *covers = 0;
    int32_t count;
    int status = RW_OK;

    if (last != 0)
        match.shifts[1] += last->base - last->target;
    if (w->masked != 0)
        status = mask(plan, RW_TARGET, w->from, w->to, w->masked);
    if (status == RW_OK) {
        count = rw_match(&match, &covers);
        status = count < 0 ? count : add_covers(w, covers, (uint32_t)count);
    }
    free(covers);
    return status;
}

static int match_parts(walk_t *w, uint32_t part)
{
    uint32_t length = w->plan->job->target_length;
    int status = RW_OK;

    for (w->from = 0; status == RW_OK && w->from < length; w->from = w->to) {
        w->to = length - w->from > part ? w->from + part : length;
        status = match_part(w);
    }
    return status;
}

/* Plans the covers; with an instruction set, between images that are masked. */
static int plan_covers(rw_plan *plan, int masks)
{
    const rw_encode_job *job = plan->job;
    uint32_t part = job->memory > 0 && job->target_length > PART ? PART : job->target_length;
    uint8_t *masked_base = masks ? malloc(job->base_length + (size_t)1) : 0;
    walk_t w = {plan, {0}, job->base, masks ? malloc(part + (size_t)1) : 0, 0, 0, 0, 0};
    int status = masks && (masked_base == 0 || w.masked == 0) ? RW_NO_MEMORY : RW_OK;

    if (status == RW_OK && masks) {
        w.masked_base = masked_base;
        status = mask(plan, RW_BASE, 0, job->base_length, masked_base);
    }
    if (status == RW_OK)
        status = rw_index_begin(&w.index, w.masked_base, job->base_length, step_of(job));
    if (status == RW_OK)
        status = match_parts(&w, part);
    rw_index_free(&w.index);
    free(masked_base);
    free(w.masked);
    free(plan->covers);
    plan->covers = w.covers;
    plan->cover_count = w.count;
    plan->done += 190;
    return status;
}

static rw_pair_of_images images_of(const rw_plan *plan)
{
    const rw_encode_job *job = plan->job;
    rw_pair_of_images images = {job->base,          job->target,  job->base_length,
                                job->target_length, plan->covers, plan->cover_count};

    return images;
}

/* The instruction set whose predictor helps most, if any does. */
static uint8_t find_arch(const rw_plan *plan)
{
    rw_pair_of_images images = images_of(plan);
    int64_t best = 8;
    uint32_t arch, found = RW_ARCH_NONE;

    for (arch = 1; arch <= RW_ARCH_LAST; arch++) {
        int64_t score = rw_measure_arch(&images, &plan->parameters, arch);

        if (score > best) {
            best = score;
            found = arch;
        }
    }
    return (uint8_t)found;
}

int rw_plan_pair(rw_plan *plan)
{
    const rw_encode_job *job = plan->job;
    rw_pair_of_images images;
    int status = plan_covers(plan, 0);

    if (status != RW_OK)
        return status;
    images = images_of(plan);
    rw_find_segments(&images, &plan->parameters);
    plan->header.arch = job->arch == RW_ARCH_AUTO ? find_arch(plan) : job->arch;
    if (plan->header.arch == RW_ARCH_NONE)
        return RW_OK;
    return plan_covers(plan, 1);
}
