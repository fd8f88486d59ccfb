/* Calls in code that no cover holds, said by where they go. */
#ifndef RW_CALL_H
#define RW_CALL_H

#include "rw_engine.h"

typedef struct {
    uint32_t form;   /* 0: call, 1: jump that reaches as far */
    uint32_t target; /* offset in the target image */
    int same;        /* as what stood after the latest bytes before */
} rw_call;

/* Codes whether the instruction at `offset`, with `left` bytes up to the next cover or the end, is
 * a call to somewhere in the target, and if so which. `bytes` are what it is where that is known:
 * of the base while the models learn from it, whose calls go where the target's would. A call is put
 * into them. Returns its length, 0 when it is no such call or can't be one. */
uint32_t rw_call_code(rw_view *view, uint32_t offset, uint32_t left, uint8_t *bytes,
                      rw_call *call);

#endif
