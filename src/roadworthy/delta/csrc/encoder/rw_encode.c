#include "rw_encode.h"

#include <stdlib.h>
#include <string.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "rw_coding.h"
#include "rw_far.h"
#include "rw_plan.h"

#define LARGE (64u << 20) /* images above it are planned in parts */
#define IMAGE_MAX 0x70000000u
#define FAR_MIN 1024u /* bytes that repeat others for which a larger window is tried */
#define FAR_SLOTS_MIN (1u << 17)
#define TRY_MAX (1u << 18) /* of the images: what they are made of is tried, and not guessed alone */
#define PRIME_MAX (1u << 20) /* of the base: priming takes as long as making as many target bytes */

int rw_report(const rw_encode_job *job, uint32_t permille)
{
    if (job->progress == 0 || job->progress(job->user, permille) == 0)
        return RW_OK;
    return RW_CALLBACK;
}

static int hash(const rw_encode_job *job, const uint8_t *data, uint32_t length, uint8_t digest[32])
{
    rw_sha256 sha;
    uint32_t at = 0, piece;

    rw_sha256_init(&sha);
    for (; at < length; at += piece) {
        piece = length - at < REPORT_BYTES ? length - at : REPORT_BYTES;
        rw_sha256_update(&sha, data + at, piece);
        if (rw_report(job, 0) != RW_OK)
            return RW_CALLBACK;
    }
    rw_sha256_digest(&sha, digest);
    return RW_OK;
}

static void describe(rw_plan *plan, uint8_t backend)
{
    const rw_encode_job *job = plan->job;
    rw_header *h = &plan->header;

    memset(h, 0, sizeof *h);
    h->version = RW_FORMAT_VERSION;
    h->backend = backend;
    h->ram_class = job->ram_class;
    h->arch = RW_ARCH_NONE;
    h->step_bits = rw_step_bits(job);
    h->base_length = job->base_length;
    h->target_length = job->target_length;
    h->slot_count = RW_SLOT_LINE;
    if (job->region_length > 0) {
        h->flags = RW_FLAG_IN_PLACE;
        h->shift = (job->region_length - job->base_length) >> h->step_bits << h->step_bits;
    }
}

static int hash_images(rw_plan *plan)
{
    const rw_encode_job *job = plan->job;
    int status = hash(job, job->base, job->base_length, plan->header.base_sha256);

    if (status != RW_OK)
        return status;
    return hash(job, plan->seals->target, job->target_length, plan->header.target_sha256);
}

/* What was freed would else stay with the process: of the search while its covers are coded, of all
 * while another patch is made. */
static void give_back(void)
{
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}

static int plan_covers(rw_plan *plan)
{
    const rw_encode_job *job = plan->job;
    int status;

    if (job->base_length > LARGE || job->target_length > LARGE
        || !rw_plan_fits(job))
        status = rw_plan_large(plan);
    else
        status = rw_plan_pair(plan);
    give_back();
    if (status == RW_OK && !plan->is_plain)
        status = rw_split_covers(plan);
    if (status == RW_OK && job->region_length > 0)
        status = rw_cut_covers(plan);
    return status;
}

/* Gives the models what the other tables leave of the memory. */
static void share_rest(rw_header *h)
{
    uint32_t room = rw_class_size(h->ram_class);
    uint64_t wanted = rw_slots_wanted(h);

    h->slot_count = RW_SLOT_LINE;
    room -= rw_workspace_size(h);
    room = (room / 4 + RW_SLOT_LINE) & ~(RW_SLOT_LINE - 1);
    if (room > 1u << 20)
        room = 1u << 20;
    h->slot_count = wanted < room ? (uint32_t)wanted & ~(RW_SLOT_LINE - 1) : room;
    if (h->backend == RW_BACKEND_FAST && h->slot_count < RW_FAST_SLOTS_MIN)
        h->slot_count = RW_FAST_SLOTS_MIN;
    while (rw_workspace_size(h) > rw_class_size(h->ram_class))
        h->slot_count -= RW_SLOT_LINE;
}

/* Shares the memory of the class among covers, memo, history and model slots. */
static void size_tables(rw_plan *plan)
{
    rw_header *h = &plan->header;
    uint32_t room = rw_class_size(h->ram_class), step_bits = h->step_bits;

    rw_limit_covers(plan, room / (h->backend == RW_BACKEND_FAST ? 32 : 40));
    h->cover_count = plan->cover_count;
    rw_usual_sizes(h);
    h->step_bits = (uint8_t)step_bits;
    share_rest(h);
}

/* Codes once more, and keeps the shorter patch and its header. */
static int code_again(rw_plan *plan, const rw_header *shortest, uint8_t **patch, uint32_t *length)
{
    uint8_t *other;
    uint32_t other_length;
    int status = rw_make_patch(plan, &other, &other_length);

    if (status != RW_OK)
        return status;
    if (other_length < *length) {
        uint8_t *longer = *patch;

        *patch = other;
        *length = other_length;
        other = longer;
    } else {
        plan->header = *shortest;
    }
    free(other);
    return RW_OK;
}

/* Codes, and once more in wider steps if hashes take a large part of the patch. */
static int code_first(rw_plan *plan, uint8_t **patch, uint32_t *length)
{
    int status = rw_make_patch(plan, patch, length);
    rw_header first = plan->header;

    if (status == RW_OK)
        plan->header.step_bits = rw_wider_step_bits(plan->job, &plan->header, *length);
    return plan->header.step_bits == first.step_bits ? status
                                                     : code_again(plan, &first, patch, length);
}

/* Codes once more with the sizes that a header need not name, if there is memory for them. */
static int code_usually(rw_plan *plan, uint8_t **patch, uint32_t *length)
{
    rw_header named = plan->header;

    if (named.payload_length >= RW_TINY_PAYLOAD || plan->job->step_bits > 0
        || named.cover_count != plan->cover_count)
        return RW_OK;
    rw_usual_sizes(&plan->header);
    if (rw_header_check(&plan->header) == RW_OK)
        return code_again(plan, &named, patch, length);
    plan->header = named;
    return RW_OK;
}

/* Codes once more with a larger window where enough repeats are too far away for the usual one, and
 * where it leaves memory for slots. */
static int code_far(rw_plan *plan, uint8_t **patch, uint32_t *length)
{
    uint32_t near = 1u << plan->header.window_bits, far = 1u << RW_FAR_WINDOW_BITS;
    rw_header usual = plan->header;

    if (usual.ram_class + 1 < RW_RAM_CLASSES || plan->job->target_length <= near
        || !rw_repeats_far(plan, near, far, FAR_MIN))
        return RW_OK;
    plan->header.window_bits = RW_FAR_WINDOW_BITS;
    plan->header.index_bits = RW_FAR_INDEX_BITS;
    plan->header.slot_count = FAR_SLOTS_MIN;
    if (rw_header_check(&plan->header) != RW_OK) {
        plan->header = usual;
        return RW_OK;
    }
    share_rest(&plan->header);
    return code_again(plan, &usual, patch, length);
}

/* The mixing back end, as it is and after it has learned from the base. */
static int code_mixing(rw_plan *plan, uint8_t **patch, uint32_t *length)
{
    uint32_t base = plan->header.base_length;
    rw_header shortest = plan->header, mixing;
    int status = RW_OK;

    plan->header.backend = RW_BACKEND_MIXING;
    if (shortest.backend != RW_BACKEND_MIXING) {
        size_tables(plan);
        mixing = plan->header;
        status = code_again(plan, &shortest, patch, length);
        shortest = plan->header;
        plan->header = mixing;
    }
    plan->header.flags |= RW_FLAG_PRIMED;
    if (status == RW_OK && base > 0 && base <= PRIME_MAX)
        return code_again(plan, &shortest, patch, length);
    plan->header = shortest;
    return status;
}

/* Codes in each way that may be the shortest. */
static int code_best(rw_plan *plan, uint8_t **patch, uint32_t *length)
{
    int status = code_first(plan, patch, length);

    if (status == RW_OK
        && (plan->header.backend == RW_BACKEND_MIXING
            || (plan->header.backend == RW_BACKEND_FAST
                && plan->job->backend == RW_BACKEND_AUTO)))
        status = code_mixing(plan, patch, length);
    if (status == RW_OK && plan->header.backend == RW_BACKEND_MIXING)
        status = code_far(plan, patch, length);
    if (status == RW_OK)
        status = code_usually(plan, patch, length);
    if (status == RW_OK && *length > RW_HEADER_MIN + plan->job->target_length) {
        rw_header full = plan->header;

        describe(plan, RW_BACKEND_STORED);
        memcpy(plan->header.base_sha256, full.base_sha256, 32);
        memcpy(plan->header.target_sha256, full.target_sha256, 32);
        status = code_again(plan, &full, patch, length);
    }
    return status;
}

/* The back end to begin with. In the largest class the mixer always makes the shortest patch; in
 * the others its tables may leave too little memory for covers. */
static uint8_t first_backend(const rw_encode_job *job)
{
    if (job->backend != RW_BACKEND_AUTO)
        return job->backend;
    return job->ram_class + 1 < RW_RAM_CLASSES ? RW_BACKEND_FAST : RW_BACKEND_MIXING;
}

static int encode(rw_plan *plan, uint8_t **patch, uint32_t *length)
{
    int status;

    describe(plan, first_backend(plan->job));
    plan->parameters.header = plan->header;
    status = hash_images(plan);
    if (status == RW_OK && plan->header.backend != RW_BACKEND_STORED) {
        status = plan_covers(plan);
        if (status == RW_OK) {
            size_tables(plan);
            plan->done = 400;
            status = rw_report_walk(plan, 0);
        }
    }
    if (status == RW_OK)
        status = code_best(plan, patch, length);
    free(plan->covers);
    if (status != RW_OK) {
        free(*patch);
        *patch = 0;
    }
    return status;
}

static int encode_job(const rw_encode_job *job, const rw_seals *seals, int is_plain, rw_plan *plan,
                      uint8_t **patch, uint32_t *length)
{
    memset(plan, 0, sizeof *plan);
    plan->job = job;
    plan->seals = seals;
    plan->is_plain = is_plain;
    return encode(plan, patch, length);
}

static int told_all(void *user, uint32_t permille)
{
    (void)permille;
    return rw_report(user, 1000);
}

/* Makes the patch once more by another plan, and keeps the shorter one and its header. */
static int encode_again(const rw_encode_job *job, uint8_t arch, int is_plain, rw_plan *plan,
                        uint8_t **patch, uint32_t *length)
{
    rw_encode_job other = *job;
    rw_header first_header = plan->header;
    uint8_t *first = *patch;
    uint32_t first_length = *length;
    int status;

    other.arch = arch;
    other.progress = told_all;
    other.user = (void *)job;
    *patch = 0;
    status = encode_job(&other, plan->seals, is_plain, plan, patch, length);
    if (status == RW_NO_MEMORY || (status == RW_OK && *length >= first_length)) {
        free(*patch);
        *patch = first;
        *length = first_length;
        plan->header = first_header;
        return RW_OK;
    }
    free(first);
    return status;
}

/* Tries, where it does not take long, the other instruction set that the images may be of; then, where
 * few bytes decide, plain covers. */
static int try_others(const rw_encode_job *job, rw_plan *plan, uint8_t **patch, uint32_t *length)
{
    int status = RW_OK;

    if (plan->header.backend == RW_BACKEND_STORED || job->target_length > TRY_MAX
        || job->base_length > TRY_MAX)
        return RW_OK;
    if (job->arch == RW_ARCH_AUTO && plan->other_arch != plan->header.arch)
        status = encode_again(job, plan->other_arch, 0, plan, patch, length);
    if (status == RW_OK && plan->header.payload_length < RW_TINY_PAYLOAD)
        status = encode_again(job, plan->header.arch, 1, plan, patch, length);
    return status;
}

static int encode_sealed(const rw_encode_job *job, rw_plan *plan, uint8_t **patch, uint32_t *length)
{
    rw_encode_job open = *job;
    rw_seals seals;
    int status = rw_seals_find(&seals, job);

    if (status == RW_OK) {
        open.target = seals.open;
        status = encode_job(&open, &seals, 0, plan, patch, length);
    }
    if (status == RW_OK)
        status = try_others(&open, plan, patch, length);
    rw_seals_free(&seals);
    return status;
}

int rw_encode(const rw_encode_job *job, uint8_t **patch, uint32_t *length)
{
    rw_plan *plan;
    int status;

    *patch = 0;
    if (job->region_length > 0
        && (job->region_length < job->base_length || job->region_length < job->target_length))
        return RW_UNSUPPORTED;
    if (job->base_length > IMAGE_MAX || job->target_length > IMAGE_MAX
        || job->ram_class >= RW_RAM_CLASSES
        || (job->backend > RW_BACKEND_FAST && job->backend != RW_BACKEND_AUTO)
        || (job->arch > RW_ARCH_LAST && job->arch != RW_ARCH_AUTO))
        return RW_UNSUPPORTED;
    plan = malloc(sizeof *plan);
    if (plan == 0)
        return RW_NO_MEMORY;
    status = encode_sealed(job, plan, patch, length);
    free(plan);
    give_back();
    return status;
}
