/* Bytes that no cover holds, with the mixing back end. */
#ifndef RW_GAP_H
#define RW_GAP_H

#include "rw_engine.h"

/* Settles the next ones: they are pending then. */
void rw_gap_settle(rw_view *view);

#endif
