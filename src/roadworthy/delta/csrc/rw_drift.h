/* How bytes under a cover changed: what changes in a table of values often changes by as much as its
 * neighbours did.
 */
#ifndef RW_DRIFT_H
#define RW_DRIFT_H

#include <stdint.h>

#define RW_DRIFT_LISTS 6u
#define RW_DRIFT_LENGTH 16u

/* Differences new - predicted of the latest bytes that changed, newest first, in lists. */
typedef struct {
    uint8_t difference[RW_DRIFT_LISTS][RW_DRIFT_LENGTH];
    uint8_t count[RW_DRIFT_LISTS];
    uint32_t same; /* history of whether a change was the latest one of its list */
    uint8_t list;  /* of the next byte */
    uint8_t carry; /* of the last byte into the next one: 1 up, 2 down */
} rw_drift;

/* Which list the next byte belongs to; `missed`: the byte before was not as predicted. */
void rw_drift_begin(rw_drift *drift, uint32_t lane, uint32_t missed);
/* The latest difference of the list, 0 for none. */
uint32_t rw_drift_latest(const rw_drift *drift);
/* What the list says of the next bit of a byte predicted as `predicted`, of which `node` is known (with
 * a bit set above): as an input of a mix, 0 for nothing. */
int32_t rw_drift_hint(const rw_drift *drift, uint32_t predicted, uint32_t node, uint32_t bit);
/* Whether no list is another than there is, and none is longer. */
int rw_drift_in_range(const rw_drift *drift);
/* Takes in a byte, changed or not. */
void rw_drift_keep(rw_drift *drift, uint32_t predicted, uint32_t byte);

#endif
