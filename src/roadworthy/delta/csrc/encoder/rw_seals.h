/* The search for seals. Encoder only. */
#ifndef RW_SEALS_H
#define RW_SEALS_H

#include "rw_encode.h"

typedef struct {
    rw_seal seal[RW_SEALS];
    uint32_t count;
    const uint8_t *target; /* as it is */
    const uint8_t *open;   /* with what the base has in place of the seals */
    uint8_t *copy;         /* memory of it, 0 where there is no seal */
} rw_seals;

/* Finds the seals near the end of a target of at most 64 MiB, of which the base has other bytes. Returns
 * RW_OK or RW_NO_MEMORY; rw_seals_free in both cases. */
int rw_seals_find(rw_seals *seals, const rw_encode_job *job);
void rw_seals_free(rw_seals *seals);

#endif
