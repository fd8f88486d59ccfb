/* What the fuzz targets share: a base image and a patch for it, both cut out of the input.
 *
 *   offset size
 *        0    1 control, see below
 *        1    1 seed of the pieces in which the patch is fed
 *        2    2 length of the base
 *        4      base, then the patch
 *
 * The header is put right as far as a hostile sender could do it: base length, base hash and
 * check. So an input isn't refused at the door, and gets as deep as the decoder can be driven.
 */
#ifndef HOSTILE_H
#define HOSTILE_H

#include <stddef.h>
#include <stdint.h>

#include "rw_decode.h"

enum {
    HOSTILE_TRIMMED = 1, /* the payload length is that of the input's rest */
    HOSTILE_UNHASHED = 2 /* step hashes count as right (where the build wraps rw_code_hash) */
};
enum { TARGET_MAX = 1 << 14 };

typedef struct {
    const uint8_t *base;
    uint32_t base_length;
    uint8_t *patch; /* with its header; for hostile_free */
    uint32_t length;
    rw_header header;
    uint8_t control, seed;
    uint32_t reads; /* of the base, counted by hostile_read */
    int header_is_damaged; /* one without a check may ask for bytes that no base has */
} hostile;

/* Puts the check of a header right; returns its size, 0 where there are not as many bytes. */
uint32_t hostile_seal(uint8_t *bytes, uint32_t length);

/* Returns 0 when the input holds no header that passes. */
int hostile_open(hostile *h, const uint8_t *data, size_t size);
void hostile_free(hostile *h);

/* rw_source and rw_io read: `user` is the hostile. Aborts on offsets outside of the base, or
 * refuses them where the header is damaged. */
int hostile_read(void *user, uint32_t offset, uint8_t *out, uint32_t length);

/* Feeds the patch from byte `fed` on, in pieces of at most `piece` bytes (0: whole), until the
 * decoder stops for good. `out` has room for the target. Returns the last status. */
int hostile_run(hostile *h, void *workspace, uint32_t fed, uint32_t piece, uint8_t *out,
                uint32_t *made);

/* Next number of a fixed sequence. */
uint32_t hostile_next(uint32_t *state);

/* Whether the wrapped rw_code_hash takes every hash for right. */
extern int hostile_hash_is_right;

#define HOSTILE_CHECK(condition) ((condition) ? (void)0 : __builtin_trap())

#endif
