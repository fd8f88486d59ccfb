/* One walk over the target for its covers.
 *
 * Two indexes say where strings of the target occur in the base: one of the whole, and one of the few
 * KiB where the next bytes of the target are likely to be from, which moves along. Without the second
 * one, strings that occur everywhere would be found anywhere.
 *
 * Where memory is limited, the index of the whole has a step, and the target is masked and walked
 * through part by part. What has moved far is found by strings that are a little longer, and all else
 * as well.
 */
#include <stdlib.h>
#include <string.h>

#include "rw_map.h"
#include "rw_match.h"
#include "rw_plan.h"

#define STEP_MAX 16u
#define PART (1u << 19) /* of the target, where memory is limited */
#define NEAR (2 * RW_MATCH_NEAR)
#define PIECE (1u << 22)  /* is masked before its pages are let go of */
#define BESIDE (4u << 20) /* pages of the images between two reports, and what the search keeps */
#define BACK 32u
#define BIT 32u /* of a cost */

typedef struct {
    rw_plan *plan;
    int masks;
    const uint8_t *base;
    uint8_t *masked_base, *masked_part; /* 0 where nothing is masked */
    uint8_t *marks;                     /* 0 where memory is not limited, too */
    rw_index all, near;
    uint32_t from, to, part; /* of the target */
    uint32_t known;          /* covers of the last pass that end before what is looked at */
    uint32_t shift;          /* the latest */
    rw_cover *covers;
    uint32_t count;
} walk_t;

/* Bytes of memory that planning takes: the index, the base masked and marked, a part masked. */
static uint64_t memory_with(const rw_encode_job *job, uint32_t step)
{
    uint64_t base = job->base_length, part = job->target_length < PART ? job->target_length : PART,
             pages = base + job->target_length;

    return base / step * 4 + base + base / 4 + part + (pages < BESIDE ? pages : BESIDE);
}

/* The densest index that there is memory for. */
static uint32_t choose_step(const rw_encode_job *job)
{
    uint32_t step = 1;

    while (job->memory > 0 && step < STEP_MAX && memory_with(job, step) > job->memory)
        step *= 2;
    return step;
}

int rw_plan_fits(const rw_encode_job *job)
{
    return job->memory == 0 || memory_with(job, choose_step(job)) <= job->memory;
}

int rw_plan_is_sparse(const rw_encode_job *job)
{
    return choose_step(job) > 1;
}

/* Masks an image from..to, piece by piece where its pages are to be let go of. */
static int mask(const rw_plan *plan, int side, uint32_t from, uint32_t to, uint8_t *masked,
                uint8_t *marks)
{
    const rw_encode_job *job = plan->job;
    const uint8_t *image = side == RW_BASE ? job->base : job->target;
    uint32_t most = job->memory > 0 ? PIECE : to - from, at, piece;

    for (at = from; at < to; at += piece) {
        piece = to - at < most ? to - at : most;
        rw_mask(plan->header.arch, &plan->parameters, side, image + at, piece,
                masked + (at - from));
        if (marks != 0)
            rw_match_mark(image + at, piece, marks + (at - from) / 4);
        if (rw_report(job, plan->done) != RW_OK)
            return RW_CALLBACK;
    }
    return RW_OK;
}

/* Of equal places the first in the target, so that every C library sorts alike. */
static int by_base(const void *a, const void *b)
{
    const rw_cover *x = a, *y = b;

    if (x->base != y->base)
        return x->base < y->base ? -1 : 1;
    return x->target < y->target ? -1 : x->target > y->target;
}

/* The middle of the window that holds most of these covers, which are in order of the base. */
static uint32_t densest(const rw_cover *covers, uint32_t count)
{
    uint64_t inside = 0, most = 0;
    uint32_t first = 0, i, middle = 0;

    for (i = 0; i < count; i++) {
        uint32_t end = covers[i].base + covers[i].length;

        inside += covers[i].length;
        for (; first < i && end - covers[first].base > NEAR; first++)
            inside -= covers[first].length;
        if (inside > most) {
            most = inside;
            middle = covers[first].base + (end - covers[first].base) / 2;
        }
    }
    return middle;
}

/* The middle of the base's places that the last pass says for target bytes at..end. */
static int find_middle(walk_t *w, uint32_t at, uint32_t end, uint32_t *middle)
{
    const rw_plan *plan = w->plan;
    uint32_t count = 0, i;
    rw_cover *here;

    for (; w->known < plan->cover_count; w->known++)
        if (plan->covers[w->known].target + plan->covers[w->known].length > at)
            break;
    for (i = w->known; i < plan->cover_count && plan->covers[i].target < end; i++)
        count++;
    if (count == 0)
        return RW_OK;
    here = malloc(sizeof *here * count);
    if (here == 0)
        return RW_NO_MEMORY;
    for (i = 0; i < count; i++) {
        rw_cover c = plan->covers[w->known + i];
        uint32_t before = c.target < at ? at - c.target : 0;

        c.base += before;
        c.length -= before;
        c.length = c.length < end - at ? c.length : end - at;
        here[i] = c;
    }
    qsort(here, count, sizeof *here, by_base);
    *middle = densest(here, count);
    free(here);
    return RW_OK;
}

/* Indexes the places of the base where the next bytes of the target are likely to be from. */
static int index_near(walk_t *w, uint32_t at)
{
    const rw_encode_job *job = w->plan->job;
    uint32_t left = job->target_length - at, length = job->base_length, start = 0,
             next = left < RW_MATCH_NEAR ? left : RW_MATCH_NEAR, middle = at + w->shift + next / 2;

    if (find_middle(w, at, at + next, &middle) != RW_OK)
        return RW_NO_MEMORY;
    if (middle > length)
        middle = length;
    if (middle > NEAR / 2 && length > NEAR)
        start = middle - NEAR / 2 < length - NEAR ? middle - NEAR / 2 : length - NEAR;
    return rw_index_begin(&w->near, w->base, start, length - start < NEAR ? length : start + NEAR, 1);
}

/* Planning takes 400 thousandths of the work. */
static int enter(void *user, uint32_t at, uint32_t shift, const rw_index **near)
{
    walk_t *w = user;
    const rw_encode_job *job = w->plan->job;
    uint64_t done = (uint64_t)(w->from + at) * 190 / job->target_length;
    int status = rw_report(job, w->plan->done + (uint32_t)done);

    rw_index_free(&w->near);
    *near = 0;
    if (shift != RW_MATCH_INSERT)
        w->shift = shift - w->from;
    if (status == RW_OK && job->base_length > NEAR) {
        status = index_near(w, w->from + at);
        *near = &w->near;
    }
    return status;
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

/* How far the mixing back end looks back at most, and how many places it remembers. */
static rw_header mixing_sizes(const rw_plan *plan)
{
    rw_header usual = plan->header;

    usual.backend = RW_BACKEND_MIXING;
    rw_usual_sizes(&usual);
    return usual;
}

/* Found by trial on pairs of all kinds. */
static rw_match_costs costs_of(const rw_plan *plan)
{
    rw_match_costs costs = {.change = 14 * BIT,
                            .distance = 120,
                            .recent = 29 * BIT,
                            .change_insert = 8 * BIT,
                            .prune = 184 * BIT,
                            .insert = 140,
                            .miss = 250,
                            .drift = 2 * BIT,
                            .drift_near = 4 * BIT,
                            .hit = 1,
                            .masked = 48,
                            .echo = 2,
                            .echo_miss = BIT};

    if (plan->is_plain) {
        costs.change = 46 * BIT;
        costs.distance = 0;
    }
    return costs;
}

/* Goes on in the shift of the last cover, or as if nothing had moved. */
static int match_part(walk_t *w)
{
    const rw_encode_job *job = w->plan->job;
    const uint8_t *target = job->target + w->from;
    rw_header usual = mixing_sizes(w->plan);
    rw_match_job match = {.base = job->base,
                          .target = target,
                          .masked_base = w->base,
                          .masked_target = w->masks ? w->masked_part : target,
                          .marks = w->marks,
                          .index = &w->all,
                          .back = BACK,
                          .base_length = job->base_length,
                          .target_length = w->to - w->from,
                          .shifts = {w->from, w->from},
                          .costs = costs_of(w->plan),
                          .window_bits = usual.window_bits,
                          .index_bits = usual.index_bits,
                          .told = enter,
                          .user = w};
    rw_cover *covers = 0;
    int32_t count;
    int status;

    if (w->count > 0)
        match.shifts[1] += w->covers[w->count - 1].base - w->covers[w->count - 1].target;
    count = rw_match(&match, &covers);
    status = count < 0 ? count : add_covers(w, covers, (uint32_t)count);
    free(covers);
    return status;
}

static int match_parts(walk_t *w)
{
    uint32_t length = w->plan->job->target_length;
    int status = RW_OK;

    for (w->from = 0; status == RW_OK && w->from < length; w->from = w->to) {
        w->to = length - w->from > w->part ? w->from + w->part : length;
        if (w->masks)
            status = mask(w->plan, RW_TARGET, w->from, w->to, w->masked_part, 0);
        if (status == RW_OK)
            status = match_part(w);
    }
    return status;
}

static int begin(walk_t *w)
{
    const rw_encode_job *job = w->plan->job;

    w->base = job->base;
    w->part = job->target_length;
    if (job->memory > 0 && w->part > PART)
        w->part = PART;
    if (!w->masks)
        return RW_OK;
    w->masked_base = malloc(job->base_length + (size_t)1);
    w->masked_part = malloc(w->part + (size_t)1);
    if (w->masked_base == 0 || w->masked_part == 0)
        return RW_NO_MEMORY;
    w->base = w->masked_base;
    if (job->memory > 0) {
        w->marks = malloc(job->base_length / 4 + (size_t)1);
        if (w->marks == 0)
            return RW_NO_MEMORY;
    }
    return mask(w->plan, RW_BASE, 0, job->base_length, w->masked_base, w->marks);
}

int rw_plan_covers(rw_plan *plan, int pass)
{
    const rw_encode_job *job = plan->job;
    walk_t w = {0};
    int status;

    w.plan = plan;
    w.masks = pass == RW_PASS_SECOND && plan->header.arch != RW_ARCH_NONE;
    status = begin(&w);
    if (status == RW_OK)
        status = rw_index_begin(&w.all, w.base, 0, job->base_length, choose_step(job));
    if (status == RW_OK)
        status = match_parts(&w);
    rw_index_free(&w.all);
    rw_index_free(&w.near);
    free(w.masked_base);
    free(w.masked_part);
    free(w.marks);
    free(plan->covers);
    plan->covers = w.covers;
    plan->cover_count = w.count;
    plan->done += 190;
    return status;
}
