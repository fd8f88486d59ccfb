/* Lists of covers: cut, split and thinned out. */
#include <stdlib.h>
#include <string.h>

#include "rw_plan.h"

#define EQUAL_RUN 8192u

void rw_limit_covers(rw_plan *plan, uint32_t most)
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

uint32_t rw_append_cover(rw_cover *list, uint32_t count, const rw_cover *c, uint32_t from,
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
int rw_cut_covers(rw_plan *plan)
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
                count = rw_append_cover(kept, count, &c, lost, here);
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


/* Where the next run of at least EQUAL_RUN equal bytes of a cover starts and ends. */
static uint32_t next_equal(const rw_encode_job *job, const rw_cover *c, uint32_t from,
                           uint32_t *end)
{
    const uint8_t *b = job->base + c->base, *t = job->target + c->target;
    uint32_t start = from, i;

    for (i = from; i <= c->length; i++) {
        if (i < c->length && b[i] == t[i])
            continue;
        if (i - start >= EQUAL_RUN) {
            *end = i;
            return start;
        }
        start = i + 1;
    }
    *end = c->length;
    return c->length;
}

static uint32_t split(const rw_encode_job *job, rw_cover c, rw_cover *out)
{
    uint32_t at = 0, start, end, count = 0;

    while (at < c.length) {
        start = next_equal(job, &c, at, &end);
        if (start > at) {
            rw_cover changed = {c.target + at, c.base + at, start - at};

            out[count++] = changed;
        }
        if (end > start) {
            rw_cover equal = {c.target + start, c.base + start, end - start};

            out[count++] = equal;
        }
        at = end;
    }
    return count;
}

int rw_split_covers(rw_plan *plan)
{
    uint64_t room = plan->cover_count + 1 + plan->job->target_length / (EQUAL_RUN / 2);
    rw_cover *list = malloc(sizeof *list * room);
    uint32_t count = 0, i, seen = 0;
    int status = list == 0 ? RW_NO_MEMORY : RW_OK;

    for (i = 0; status == RW_OK && i < plan->cover_count; i++) {
        count += split(plan->job, plan->covers[i], list + count);
        seen += plan->covers[i].length;
        if (seen >= REPORT_BYTES) {
            status = rw_report(plan->job, 400);
            seen = 0;
        }
    }
    free(plan->covers);
    plan->covers = list;
    plan->cover_count = count;
    return status;
}
