#include "rw_coding.h"

#include <stdlib.h>
#include <string.h>

#include "rw_header.h"
#include "rw_hints.h"
#include "rw_seal.h"
#include "rw_sink.h"

#define SHORT_PAYLOAD 4096u /* bytes of payload below which a patch has short hashes */

static int read_base(void *user, uint32_t offset, uint8_t *out, uint32_t length)
{
    const rw_encode_job *job = user;

    memcpy(out, job->base + offset, length);
    return 0;
}

int rw_report_walk(const rw_plan *plan, uint32_t position)
{
    const rw_encode_job *job = plan->job;
    uint32_t done = plan->done + (uint32_t)((uint64_t)position * 300 / (job->target_length + 1));

    return rw_report(job, done < 1000 ? done : 1000);
}

static void close_step(rw_view *view, const rw_plan *plan)
{
    rw_engine *e = view->engine;
    uint32_t bits = e->header.step_bits,
             start = e->position == 0 ? 0 : (e->position - 1) >> bits << bits;

    rw_sha256_update(&e->sha, plan->seals->target + start, e->position - start);
    if (e->position < e->header.target_length)
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
            close_step(view, plan);
            if (rw_report_walk(plan, i) != RW_OK)
                return RW_CALLBACK;
        }
        if (e->header.backend == RW_BACKEND_STORED) {
            rw_code_raw(view, plan->seals->target[i], 8);
            e->position++;
        } else if (e->header.backend == RW_BACKEND_FAST) {
            rw_fast(view, 0, UINT32_MAX);
        } else if (rw_copy(view, 0, UINT32_MAX) == 0) {
            rw_step(view, job->target[i]);
        }
    }
    close_step(view, plan);
    return view->sink->failed ? RW_NO_MEMORY : RW_OK;
}

static void code_seals(rw_view *view, const rw_seals *seals)
{
    rw_engine *e = view->engine;

    memcpy(e->seal, seals->seal, sizeof e->seal);
    e->seal_count = seals->count;
    while (rw_code_seal(view) == 0)
        continue;
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

/* Starts a walk over the target: seals and covers first, then what the models learn from the base. */
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
    code_seals(view, plan->seals);
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
    h->hash_bytes = payload_length < RW_TINY_PAYLOAD ? RW_HASH_TINY
                    : payload_length < SHORT_PAYLOAD ? RW_HASH_SHORT
                                                     : RW_HASH_WHOLE;
    h->size = (uint16_t)rw_header_write(h, out);
    memmove(out + h->size, out + RW_HEADER_MAX, payload_length);
    return h->size + payload_length;
}

int rw_make_patch(rw_plan *plan, uint8_t **patch, uint32_t *length)
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
