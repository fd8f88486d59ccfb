/* Where a walk is, and what both walks do there in the same way. */
#ifndef RW_CURSOR_H
#define RW_CURSOR_H

#include "rw_engine.h"

/* The cover that holds the next target byte, 0 when none does. */
const rw_cover *rw_cover_here(rw_view *view);
/* Whether the next byte is the first one of a cover that may be equal to the base as a whole;
 * drops the unit and the group of the last cover. */
int rw_cover_opens(rw_view *view, const rw_cover *cover);
/* Encoder: whether it is. */
int rw_cover_is_equal(const rw_view *view, const rw_cover *cover);
/* Bytes that are predicted together: one instruction or word, within the cover and the step. */
uint32_t rw_group_length(const rw_view *view, const rw_cover *cover);
/* Takes the next target bytes into the history; under a cover they are of one unit or of none, and
 * the last one of a unit is learned from. */
void rw_keep(rw_view *view, const uint8_t *bytes, uint32_t length, int covered);
/* Takes a byte into the latest eight, and nothing else. */
void rw_shift_in(rw_engine *engine, uint8_t byte);
/* Target bytes up to the next cover, or the end; no cover holds the next one. */
uint32_t rw_gap_left(const rw_view *view);
/* Target bytes that are left of the step. */
uint32_t rw_step_left(const rw_engine *engine);

#endif
