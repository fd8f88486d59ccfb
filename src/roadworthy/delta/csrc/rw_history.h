/* Where the latest bytes stood before, in the base or in the target. */
#ifndef RW_HISTORY_H
#define RW_HISTORY_H

#include "rw_scene.h"

/* Fills in what stood `ahead` bytes after them. */
void rw_expect(rw_view *view, rw_scene *scene, uint32_t ahead);
/* The four bytes that stood after them, and on which side at which offset; 0 when nothing did. */
int rw_expect_word(rw_view *view, int *side, uint32_t *offset, uint8_t *word);
/* After a byte: `here` is the place of the next one in the base followed by the target. */
void rw_follow(rw_view *view, uint8_t byte, uint32_t here);
/* After a unit of `length` bytes that was, or was not, as it stood before. */
void rw_follow_unit(rw_view *view, uint32_t length, int same, uint32_t here);

#endif
