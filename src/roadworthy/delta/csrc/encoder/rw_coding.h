/* Coding the target by a plan. Encoder only. */
#ifndef RW_CODING_H
#define RW_CODING_H

#include "rw_plan.h"

/* Codes the target by the plan, with the sizes of its header, into a fresh patch (malloc). */
int rw_make_patch(rw_plan *plan, uint8_t **patch, uint32_t *length);
/* Tells how far the work is: each walk over the target takes 300 thousandths. */
int rw_report_walk(const rw_plan *plan, uint32_t position);

#endif
