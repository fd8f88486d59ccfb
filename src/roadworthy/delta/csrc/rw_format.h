/* Roadworthy delta: the container, and what a reader of it promises.
 *
 * A patch turns one base image into one target image. All integers are little-endian.
 *
 *   offset size field
 *        0    4 magic "RWDP"
 *        4    1 format version (1)
 *        5    1 back end: 0 stored, 1 context mixing, 2 fast (few contexts)
 *        6    1 RAM class: 0 = 60 KiB, 1 = 240 KiB, 2 = 4 MiB
 *        7    1 instruction set of the predictors (enum rw_arch)
 *        8    1 log2 of the step size in target bytes (12..24)
 *        9    1 flags (bit 0: models are primed on the base image, bit 1: in place)
 *       10    1 log2 of memo entries (0 = none)
 *       11    1 log2 of the history window in bytes (0 = none)
 *       12    1 log2 of history index entries (0 = none)
 *       13    3 zero
 *       16    4 base length
 *       20    4 target length
 *       24    4 payload length in bytes, all that follows the header
 *       28    4 number of covers
 *       32    4 number of model slots, a multiple of 16
 *       36    4 in place: by how much the base is moved up before the first byte, else 0
 *       40   32 SHA-256 of the base
 *       72   32 SHA-256 of the target
 *      104    4 first four bytes of the SHA-256 of bytes 0..103
 *      108      payload
 *
 * Rules a decoder keeps:
 *   - nothing is written before the SHA-256 of the whole base was compared;
 *   - after every step eight bytes of the running SHA-256 of the target are compared, so a flaw
 *     is found before the step is journalled, and at the end the whole of it;
 *   - memory is the given workspace and nothing else; work per target byte is bounded;
 *   - in place, no step reads base bytes that this step or an earlier one has overwritten: they
 *     count as 0. So a step can be made again after a power cut;
 *   - any bytes at all lead to a status, never to a read or write out of bounds.
 */
#ifndef RW_FORMAT_H
#define RW_FORMAT_H

#include <stdint.h>

#define RW_HEADER_SIZE 108u
#define RW_FORMAT_VERSION 1u

enum rw_backend { RW_BACKEND_STORED = 0, RW_BACKEND_MIXING = 1, RW_BACKEND_FAST = 2 };
enum rw_arch {
    RW_ARCH_NONE = 0,
    RW_ARCH_THUMB = 1,
    RW_ARCH_ARM = 2,
    RW_ARCH_AARCH64 = 3,
    RW_ARCH_RISCV = 4,
    RW_ARCH_XTENSA = 5,
    RW_ARCH_LAST = RW_ARCH_XTENSA
};
enum { RW_FLAG_PRIMED = 1, RW_FLAG_IN_PLACE = 2 };
enum { RW_RAM_CLASSES = 3 };

enum rw_status {
    RW_OK = 0,
    RW_NEED_INPUT = 1,   /* feed more of the patch */
    RW_OUTPUT_FULL = 2,  /* the caller asked to stop here; call again */
    RW_DONE = 3,         /* the target is whole and its hash is right */
    RW_STEP = 4,         /* a step is whole and its hash right: the moment to journal */
    RW_MOVE = 5,         /* in place: the base is right; journal, move it up, call again */
    RW_MALFORMED = -1,   /* not a patch, or a broken one */
    RW_UNSUPPORTED = -2, /* a version, back end or class this decoder does not know */
    RW_WRONG_BASE = -3,  /* the base is not the one this patch was made for */
    RW_MISMATCH = -4,    /* what came out is not the target */
    RW_CALLBACK = -5,    /* a callback failed */
    RW_NO_MEMORY = -6,   /* the workspace is smaller than the patch asks for */
    RW_BAD_JOURNAL = -7  /* the journal is not one of this decoder */
};

typedef struct {
    uint8_t version, backend, ram_class, arch, step_bits, flags;
    uint8_t memo_bits, window_bits, index_bits;
    uint32_t base_length, target_length, payload_length;
    uint32_t cover_count, slot_count, shift;
    uint8_t base_sha256[32], target_sha256[32];
} rw_header;

/* Returns RW_OK, RW_MALFORMED or RW_UNSUPPORTED; every field is in range after RW_OK. */
int rw_header_read(rw_header *header, const uint8_t bytes[RW_HEADER_SIZE]);
void rw_header_write(const rw_header *header, uint8_t bytes[RW_HEADER_SIZE]);
/* Bytes of workspace that the header asks for; always at most its class. */
uint32_t rw_workspace_size(const rw_header *header);
/* Bytes of workspace in a RAM class, 0 for an unknown one. */
uint32_t rw_class_size(uint32_t ram_class);

#endif
