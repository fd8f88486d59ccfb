/* Parameters of the predictors, coded before the covers. */
#include "rw_engine.h"

static void code_segment(rw_view *view, rw_segment *s, rw_segment *last)
{
    s->offset = last->offset + rw_code_number(view, 4, 0, s->offset - last->offset);
    s->address = last->address + rw_code_number(view, 5, 0, s->address - last->address);
    s->length = rw_code_number(view, 6, 0, s->length);
    *last = *s;
}

void rw_code_parameters(rw_view *view)
{
    rw_engine *e = view->engine;
    uint32_t side, i;

    for (side = 0; side < 2; side++) {
        rw_segment last = {0, 0, 0};
        uint32_t count = rw_code_number(view, 7, side, e->segment_count[side]);

        e->segment_count[side] = count < RW_SEGMENTS ? count : RW_SEGMENTS;
        for (i = 0; i < e->segment_count[side]; i++)
            code_segment(view, &e->segment[side][i], &last);
    }
}
