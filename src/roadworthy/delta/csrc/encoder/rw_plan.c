#include "rw_plan.h"

#include <stdlib.h>
#include <string.h>

#include "rw_map.h"

static void look_on(void *user)
{
    rw_plan *plan = user;

    if (!plan->stopped)
        plan->stopped = rw_report(plan->job, plan->done) != RW_OK;
}

static rw_pair_of_images images_of(rw_plan *plan)
{
    const rw_encode_job *job = plan->job;
    rw_pair_of_images images = {job->base,          job->target,  job->base_length,
                                job->target_length, plan->covers, plan->cover_count,
                                look_on,            plan};

    return images;
}

#define CALLS_MIN 16u      /* in new code that is worth what its parameters take */
#define CALL_DISTANCE 128u /* bytes of code from one call to the next, at most */
#define SCORE_MIN 8        /* of a predictor that is worth the same */

/* The instruction set by which new code calls what the target has most often, and how often. */
static uint8_t find_new_code(rw_plan *plan, uint32_t *most)
{
    rw_pair_of_images images = images_of(plan);
    uint32_t arch, found = RW_ARCH_NONE;

    *most = 0;
    for (arch = 1; arch <= RW_ARCH_LAST; arch++) {
        uint32_t count = rw_count_new_calls(&images, &plan->parameters, arch);

        if (count > *most) {
            *most = count;
            found = arch;
        }
    }
    return (uint8_t)found;
}

/* The instruction set whose predictor helps most, and by how much; none where none helps. */
static uint8_t find_predicted(rw_plan *plan, int64_t *best)
{
    rw_pair_of_images images = images_of(plan);
    uint32_t arch, found = RW_ARCH_NONE;

    *best = 0;
    for (arch = 1; arch <= RW_ARCH_LAST; arch++) {
        int64_t score = rw_measure_arch(&images, &plan->parameters, arch);

        if (score > *best) {
            *best = score;
            found = arch;
        }
    }
    return (uint8_t)found;
}

/* Bytes of the target that no cover holds. */
static uint32_t new_bytes(const rw_plan *plan)
{
    uint32_t left = plan->job->target_length, i;

    for (i = 0; i < plan->cover_count; i++)
        left -= plan->covers[i].length;
    return left;
}

/* The instruction set that the covers tell, or else the new code alone. */
static uint8_t find_arch(rw_plan *plan)
{
    int64_t score;
    uint32_t calls, few = new_bytes(plan) / CALL_DISTANCE;
    uint8_t predicted = find_predicted(plan, &score), called;

    plan->other_arch = RW_ARCH_NONE;
    if (score > SCORE_MIN)
        return predicted;
    called = find_new_code(plan, &calls);
    if (calls > (few < CALLS_MIN ? CALLS_MIN : few))
        return called;
    plan->other_arch = predicted != RW_ARCH_NONE ? predicted : called;
    return RW_ARCH_NONE;
}

int rw_plan_pair(rw_plan *plan)
{
    const rw_encode_job *job = plan->job;
    rw_pair_of_images images;
    int status = rw_plan_covers(plan, RW_PASS_FIRST);

    if (status != RW_OK)
        return status;
    images = images_of(plan);
    rw_find_segments(&images, &plan->parameters);
    plan->header.arch = job->arch == RW_ARCH_AUTO ? find_arch(plan) : job->arch;
    if (plan->stopped)
        return RW_CALLBACK;
    if (plan->header.arch == RW_ARCH_NONE && !rw_plan_is_sparse(job))
        return RW_OK;
    return rw_plan_covers(plan, RW_PASS_SECOND);
}
