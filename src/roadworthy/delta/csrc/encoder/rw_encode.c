#include "rw_encode.h"

#include <stdlib.h>
#include <string.h>

#include "rw_header.h"
#include "rw_hints.h"
#include "rw_plan.h"
#include "rw_sink.h"

#define LARGE (64u << 20) /* images above it are planned in parts */
#define IMAGE_MAX 0x70000000u
#define SHORT_PAYLOAD 4096u /* bytes of payload below which a patch has short hashes, */
#define HALF_PAYLOAD 512u   /* and those of half their length */
#define PRIME_MAX (1u << 20) /* of the base: priming takes as long as making as many target bytes */

static int read_base(void *user, uint32_t offset, uint8_t *out, uint32_t length)
{
    const rw_encode_job *job = user;

    memcpy(out, job->base + offset, length);
    return 0;
}

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

    return status != RW_OK ? status
                           : hash(job, job->target, job->target_length, plan->header.target_sha256);
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
    if (status == RW_OK)
        status = rw_split_covers(plan);
    if (status == RW_OK && job->region_length > 0)
        status = rw_cut_covers(plan);
    return status;
}

static uint32_t bits_for(uint32_t n, uint32_t most)
{
    uint32_t bits = rw_log2(n) + 1;

    return bits < most ? bits : most;
}

#define MIXED_SLOTS 64u /* for each byte: half of what its contexts take if all are new */

/* Shares the memory of the class among covers, memo, history and model slots. */
static void size_tables(rw_plan *plan)
{
    static const uint8_t memo_bits[RW_RAM_CLASSES] = {9, 12, 16};
    static const uint8_t fast_window_bits[RW_RAM_CLASSES] = {12, 16, 20};
    rw_header *h = &plan->header;
    uint32_t class = h->ram_class, room = rw_class_size(class), need = h->target_length;
    uint64_t wanted = (uint64_t)need * (h->backend == RW_BACKEND_FAST ? 16 : MIXED_SLOTS) + 16384;

    rw_limit_covers(plan, room / (h->backend == RW_BACKEND_FAST ? 32 : 40));
    h->cover_count = plan->cover_count;
    h->memo_bits =
        h->arch == RW_ARCH_NONE ? 0 : (uint8_t)bits_for(need / 16 + 64, memo_bits[class]);
    h->window_bits = (uint8_t)bits_for(need + 64, rw_window_bits[class]);
    if (h->backend == RW_BACKEND_FAST)
        h->window_bits = (uint8_t)bits_for(need + 64, fast_window_bits[class]);
    else
        h->index_bits = (uint8_t)bits_for(need + h->base_length + 64, rw_index_bits[class]);
    h->slot_count = RW_SLOT_LINE;
    room -= rw_workspace_size(h);
    room = (room / 4 + RW_SLOT_LINE) & ~(RW_SLOT_LINE - 1);
    if (room > 1u << 20)
        room = 1u << 20;
    h->slot_count = wanted < room ? (uint32_t)wanted & ~(RW_SLOT_LINE - 1) : room;
    if (h->backend == RW_BACKEND_FAST && h->slot_count < RW_FAST_SLOTS_MIN)
        h->slot_count = RW_FAST_SLOTS_MIN;
    while (rw_workspace_size(h) > rw_class_size(class))
        h->slot_count -= RW_SLOT_LINE;
}

/* Tells how far the work is: each walk over the target takes 300 thousandths. */
static int report(const rw_plan *plan, uint32_t position)
{
    const rw_encode_job *job = plan->job;
    uint32_t done = plan->done + (uint32_t)((uint64_t)position * 300 / (job->target_length + 1));

    return rw_report(job, done < 1000 ? done : 1000);
}

static void close_step(rw_view *view, const rw_encode_job *job)
{
    rw_engine *e = view->engine;
    uint32_t bits = e->header.step_bits,
             start = e->position == 0 ? 0 : (e->position - 1) >> bits << bits;

    rw_sha256_update(&e->sha, job->target + start, e->position - start);
    if (e->position < job->target_length)
        rw_code_hash(view);
}

static int code_target(rw_view *view, const rw_plan *plan)
{
    const rw_encode_job *job = plan->job;
    rw_engine *e = view->engine;
    uint32_t mask = (1u << e->header.step_bits) - 1, i;

    e->phase = RW_PHASE_TARGET;
    for (i = 0; i < job->target_length; i = e->position) {
        if (i > 0 && (i & mask) == 0) {
            close_step(view, job);
            if (report(plan, i) != RW_OK)
                return RW_CALLBACK;
        }
        if (e->header.backend == RW_BACKEND_STORED) {
            rw_code_raw(view, job->target[i], 8);
            e->position++;
        } else if (e->header.backend == RW_BACKEND_FAST) {
            rw_fast(view, 0, UINT32_MAX);
        } else if (rw_copy(view, 0, UINT32_MAX) == 0) {
            rw_step(view, job->target[i]);
        }
    }
    close_step(view, job);
    return view->sink->failed ? RW_NO_MEMORY : RW_OK;
}

static void code_covers(rw_view *view, const rw_plan *plan)
{
    uint32_t i;

    for (i = 0; i < plan->cover_count; i++) {
        view->covers[i] = plan->covers[i];
        rw_code_cover(view);
    }
    rw_sort_covers(view);
}

/* Starts a walk over the target: covers first, then what the models learn from the base. */
static void begin_walk(rw_view *view, const rw_plan *plan)
{
    rw_engine *e = view->engine;
    uint32_t i = 0;

    *e = plan->parameters;
    e->header = plan->header;
    rw_layout(view, e);
    rw_engine_reset(view);
    rw_sha256_init(&e->sha);
    if (plan->header.backend == RW_BACKEND_STORED)
        return;
    if (plan->header.arch != RW_ARCH_NONE)
        rw_code_parameters(view);
    code_covers(view, plan);
    if (plan->header.backend == RW_BACKEND_FAST)
        rw_fast_begin(view);
    while (plan->header.flags & RW_FLAG_PRIMED && i < plan->header.base_length)
        i += rw_prime(view, i);
}

/* The fast back end walks once to see where runs end, without writing, and then again. */
static int code_fast(rw_view *view, rw_plan *plan)
{
    const rw_encode_job *job = plan->job;
    rw_hints hints;
    int status = RW_NO_MEMORY;

    view->hints = &hints;
    if (rw_hints_begin(&hints, job->target, job->target_length, plan->header.window_bits)) {
        hints.recording = view->training = 1;
        begin_walk(view, plan);
        status = code_target(view, plan);
        hints.recording = view->training = 0;
        if (status == RW_OK && hints.failed)
            status = RW_NO_MEMORY;
        if (status == RW_OK) {
            plan->done += 300;
            begin_walk(view, plan);
            status = code_target(view, plan);
        }
    }
    rw_hints_free(&hints);
    return status;
}

static int code_all(rw_plan *plan, rw_engine *engine, rw_sink *sink)
{
    rw_source source = {(void *)plan->job, read_base};
    rw_view view = {0};

    view.engine = engine;
    view.source = &source;
    view.sink = sink;
    view.base = plan->job->base;
    view.target = plan->job->target;
    if (plan->header.backend == RW_BACKEND_FAST)
        return code_fast(&view, plan);
    begin_walk(&view, plan);
    return code_target(&view, plan);
}

/* Puts the header before the payload, which stands at RW_HEADER_MAX; returns the length of all. */
static uint32_t add_header(rw_header *h, uint8_t *out, uint32_t payload_length)
{
    h->payload_length = payload_length;
    h->hash_bytes = payload_length < HALF_PAYLOAD    ? RW_HASH_HALF
                    : payload_length < SHORT_PAYLOAD ? RW_HASH_SHORT
                                                     : RW_HASH_WHOLE;
    h->size = (uint16_t)rw_header_write(h, out);
    memmove(out + h->size, out + RW_HEADER_MAX, payload_length);
    return h->size + payload_length;
}

/* Codes the target by the plan into a fresh patch. */
static int make_patch(rw_plan *plan, uint8_t **patch, uint32_t *length)
{
    uint32_t room = plan->job->target_length + plan->job->target_length / 8 + 65536;
    uint8_t *out = malloc(RW_HEADER_MAX + (size_t)room);
    rw_engine *engine = calloc(1, rw_workspace_size(&plan->header));
    rw_sink sink;
    int status = RW_NO_MEMORY;

    if (out != 0 && engine != 0) {
        rw_sink_init(&sink, out + RW_HEADER_MAX - 1, room);
        status = code_all(plan, engine, &sink);
    }
    free(engine);
    if (status != RW_OK) {
        free(out);
        return status;
    }
    plan->done += 300;
    rw_sink_finish(&sink);
    *patch = out;
    *length = add_header(&plan->header, out, sink.length > 0 ? sink.length - 1 : 0);
    return RW_OK;
}

/* Codes once more, and keeps the shorter patch. */
static int code_again(rw_plan *plan, uint8_t **patch, uint32_t *length)
{
    uint8_t *other;
    uint32_t other_length;
    int status = make_patch(plan, &other, &other_length);

    if (status != RW_OK)
        return status;
    if (other_length < *length) {
        uint8_t *longer = *patch;

        *patch = other;
        *length = other_length;
        other = longer;
    }
    free(other);
    return RW_OK;
}

/* Codes, and once more in wider steps if hashes take a large part of the patch. */
static int code_first(rw_plan *plan, uint8_t **patch, uint32_t *length)
{
    int status = make_patch(plan, patch, length);
    uint8_t bits = plan->header.step_bits;

    if (status == RW_OK)
        plan->header.step_bits = rw_wider_step_bits(plan->job, &plan->header, *length);
    return plan->header.step_bits == bits ? status : code_again(plan, patch, length);
}

/* Codes in each way that may be the shortest. */
static int code_best(rw_plan *plan, uint8_t **patch, uint32_t *length)
{
    uint32_t base = plan->header.base_length;
    int status = code_first(plan, patch, length);

    if (status == RW_OK && plan->header.backend == RW_BACKEND_FAST
        && plan->job->backend == RW_BACKEND_AUTO) {
        plan->header.backend = RW_BACKEND_MIXING;
        size_tables(plan);
        status = code_again(plan, patch, length);
    }
    if (status == RW_OK && plan->header.backend == RW_BACKEND_MIXING && base > 0
        && base <= PRIME_MAX) {
        plan->header.flags |= RW_FLAG_PRIMED;
        status = code_again(plan, patch, length);
    }
    if (status == RW_OK && *length > RW_HEADER_MIN + plan->job->target_length) {
        rw_header full = plan->header;

        describe(plan, RW_BACKEND_STORED);
        memcpy(plan->header.base_sha256, full.base_sha256, 32);
        memcpy(plan->header.target_sha256, full.target_sha256, 32);
        status = code_again(plan, patch, length);
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
            status = report(plan, 0);
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
    plan = calloc(1, sizeof *plan);
    if (plan == 0)
        return RW_NO_MEMORY;
    plan->job = job;
    status = encode(plan, patch, length);
    free(plan);
    return status;
}
