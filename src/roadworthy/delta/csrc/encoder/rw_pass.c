/* One walk over the target for its covers.
 *
 * Where memory is limited, the index of the base has a step, and the target is walked through part
 * by part; in the second pass each part has one more index, with step 1, of the window of the base
 * that most of its covers were in. So what has moved far is found by strings that are a little
 * longer, and all else as well as with an index of the whole.
 */
#include <stdlib.h>
#include <string.h>

#include "rw_map.h"
#include "rw_match.h"
#include "rw_plan.h"

#define STEP_MAX 16u
#define WINDOW_MAX (4u << 20)
#define WINDOW_MIN (1u << 20)
#define BESIDE (4u << 20) /* pages of the images between two reports, and what the search keeps */
#define BACK 32u

/* What is indexed. A part of the target is half as long as the window of the base. */
typedef struct {
    uint32_t step, window;
} density_t;

typedef struct {
    rw_plan *plan;
    int masks;
    const uint8_t *base;
    uint8_t *masked_base, *masked_part; /* 0 where nothing is masked */
    uint8_t *marks;                     /* 0 where memory is not limited, too */
    rw_index all, near;
    int has_near;
    density_t density;
    uint32_t from, to, part; /* of the target */
    uint32_t known;          /* covers of the last pass that are before this part */
    rw_cover *covers;
    uint32_t count;
} walk_t;

/* Bytes of memory that planning takes: the indexes, the base masked and marked, a part masked. */
static uint64_t memory_with(const rw_encode_job *job, density_t d)
{
    uint64_t base = job->base_length, near = base < d.window ? base : d.window;

    return base / d.step * 4 + base + base / 4 + (d.step > 1 ? near * 4 : 0) + d.window + BESIDE;
}

/* The densest index that there is memory for. */
static density_t choose_density(const rw_encode_job *job)
{
    density_t d = {1, WINDOW_MAX};

    while (job->memory > 0 && d.step < STEP_MAX && memory_with(job, d) > job->memory)
        d.step *= 2;
    while (job->memory > 0 && d.window > WINDOW_MIN && memory_with(job, d) > job->memory)
        d.window /= 2;
    return d;
}

int rw_plan_fits(const rw_encode_job *job)
{
    return job->memory == 0 || memory_with(job, choose_density(job)) <= job->memory;
}

int rw_plan_is_sparse(const rw_encode_job *job)
{
    return choose_density(job).step > 1;
}

/* Planning takes 400 thousandths of the work. */
static int report(void *user, uint32_t at)
{
    const walk_t *w = user;
    const rw_encode_job *job = w->plan->job;
    uint64_t done = (uint64_t)(w->from + at) * 190 / job->target_length;

    return rw_report(job, w->plan->done + (uint32_t)done);
}

/* Masks an image from..to, piece by piece where its pages are to be let go of. */
static int mask(const rw_plan *plan, int side, uint32_t from, uint32_t to, uint8_t *masked,
                uint8_t *marks)
{
    const rw_encode_job *job = plan->job;
    const uint8_t *image = side == RW_BASE ? job->base : job->target;
    uint32_t most = job->memory > 0 ? WINDOW_MAX : to - from, at, piece;

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
static uint32_t densest(const rw_cover *covers, uint32_t count, uint32_t window)
{
    uint64_t inside = 0, most = 0;
    uint32_t first = 0, i, middle = 0;

    for (i = 0; i < count; i++) {
        uint32_t end = covers[i].base + covers[i].length;

        inside += covers[i].length;
        for (; first < i && end - covers[first].base > window; first++)
            inside -= covers[first].length;
        if (inside > most) {
            most = inside;
            middle = covers[first].base + (end - covers[first].base) / 2;
        }
    }
    return middle;
}

/* Indexes the window of the base that this part's covers of the last pass were in. */
static int index_near(walk_t *w)
{
    const rw_plan *plan = w->plan;
    uint32_t count, length = plan->job->base_length, window = w->density.window, start = 0, middle;
    rw_cover *here;

    for (count = 0; w->known + count < plan->cover_count
                    && plan->covers[w->known + count].target < w->to;)
        count++;
    here = malloc(sizeof *here * (count + (size_t)1));
    if (here == 0)
        return RW_NO_MEMORY;
    if (count > 0)
        memcpy(here, plan->covers + w->known, sizeof *here * count);
    w->known += count;
    qsort(here, count, sizeof *here, by_base);
    middle = densest(here, count, window);
    free(here);
    if (middle > window / 2 && length > window)
        start = middle - window / 2 < length - window ? middle - window / 2 : length - window;
    w->has_near = 1;
    return rw_index_begin(&w->near, w->base, start,
                          length - start < window ? length : start + window, 1);
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
    const rw_encode_job *job = w->plan->job;
    const uint8_t *target = job->target + w->from;
    rw_match_job match = {.base = job->base,
                          .target = target,
                          .masked_base = w->base,
                          .masked_target = w->masks ? w->masked_part : target,
                          .marks = w->marks,
                          .indexes = {&w->all, w->has_near ? &w->near : 0},
                          .back = BACK,
                          .base_length = job->base_length,
                          .target_length = w->to - w->from,
                          .shifts = {w->from, w->from},
                          .switch_cost = 46 * 32,
                          .insert_cost = 140,
                          .insert_switch_cost = 9 * 32,
                          .miss_cost = 250,
                          .hit_cost = 1,
                          .masked_cost = 16,
                          .echo_cost = 2,
                          .echo_miss_cost = 32,
                          .window_bits = rw_window_bits[job->ram_class],
                          .index_bits = rw_index_bits[job->ram_class],
                          .told = report,
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

static int match_parts(walk_t *w, int with_near)
{
    uint32_t length = w->plan->job->target_length;
    int status = RW_OK;

    for (w->from = 0; status == RW_OK && w->from < length; w->from = w->to) {
        w->to = length - w->from > w->part ? w->from + w->part : length;
        if (w->masks)
            status = mask(w->plan, RW_TARGET, w->from, w->to, w->masked_part, 0);
        if (status == RW_OK && with_near)
            status = index_near(w);
        if (status == RW_OK)
            status = match_part(w);
        rw_index_free(&w->near);
    }
    return status;
}

static int begin(walk_t *w)
{
    const rw_encode_job *job = w->plan->job;

    w->base = job->base;
    w->density = choose_density(job);
    w->part = job->target_length;
    if (job->memory > 0 && w->part > w->density.window / 2)
        w->part = w->density.window / 2;
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
        status = rw_index_begin(&w.all, w.base, 0, job->base_length, w.density.step);
    if (status == RW_OK)
        status = match_parts(&w, w.density.step > 1 && pass == RW_PASS_SECOND);
    rw_index_free(&w.all);
    free(w.masked_base);
    free(w.masked_part);
    free(w.marks);
    free(plan->covers);
    plan->covers = w.covers;
    plan->cover_count = w.count;
    plan->done += 190;
    return status;
}
