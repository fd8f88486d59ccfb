/* Planning for images of any size in bounded memory.
 *
 * Equal blocks are matched first. What they leave of the base, with a margin, is laid together
 * into windows, what they leave of the target into parts; each part is matched with the window
 * that is nearest to where the part would be in the base. The covers that come out are put back
 * to where their bytes really are.
 */
#include <stdlib.h>
#include <string.h>

#include "rw_map.h"
#include "rw_plan.h"

#define WINDOW_MAX (20u << 20)
#define WINDOW_MIN (1u << 20)
#define BESIDE (9u << 20) /* what planning takes beside the window (rw_pass.c) */
#define MARGIN 8192u
#define SPANS_A_REPORT 128u

/* A run of bytes of an image, and where it stands among others that were laid together. */
typedef struct {
    uint32_t offset, length, at;
} span_t;

/* Spans of an image, and their bytes one after the other. */
typedef struct {
    span_t *spans;
    uint32_t count, length;
    uint8_t *data;
} extract_t;

typedef struct {
    rw_plan *plan;
    extract_t gaps[2]; /* without their bytes */
    rw_cover *covers;
    uint32_t count, room;
    uint32_t window; /* bytes of the base; a part of the target has half as many */
    uint32_t told; /* thousandths of the work that are done */
} large_t;

static int by_base(const void *a, const void *b)
{
    const rw_cover *x = a, *y = b;

    return x->base < y->base ? -1 : x->base > y->base;
}

static int by_target(const void *a, const void *b)
{
    const rw_cover *x = a, *y = b;

    return x->target < y->target ? -1 : x->target > y->target;
}

static void drop(extract_t *x)
{
    free(x->spans);
    free(x->data);
    memset(x, 0, sizeof *x);
}

static void add_span(extract_t *x, uint32_t from, uint32_t to)
{
    span_t *last = x->spans + x->count - 1;

    if (x->count > 0 && from < last->offset + last->length) {
        x->length += to - (last->offset + last->length);
        last->length = to - last->offset;
        return;
    }
    x->spans[x->count].offset = from;
    x->spans[x->count].length = to - from;
    x->spans[x->count++].at = x->length;
    x->length += to - from;
}

/* What the covers, in order of this side, leave of an image. */
static int find_gaps(const large_t *l, int side, uint32_t image_length, extract_t *gaps)
{
    uint32_t margin = side == RW_BASE ? MARGIN : 0, at = 0, i;

    gaps->spans = malloc(sizeof(span_t) * (l->count + (size_t)1));
    if (gaps->spans == 0)
        return RW_NO_MEMORY;
    for (i = 0; i <= l->count; i++) {
        const rw_cover *c = l->covers + i;
        uint32_t start = i == l->count ? image_length : side == RW_BASE ? c->base : c->target,
                 end = i == l->count ? image_length : start + c->length;

        if (start > at)
            add_span(gaps, at > margin ? at - margin : 0,
                     image_length - start > margin ? start + margin : image_length);
        at = end > at ? end : at;
    }
    return RW_OK;
}

/* Lays together what stands at from..to among the gaps. Reports often, because each span may
 * bring some pages of a mapped file into memory. */
static int extract(const large_t *l, int side, uint32_t from, uint32_t to, extract_t *out)
{
    const rw_encode_job *job = l->plan->job;
    const uint8_t *image = side == RW_BASE ? job->base : job->target;
    const extract_t *gaps = &l->gaps[side];
    uint32_t i;

    memset(out, 0, sizeof *out);
    out->spans = malloc(sizeof(span_t) * (gaps->count + (size_t)1));
    out->data = malloc(to - from + (size_t)1);
    if (out->spans == 0 || out->data == 0)
        return RW_NO_MEMORY;
    for (i = 0; i < gaps->count; i++) {
        const span_t *s = gaps->spans + i;
        uint32_t first = from > s->at ? from - s->at : 0,
                 end = to > s->at ? to - s->at : 0;

        end = end < s->length ? end : s->length;
        if (first >= end)
            continue;
        if (out->count % SPANS_A_REPORT == 0 && rw_report(job, l->told) != RW_OK)
            return RW_CALLBACK;
        memcpy(out->data + out->length, image + s->offset + first, end - first);
        out->spans[out->count].offset = s->offset + first;
        out->spans[out->count].length = end - first;
        out->spans[out->count++].at = out->length;
        out->length += end - first;
    }
    return RW_OK;
}

/* The span that holds a place. */
static const span_t *span_at(const extract_t *x, uint32_t at)
{
    uint32_t low = 0, high = x->count;

    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;

        if (x->spans[middle].at <= at)
            low = middle;
        else
            high = middle;
    }
    return x->spans + low;
}

static int make_room(large_t *l)
{
    uint32_t room = l->room * 2 + 1024;
    rw_cover *more;

    if (l->count < l->room)
        return RW_OK;
    more = realloc(l->covers, sizeof *more * room);
    if (more == 0)
        return RW_NO_MEMORY;
    l->covers = more;
    l->room = room;
    return RW_OK;
}

/* Cuts a cover between laid together bytes where the spans of either side end. */
static int put_back(large_t *l, const extract_t *base, const extract_t *target, rw_cover c)
{
    while (c.length > 0) {
        const span_t *b = span_at(base, c.base), *t = span_at(target, c.target);
        uint32_t length = b->length - (c.base - b->at), left = t->length - (c.target - t->at);
        rw_cover piece = {t->offset + (c.target - t->at), b->offset + (c.base - b->at), 0};

        length = length < left ? length : left;
        piece.length = length = length < c.length ? length : c.length;
        if (make_room(l) != RW_OK)
            return RW_NO_MEMORY;
        l->count = rw_append_cover(l->covers, l->count, &piece, 0, length);
        c.base += length;
        c.target += length;
        c.length -= length;
    }
    return RW_OK;
}

/* Plans a part with a window as if they were images. The first part that holds code says what
 * instruction set all have. */
static int plan_part(large_t *l, const extract_t *base, const extract_t *target)
{
    rw_plan *part = calloc(1, sizeof *part);
    rw_encode_job job = *l->plan->job;
    uint64_t copied = (uint64_t)base->length + target->length;
    int status = RW_NO_MEMORY;
    uint32_t i;

    if (part == 0)
        return status;
    job.base = base->data;
    job.base_length = base->length;
    job.target = target->data;
    job.target_length = target->length;
    job.progress = 0; /* plan_parts tells it */
    if (job.memory > 0)
        job.memory = job.memory > copied ? job.memory - copied : 1;
    if (l->plan->header.arch != RW_ARCH_NONE)
        job.arch = l->plan->header.arch;
    part->job = &job;
    part->header = l->plan->header;
    part->parameters.header = part->header;
    part->parameters.header.base_length = base->length;
    part->parameters.header.target_length = target->length;
    status = rw_plan_pair(part);
    l->plan->header.arch = part->header.arch;
    for (i = 0; status == RW_OK && i < part->cover_count; i++)
        status = put_back(l, base, target, part->covers[i]);
    free(part->covers);
    free(part);
    return status;
}

/* A window is copied, as is its part, and masked; marks and index take half of it at least. */
static uint32_t window_for(const rw_encode_job *job)
{
    uint64_t window = job->memory > BESIDE ? (job->memory - BESIDE) / 3 : 0;

    if (job->memory == 0 || window > WINDOW_MAX)
        return WINDOW_MAX;
    return window > WINDOW_MIN ? (uint32_t)window : WINDOW_MIN;
}

/* The first place of the window of the base's gaps that a part belongs to. */
static uint32_t window_of(const large_t *l, uint32_t from, uint32_t to)
{
    const extract_t *base = &l->gaps[RW_BASE], *target = &l->gaps[RW_TARGET];
    uint64_t middle = ((uint64_t)from + to) / 2 * base->length / (target->length + 1u);

    if (base->length <= l->window || middle <= l->window / 2)
        return 0;
    middle -= l->window / 2;
    return middle < base->length - l->window ? (uint32_t)middle : base->length - l->window;
}

static int plan_parts(large_t *l)
{
    const rw_encode_job *job = l->plan->job;
    uint32_t length = l->gaps[RW_TARGET].length, from, to;
    int status = RW_OK;

    for (from = 0; status == RW_OK && from < length; from = to) {
        extract_t base = {0}, target = {0};
        uint32_t start, end;

        to = length - from > l->window / 2 ? from + l->window / 2 : length;
        start = window_of(l, from, to);
        end = l->gaps[RW_BASE].length - start > l->window ? start + l->window : l->gaps[RW_BASE].length;
        l->told = 80 + (uint32_t)((uint64_t)from * 320 / length);
        status = extract(l, RW_BASE, start, end, &base);
        if (status == RW_OK)
            status = extract(l, RW_TARGET, from, to, &target);
        if (status == RW_OK)
            status = rw_report(job, l->told);
        if (status == RW_OK)
            status = plan_part(l, &base, &target);
        drop(&base);
        drop(&target);
    }
    return status;
}

static int plan_gaps(large_t *l)
{
    const rw_encode_job *job = l->plan->job;
    int status;

    qsort(l->covers, l->count, sizeof *l->covers, by_base);
    status = find_gaps(l, RW_BASE, job->base_length, &l->gaps[RW_BASE]);
    qsort(l->covers, l->count, sizeof *l->covers, by_target);
    if (status == RW_OK)
        status = find_gaps(l, RW_TARGET, job->target_length, &l->gaps[RW_TARGET]);
    if (status == RW_OK)
        status = plan_parts(l);
    if (status == RW_OK)
        qsort(l->covers, l->count, sizeof *l->covers, by_target);
    drop(&l->gaps[RW_BASE]);
    drop(&l->gaps[RW_TARGET]);
    return status;
}

int rw_plan_large(rw_plan *plan)
{
    large_t l = {0};
    rw_pair_of_images nothing = {0};
    int status;

    l.plan = plan;
    l.window = window_for(plan->job);
    rw_find_segments(&nothing, &plan->parameters);
    status = rw_match_blocks(plan->job, &l.covers, &l.count);
    l.room = l.count;
    plan->header.arch = plan->job->arch == RW_ARCH_AUTO ? RW_ARCH_NONE : plan->job->arch;
    if (status == RW_OK)
        status = plan_gaps(&l);
    plan->covers = l.covers;
    plan->cover_count = l.count;
    return status;
}
