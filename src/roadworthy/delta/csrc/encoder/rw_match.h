/* Which base bytes each part of the target is best made from. Encoder only.
 *
 * A path through the target is searched for (Viterbi with a beam): its states are shifts
 * (base - target offset) and "insert". Staying in a shift costs little where the bytes agree
 * and a byte's worth where they don't; changing costs what a cover costs. Bytes in a long match with
 * earlier target bytes cost next to nothing without a cover. New shifts come from an index of the
 * base. Base and target are given with the operands of instructions masked, because
 * those are predicted later.
 */
#ifndef RW_MATCH_H
#define RW_MATCH_H

#include "rw_engine.h"
#include "rw_index.h"

/* In 1/32 bit. */
typedef struct {
    uint32_t change, distance;   /* of the shift, and what each bit of its size adds */
    uint32_t recent;             /* going back to one that was used a moment ago, at most */
    uint32_t change_insert;      /* from a cover to new bytes */
    uint32_t prune;              /* by which a state may be dearer than the best one */
    uint32_t insert;             /* a new byte, */
    uint32_t miss;               /* one that the cover has not, */
    uint32_t drift, drift_near;  /* but as its neighbours changed, or nearly so, */
    uint32_t hit, masked;        /* one that it has, or has with another operand, */
    uint32_t echo, echo_miss;    /* and one that earlier bytes of the target tell */
} rw_match_costs;

typedef struct {
    const uint8_t *base, *target;               /* as they are */
    const uint8_t *masked_base, *masked_target; /* operands masked */
    const uint8_t *marks;                       /* of the base's bytes; 0 to look at all */
    const rw_index *index;                      /* of masked_base */
    uint32_t back;                              /* bytes that a match may begin earlier, 0..32 */
    uint32_t base_length, target_length;
    uint32_t shifts[2];                         /* likely ones to begin with */
    rw_match_costs costs;
    uint8_t window_bits, index_bits;    /* how far back those may be, and how many are looked up */
    /* Told every RW_MATCH_NEAR bytes how far the work on the target is and which shift is the best
     * there, or RW_MATCH_INSERT; gives one more index, of places that are likely next, or 0. RW_OK to
     * go on. */
    int (*told)(void *user, uint32_t at, uint32_t shift, const rw_index **near);
    void *user;
} rw_match_job;

#define RW_MATCH_NEAR 8192u
#define RW_MATCH_INSERT 0x80000000u

/* Two bits that tell most bytes apart: instead of a base whose pages are to stay out of memory. */
void rw_match_mark(const uint8_t *base, uint32_t length, uint8_t *marks);

/* Fills *covers (malloc, for the caller to free); returns their number, RW_NO_MEMORY, or
 * what told() returned. */
int32_t rw_match(const rw_match_job *job, rw_cover **covers);

#endif
