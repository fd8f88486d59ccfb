/* Parameters of the predictors, coded before the covers. */
#include "rw_engine.h"

static void code_segment(rw_view *view, rw_segment *s, const rw_segment *last)
{
    s->offset = last->offset + rw_code_number(view, 4, 0, s->offset - last->offset);
    s->address = last->address + rw_code_number(view, 5, 0, s->address - last->address);
    s->length = rw_code_number(view, 6, 0, s->length);
}

int rw_code_parameter(rw_view *view)
{
    static const rw_segment none = {0, 0, 0};
    rw_engine *e = view->engine;
    uint32_t side = e->counter / RW_PARAMETERS_OF_SIDE, i = e->counter % RW_PARAMETERS_OF_SIDE;
    rw_segment *segments = e->segment[side];

    if (i == 0) {
        uint32_t count = rw_code_number(view, 7, side, e->segment_count[side]);

        e->segment_count[side] = count < RW_SEGMENTS ? count : RW_SEGMENTS;
    } else {
        code_segment(view, segments + i - 1, i > 1 ? segments + i - 2 : &none);
    }
    e->counter = i == e->segment_count[side] ? (side + 1) * RW_PARAMETERS_OF_SIDE : e->counter + 1;
    if (e->counter < 2 * RW_PARAMETERS_OF_SIDE)
        return 0;
    e->counter = 0;
    return 1;
}

void rw_code_parameters(rw_view *view)
{
    while (!rw_code_parameter(view))
        continue;
}
