/* Where base offsets and addresses went in the target. */
#ifndef RW_MAP_H
#define RW_MAP_H

#include "rw_engine.h"

/* Target offset of a base offset; returns 0 when no cover holds it and the nearest was used. */
int rw_map_offset(const rw_view *view, uint32_t base, uint32_t *target);

#endif
