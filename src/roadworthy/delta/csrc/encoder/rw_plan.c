#include "rw_plan.h"

#include <stdlib.h>
#include <string.h>

#include "rw_map.h"
#include "rw_match.h"

/* Planning takes 400 thousandths of the work. */
static int report(void *user, uint32_t at)
{
    const rw_plan *plan = user;
    const rw_encode_job *job = plan->job;

    return rw_report(job, plan->done + (uint32_t)((uint64_t)at * 190 / job->target_length));
}

static int plan_covers(rw_plan *plan, const uint8_t *masked_base, const uint8_t *masked_target)
{
    const rw_encode_job *job = plan->job;
    rw_match_job match = {job->base,
                          job->target,
                          masked_base,
                          masked_target,
                          job->base_length,
                          job->target_length,
                          46 * 32,
                          140,
                          9 * 32,
                          250,
                          1,
                          16,
                          report,
                          plan};
    int32_t count;

    free(plan->covers);
    count = rw_match(&match, &plan->covers);
    plan->cover_count = count > 0 ? (uint32_t)count : 0;
    plan->done += 190;
    return count < 0 ? count : RW_OK;
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
    uint8_t *masked_base, *masked_target;
    rw_pair_of_images images;
    int status = plan_covers(plan, job->base, job->target);

    if (status != RW_OK)
        return status;
    images = images_of(plan);
    rw_find_segments(&images, &plan->parameters);
    plan->header.arch = job->arch == RW_ARCH_AUTO ? find_arch(plan) : job->arch;
    if (plan->header.arch == RW_ARCH_NONE)
        return RW_OK;
    masked_base = malloc(job->base_length + (size_t)1);
    masked_target = malloc(job->target_length + (size_t)1);
    status = RW_NO_MEMORY;
    if (masked_base != 0 && masked_target != 0) {
        rw_mask(plan->header.arch, &plan->parameters, RW_BASE, job->base, job->base_length,
                masked_base);
        rw_mask(plan->header.arch, &plan->parameters, RW_TARGET, job->target, job->target_length,
                masked_target);
        status = rw_report(job, plan->done);
    }
    if (status == RW_OK)
        status = plan_covers(plan, masked_base, masked_target);
    free(masked_base);
    free(masked_target);
    return status;
}

