/* How far the hashes of the steps stand apart, where the caller leaves that to the encoder. */
#include "rw_plan.h"

#define BITS_MIN 16u   /* 64 KiB */
#define BITS_LARGE 20u /* large images begin with steps of up to so much */
#define BITS_MAX 22u
#define STEPS 128u    /* that a large image begins with */
#define SHARE_MAX 100 /* hashes take at most 1/100 of the patch */

uint8_t rw_step_bits(const rw_encode_job *job)
{
    uint32_t step = job->target_length / STEPS, bits = BITS_MIN;

    if (job->step_bits > 0)
        return job->step_bits;
    if (job->region_length > 0)
        return BITS_MIN;
    while (bits < BITS_LARGE && step >> bits > 0)
        bits++;
    return (uint8_t)bits;
}

static uint64_t hash_bytes(const rw_header *h, uint32_t bits)
{
    return h->target_length == 0 ? 0 : (uint64_t)((h->target_length - 1) >> bits) * RW_HASH_BYTES;
}

uint8_t rw_wider_step_bits(const rw_encode_job *job, const rw_header *h, uint32_t length)
{
    uint32_t bits = h->step_bits;
    uint64_t others = length - hash_bytes(h, bits);

    if (job->step_bits > 0 || job->region_length > 0)
        return h->step_bits;
    while (bits < BITS_MAX && hash_bytes(h, bits) * SHARE_MAX > others + hash_bytes(h, bits))
        bits++;
    return (uint8_t)bits;
}
