/* Where base offsets and addresses went in the target. */
#ifndef RW_MAP_H
#define RW_MAP_H

#include "rw_engine.h"

enum { RW_BASE = 0, RW_TARGET = 1 };

/* Target offset of a base offset; returns 0 when no cover holds it and the nearest was used. */
int rw_map_offset(const rw_view *view, uint32_t base, uint32_t *target);

/* Address at which the loader puts an offset of the base or the target. */
static inline uint32_t rw_address(const rw_engine *e, int side, uint32_t offset)
{
    uint32_t i;

    for (i = 0; i < e->segment_count[side]; i++) {
        const rw_segment *s = &e->segment[side][i];

        if (offset - s->offset < s->length)
            return s->address + (offset - s->offset);
    }
    return offset;
}

/* The other way round; returns 0 when no segment holds the address. */
static inline int rw_offset(const rw_engine *e, int side, uint32_t address, uint32_t *offset)
{
    uint32_t i;

    for (i = 0; i < e->segment_count[side]; i++) {
        const rw_segment *s = &e->segment[side][i];

        if (address - s->address < s->length) {
            *offset = s->offset + (address - s->address);
            return 1;
        }
    }
    return 0;
}

enum rw_quality { RW_UNKNOWN, RW_NEAR, RW_COVERED, RW_LEARNED };

/* Where an address of the base is in the target, and how that is known: learned from another
 * reference, covered, next to something covered, or not at all (then it stays what it is). With
 * `local` the cover that is being made comes before what was learned. */
uint32_t rw_translate(const rw_view *view, uint32_t address, int local, enum rw_quality *quality);
/* What was learned from a reference that was coded: this address went there. */
void rw_learn(rw_view *view, uint32_t address, uint32_t target);
/* What was learned about an address; 0 when nothing was. */
int rw_recall(const rw_view *view, uint32_t address, uint32_t *target);

#endif
