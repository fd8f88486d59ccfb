/* Seals: bytes of the target that are a hash or a checksum of all target bytes up to some place before
 * them, as the last bytes of most firmware images are. They are computed, and not coded. The walk takes
 * other bytes in their place, whatever is cheapest; only what is given out and hashed has the seals.
 */
#ifndef RW_SEAL_H
#define RW_SEAL_H

#include "rw_engine.h"

enum rw_seal_kind {
    RW_SEAL_SHA256,
    RW_SEAL_CRC32_LITTLE, /* CRC-32 (IEEE 802.3), lowest byte first */
    RW_SEAL_CRC32_BIG,    /* highest byte first */
    RW_SEAL_KINDS
};

/* Bytes that a seal of this kind has. */
uint32_t rw_seal_size(uint32_t kind);
/* Takes target bytes into a CRC-32, which is 0 at first. */
uint32_t rw_crc32(uint32_t crc, const uint8_t *bytes, uint32_t length);
/* The seal of bytes with this hash and checksum. */
void rw_seal_make(uint32_t kind, const rw_sha256 *sha, uint32_t crc, uint8_t seal[32]);

/* Codes whether there is another seal, and it; returns 0, 1 after the last one or RW_MALFORMED. */
int rw_code_seal(rw_view *view);
/* Of a journal: whether all seals are inside the target and in order. */
int rw_seals_in_range(const rw_engine *engine);

/* Target bytes to be made before the next seal can be computed. */
uint32_t rw_seal_left(const rw_engine *engine);
/* Takes the next bytes that are given out into hash and checksum. */
void rw_seal_hash(rw_engine *engine, const uint8_t *bytes, uint32_t length);
/* Computes the next seal, when all bytes before were taken in. */
void rw_seal_next(rw_engine *engine);
/* Puts the seal that was computed last over what the walk made from `from` on. */
void rw_seal_put(const rw_engine *engine, uint32_t from, uint8_t *bytes, uint32_t length);

#endif
