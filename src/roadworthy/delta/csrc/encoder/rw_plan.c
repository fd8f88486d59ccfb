#include "rw_plan.h"

#include <stdlib.h>
#include <string.h>

#include "rw_map.h"

const uint8_t rw_window_bits[RW_RAM_CLASSES] = {11, 14, 18};
const uint8_t rw_index_bits[RW_RAM_CLASSES] = {9, 12, 17};

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

/* The instruction set by which new code calls what the target has, if there is such code. */
static uint8_t find_new_code(rw_plan *plan)
{
    rw_pair_of_images images = images_of(plan);
    uint32_t best = images.target_length, arch, found = RW_ARCH_NONE, i;

    for (i = 0; i < images.cover_count; i++)
        best -= images.covers[i].length;
    best /= CALL_DISTANCE;
    best = best < CALLS_MIN ? CALLS_MIN : best;
    for (arch = 1; arch <= RW_ARCH_LAST; arch++) {
        uint32_t count = rw_count_new_calls(&images, &plan->parameters, arch);

        if (count > best) {
            best = count;
            found = arch;
        }
    }
    return (uint8_t)found;
}

/* The instruction set whose predictor helps most; where covers don't tell, by the target alone. */
static uint8_t find_arch(rw_plan *plan)
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
    return found == RW_ARCH_NONE ? find_new_code(plan) : (uint8_t)found;
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
