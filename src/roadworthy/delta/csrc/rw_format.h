/* Roadworthy delta: the container, and what a reader of it promises.
 *
 * A patch turns one base image into one target image: a header, and the payload after it. All
 * integers are little-endian, the header's first byte has place 0.
 *
 *   size field
 *      2 magic "RW"
 *      1 bits 0-3 format version (5), 4-5 back end: 0 stored, 1 context mixing, 2 fast,
 *        6-7 RAM class: 0 = 60 KiB, 1 = 240 KiB, 2 = 4 MiB
 *      1 bits 0-2 instruction set of the predictors (enum rw_arch), 3 sizes are the usual ones,
 *        4-5 hashes: 0 whole, 1 short, 2 tiny, 6-7 flags (1: models are primed on the base
 *        image, context mixing only, 2: in place)
 *    1-5 base length
 *    1-4 twice the number of covers, and 1 more where the target has another length
 *    0-5 then the difference of target and base length
 *    1-5 payload length in bytes, all that follows the header
 *        sizes, left out where they are the usual ones:
 *      1   log2 of the step size in target bytes, less 12 (0..12)
 *      1   log2 of the history window in bytes (0 = none)
 *      1   log2 of history index entries (0 = none; context mixing only)
 *    0-1   with an instruction set: log2 of memo entries (0 = none)
 *    1-3   number of model slots / 16
 *    0-5 in place only: by how much the base is moved up before the first byte
 * 3/8/32 SHA-256 of the target, its first bytes where hashes are short or tiny
 * 3/8/32 SHA-256 of the base, likewise; where they are tiny, xor the first bytes of the SHA-256 of
 *        the header's bytes before, so a damaged header names another base
 *    0/4 unless hashes are tiny: first bytes of the SHA-256 of the header's bytes before
 *
 * Lengths and counts are numbers of seven bits a byte, the lowest first; the highest bit says that
 * another byte follows. A number has no more bytes than it needs and fits 32 bits. A difference d
 * is the number 2 d, or -2 d - 1 where it is below 0, modulo 2^32.
 *
 * Rules a decoder keeps:
 *   - nothing is written before the SHA-256 of the whole base was compared, as far as the header
 *     has it;
 *   - after every step eight bytes of the running SHA-256 of the target are compared, so a flaw
 *     is found before the step is journalled, and at the end as much of it as the header has;
 *   - memory is the given workspace and nothing else; work per target byte is bounded;
 *   - in place, no step reads base bytes that this step or an earlier one has overwritten: they
 *     count as 0. So a step can be made again after a power cut;
 *   - any bytes at all lead to a status, never to a read or write out of bounds.
 */
#ifndef RW_FORMAT_H
#define RW_FORMAT_H

#include <stdint.h>

#define RW_HEADER_MIN 13u  /* bytes of the shortest header */
#define RW_HEADER_MAX 106u /* what a header may ask to be read, though no good one has as much */
#define RW_HASH_SHORT 8u   /* bytes of a hash in a short header, else RW_HASH_WHOLE */
#define RW_HASH_TINY 3u    /* in a tiny one */
#define RW_HASH_WHOLE 32u
#define RW_TINY_PAYLOAD 512u /* hashes are tiny only before payloads shorter than this */
#define RW_FORMAT_VERSION 5u
#define RW_MAGIC_SIZE 2u
#define RW_STEP_BITS_MIN 12u
#define RW_SLOTS_MAX (1u << 20)
#define RW_NUMBER_BITS 7u /* in a byte of a number */
/* In the byte of the instruction set: */
#define RW_USUAL 8u /* sizes are left out */
#define RW_HASHES_AT 4u
#define RW_FLAGS_AT 6u
#define RW_FAST_SLOTS_MIN 4096u /* of the fast back end */

enum rw_backend { RW_BACKEND_STORED = 0, RW_BACKEND_MIXING = 1, RW_BACKEND_FAST = 2 };
/* A bootloader that saves flash may refuse fast patches and be built without rw_fast.c,
 * rw_literal.c and rw_nibble.c. */
#ifdef RW_NO_FAST
#define RW_BACKEND_LAST RW_BACKEND_MIXING
#else
#define RW_BACKEND_LAST RW_BACKEND_FAST
#endif
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
    uint8_t hash_bytes; /* of each hash: RW_HASH_TINY, _SHORT or _WHOLE; 0 after them */
    uint16_t size;      /* of the header itself in bytes */
    uint32_t base_length, target_length, payload_length;
    uint32_t cover_count, slot_count, shift;
    uint8_t base_sha256[32], target_sha256[32];
} rw_header;

/* Returns RW_OK, RW_MALFORMED, RW_UNSUPPORTED or RW_NEED_INPUT; every field is in range after
 * RW_OK. `size` is always set: after RW_NEED_INPUT it is more than `length`, and the header has at
 * least as many bytes. */
int rw_header_read(rw_header *header, const uint8_t *bytes, uint32_t length);
/* Returns the same for the fields alone, whatever they hold. */
int rw_header_check(const rw_header *header);
/* Bytes of the header's own check; 0 where it is part of the base's hash. */
uint32_t rw_check_size(const rw_header *header);
/* Sets the sizes to those that a header need not name: known class, back end, lengths and flags. */
void rw_usual_sizes(rw_header *header);
int rw_sizes_are_usual(const rw_header *header);
/* Slots that the models can use, before there is room for them. */
uint64_t rw_slots_wanted(const rw_header *header);
/* Bits that a number takes, n > 0, at most `most`. */
uint8_t rw_bits_for(uint64_t n, uint32_t most);
/* Bytes of workspace that the header asks for; always at most its class. */
uint32_t rw_workspace_size(const rw_header *header);
/* Bytes of workspace in a RAM class, 0 for an unknown one. */
uint32_t rw_class_size(uint32_t ram_class);

#endif
