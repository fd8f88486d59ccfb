#include "rw_encode.h"

#include <stdlib.h>
#include <string.h>

#include "rw_analyse.h"
#include "rw_map.h"
#include "rw_match.h"
#include "rw_sink.h"

#define IMAGE_MAX 0x70000000u
#define PRIME_MAX (1u << 20) /* of the base: priming takes as long as making as many target bytes */

typedef struct {
    const rw_encode_job *job;
    rw_cover *covers;
    uint32_t cover_count;
    rw_header header;
    rw_engine parameters; /* load addresses */
    uint32_t done;        /* thousandths of the work */
} plan_t;

static int read_base(void *user, uint32_t offset, uint8_t *out, uint32_t length)
{
    const rw_encode_job *job = user;

    memcpy(out, job->base + offset, length);
    return 0;
}

static void hash(const uint8_t *data, uint32_t length, uint8_t digest[32])
{
    rw_sha256 sha;

    rw_sha256_init(&sha);
    rw_sha256_update(&sha, data, length);
    rw_sha256_digest(&sha, digest);
}

static void describe(plan_t *plan, uint8_t backend)
{
    const rw_encode_job *job = plan->job;
    rw_header *h = &plan->header;

    memset(h, 0, sizeof *h);
    h->version = RW_FORMAT_VERSION;
    h->backend = backend;
    h->ram_class = job->ram_class;
    h->arch = RW_ARCH_NONE;
    h->step_bits = job->step_bits;
    h->base_length = job->base_length;
    h->target_length = job->target_length;
    h->slot_count = RW_SLOT_LINE;
    if (job->region_length > 0) {
        h->flags = RW_FLAG_IN_PLACE;
        h->shift = (job->region_length - job->base_length) >> job->step_bits << job->step_bits;
    }
    hash(job->base, job->base_length, h->base_sha256);
    hash(job->target, job->target_length, h->target_sha256);
}

static uint32_t bits_for(uint32_t n, uint32_t most)
{
    uint32_t bits = rw_log2(n) + 1;

    return bits < most ? bits : most;
}

/* Keeps the longest `most` covers. */
static void limit_covers(plan_t *plan, uint32_t most)
{
    uint32_t shortest = 4, kept, i;

    while (plan->cover_count > most) {
        shortest += 1 + shortest / 8;
        for (i = 0, kept = 0; i < plan->cover_count; i++)
            if (plan->covers[i].length >= shortest)
                plan->covers[kept++] = plan->covers[i];
        plan->cover_count = kept;
    }
}

/* Adds bytes from..to of a cover, to the last cover if they go on from there. */
static uint32_t append_cover(rw_cover *list, uint32_t count, const rw_cover *c, uint32_t from,
                             uint32_t to)
{
    rw_cover *last = list + count - 1;

    if (from == 0 && count > 0 && last->target + last->length == c->target
        && last->base + last->length == c->base) {
        last->length += to;
        return count;
    }
    list[count].target = c->target + from;
    list[count].base = c->base + from;
    list[count].length = to - from;
    return count + 1;
}

/* In place: leaves out what the target has overwritten by then. A step that a cover crosses
 * cuts it only where bytes are missing. */
static int cut_covers(plan_t *plan)
{
    const rw_header *h = &plan->header;
    uint64_t step = (uint64_t)1 << h->step_bits;
    rw_cover *kept = malloc(sizeof(rw_cover) * (plan->cover_count + h->target_length / step + 1));
    uint32_t count = 0, i;

    if (kept == 0)
        return RW_NO_MEMORY;
    for (i = 0; i < plan->cover_count; i++) {
        rw_cover c = plan->covers[i];

        while (c.length > 0) {
            uint64_t end = (c.target / step + 1) * step,
                     gone = end < h->target_length ? end : h->target_length;
            uint32_t here = end - c.target < c.length ? (uint32_t)(end - c.target) : c.length,
                     lost = gone > h->shift + (uint64_t)c.base
                                ? (uint32_t)(gone - h->shift - c.base)
                                : 0;

            if (lost < here)
                count = append_cover(kept, count, &c, lost, here);
            c.target += here;
            c.base += here;
            c.length -= here;
        }
    }
    free(plan->covers);
    plan->covers = kept;
    plan->cover_count = count;
    return RW_OK;
}

/* Shares the memory of the class among covers, memo, history and model slots. */
static void size_tables(plan_t *plan)
{
    static const uint8_t memo_bits[RW_RAM_CLASSES] = {9, 12, 16};
    static const uint8_t window_bits[RW_RAM_CLASSES] = {11, 14, 18};
    static const uint8_t index_bits[RW_RAM_CLASSES] = {9, 12, 17};
    rw_header *h = &plan->header;
    uint32_t class = h->ram_class, room = rw_class_size(class), need = h->target_length;
    uint64_t wanted = (uint64_t)need * 16 + 16384;

    limit_covers(plan, room / 48);
    h->cover_count = plan->cover_count;
    h->memo_bits =
        h->arch == RW_ARCH_NONE ? 0 : (uint8_t)bits_for(need / 16 + 64, memo_bits[class]);
    h->window_bits = (uint8_t)bits_for(need + 64, window_bits[class]);
    h->index_bits = (uint8_t)bits_for(need + h->base_length + 64, index_bits[class]);
    h->slot_count = RW_SLOT_LINE;
    room -= rw_workspace_size(h);
    room = (room / 4 + RW_SLOT_LINE) & ~(RW_SLOT_LINE - 1);
    if (room > 1u << 20)
        room = 1u << 20;
    h->slot_count = wanted < room ? (uint32_t)wanted & ~(RW_SLOT_LINE - 1) : room;
    while (rw_workspace_size(h) > rw_class_size(class))
        h->slot_count -= RW_SLOT_LINE;
}

/* Tells how far the work is: each coding takes 300 thousandths. */
static int report(const plan_t *plan, uint32_t position)
{
    const rw_encode_job *job = plan->job;
    uint32_t done = plan->done + (uint32_t)((uint64_t)position * 300 / (job->target_length + 1));

    if (job->progress == 0 || job->progress(job->user, done < 1000 ? done : 1000) == 0)
        return RW_OK;
    return RW_CALLBACK;
}

static void close_step(rw_view *view, const rw_encode_job *job)
{
    rw_engine *e = view->engine;
    uint32_t start = e->position == 0 ? 0 : (e->position - 1) >> job->step_bits << job->step_bits;

    rw_sha256_update(&e->sha, job->target + start, e->position - start);
    rw_code_hash(view);
}

static int code_target(rw_view *view, const plan_t *plan)
{
    const rw_encode_job *job = plan->job;
    rw_engine *e = view->engine;
    uint32_t mask = (1u << job->step_bits) - 1, i;

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
        } else if (rw_copy(view, 0, UINT32_MAX) == 0) {
            rw_step(view, job->target[i]);
        }
    }
    close_step(view, job);
    return view->sink->failed ? RW_NO_MEMORY : RW_OK;
}

static void code_covers(rw_view *view, const plan_t *plan)
{
    uint32_t i;

    for (i = 0; i < plan->cover_count; i++) {
        view->covers[i] = plan->covers[i];
        rw_code_cover(view);
    }
    rw_sort_covers(view);
}

static int code_all(const plan_t *plan, rw_engine *engine, rw_sink *sink)
{
    rw_source source = {(void *)plan->job, read_base};
    rw_view view = {0};
    uint32_t i;

    *engine = plan->parameters;
    engine->header = plan->header;
    view.source = &source;
    view.sink = sink;
    view.base = plan->job->base;
    view.target = plan->job->target;
    rw_layout(&view, engine);
    rw_engine_reset(&view);
    rw_sha256_init(&engine->sha);
    if (plan->header.backend != RW_BACKEND_STORED) {
        rw_code_parameters(&view);
        code_covers(&view, plan);
        for (i = 0; plan->header.flags & RW_FLAG_PRIMED && i < plan->header.base_length; i++)
            rw_prime(&view, i);
    }
    return code_target(&view, plan);
}

/* Codes the target by the plan into a fresh patch. */
static int make_patch(plan_t *plan, uint8_t **patch, uint32_t *length)
{
    uint32_t room = plan->job->target_length + plan->job->target_length / 8 + 65536;
    uint8_t *out = malloc(RW_HEADER_SIZE + (size_t)room);
    rw_engine *engine = calloc(1, rw_workspace_size(&plan->header));
    rw_sink sink;
    int status = RW_NO_MEMORY;

    if (out != 0 && engine != 0) {
        rw_sink_init(&sink, out + RW_HEADER_SIZE - 1, room);
        status = code_all(plan, engine, &sink);
    }
    free(engine);
    if (status != RW_OK) {
        free(out);
        return status;
    }
    plan->done += 300;
    rw_sink_finish(&sink);
    plan->header.payload_length = sink.length > 0 ? sink.length - 1 : 0;
    rw_header_write(&plan->header, out);
    *patch = out;
    *length = RW_HEADER_SIZE + plan->header.payload_length;
    return RW_OK;
}

static int plan_covers(plan_t *plan, const uint8_t *masked_base, const uint8_t *masked_target)
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
                          16};
    int32_t count;

    free(plan->covers);
    count = rw_match(&match, &plan->covers);
    plan->cover_count = count > 0 ? (uint32_t)count : 0;
    return count < 0 ? RW_NO_MEMORY : RW_OK;
}

static rw_pair_of_images images_of(const plan_t *plan)
{
    const rw_encode_job *job = plan->job;
    rw_pair_of_images images = {job->base,          job->target,  job->base_length,
                                job->target_length, plan->covers, plan->cover_count};

    return images;
}

/* The instruction set whose predictor helps most, if any does. */
static uint8_t find_arch(const plan_t *plan)
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

/* Matches the images as they are, learns from that what code they hold, and matches again. */
static int plan_all(plan_t *plan)
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
        status = plan_covers(plan, masked_base, masked_target);
    }
    free(masked_base);
    free(masked_target);
    return status;
}

/* Keeps the shorter of two patches and frees the other. */
static void keep_shorter(uint8_t **patch, uint32_t *length, uint8_t *other, uint32_t other_length)
{
    if (other_length < *length) {
        free(*patch);
        *patch = other;
        *length = other_length;
    } else {
        free(other);
    }
}

/* Codes in each way that may be the shortest. */
static int code_best(plan_t *plan, uint8_t **patch, uint32_t *length)
{
    uint32_t other_length, base = plan->header.base_length;
    uint8_t *other;
    int status = make_patch(plan, patch, length);

    if (status == RW_OK && plan->header.backend == RW_BACKEND_MIXING && base > 0
        && base <= PRIME_MAX) {
        plan->header.flags |= RW_FLAG_PRIMED;
        status = make_patch(plan, &other, &other_length);
        if (status == RW_OK)
            keep_shorter(patch, length, other, other_length);
    }
    if (status == RW_OK && *length > RW_HEADER_SIZE + plan->job->target_length) {
        describe(plan, RW_BACKEND_STORED);
        status = make_patch(plan, &other, &other_length);
        if (status == RW_OK)
            keep_shorter(patch, length, other, other_length);
    }
    return status;
}

static int encode(plan_t *plan, uint8_t **patch, uint32_t *length)
{
    int status;

    describe(plan, plan->job->backend);
    plan->parameters.header = plan->header;
    status = plan_all(plan);
    if (status == RW_OK && plan->job->region_length > 0)
        status = cut_covers(plan);
    if (status == RW_OK) {
        size_tables(plan);
        plan->done = 400;
        status = report(plan, 0);
    }
    if (status == RW_OK) {
        status = code_best(plan, patch, length);
    }
    free(plan->covers);
    if (status != RW_OK) {
        free(*patch);
        *patch = 0;
    }
    return status;
}

int rw_encode(const rw_encode_job *job, uint8_t **patch, uint32_t *length)
{
    plan_t *plan;
    int status;

    *patch = 0;
    if (job->region_length > 0
        && (job->region_length < job->base_length || job->region_length < job->target_length))
        return RW_UNSUPPORTED;
    if (job->base_length > IMAGE_MAX || job->target_length > IMAGE_MAX
        || job->ram_class >= RW_RAM_CLASSES
        || job->backend > RW_BACKEND_FAST || (job->arch > RW_ARCH_LAST && job->arch != RW_ARCH_AUTO))
        return RW_UNSUPPORTED;
    plan = calloc(1, sizeof *plan);
    if (plan == 0)
        return RW_NO_MEMORY;
    plan->job = job;
    status = encode(plan, patch, length);
    free(plan);
    return status;
}
