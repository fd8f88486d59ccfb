/* The engine: one walk over the target that is both the encoder and the decoder.
 *
 * Encoder and decoder call rw_step for each target byte, or rw_fast for the next ones. Every choice
 * is a decision that goes through rw_code_bit, or rw_code_part where it has more than two outcomes;
 * with a sink the decision is written, without one it is read. So the two sides can't drift apart.
 *
 * All state is inside the workspace and holds no pointer: a copy of the workspace is a journal
 * from which another run goes on, after a power cut or on another machine of the same byte
 * order. rw_view holds the pointers of one run.
 */
#ifndef RW_ENGINE_H
#define RW_ENGINE_H

#include <stdint.h>

#include "rw_drift.h"
#include "rw_format.h"
#include "rw_math.h"
#include "rw_sha256.h"

#define RW_INPUTS 20 /* inputs of the mixer, the last one is its bias */
#define RW_WEIGHT_SETS 256u
#define RW_WIDE_SETS 1024u /* more of them in the largest RAM class */
#define RW_MIXES 4u       /* mixes that are mixed once more, two in smaller classes */
#define RW_LAST_SETS 4u   /* of weights for that */
#define RW_CURVES 512u    /* that correct the last mix, in the largest RAM class */
#define RW_POINTS 17u     /* of a curve, */
#define RW_POINT_BITS 8   /* 2^RW_POINT_BITS apart in the logistic domain */
#define RW_WEIGHT_MAX 0x7ffff
#define RW_TRUST_MAX 15
/* A number is at most 36 modelled bits of at most 16 bits each and 26 raw ones: 76 bytes. The
 * longest symbol is a cover of four numbers; with as much at hand no symbol starves. */
#define RW_SYMBOL_MAX 304
#define RW_INPUT_BUFFER 384 /* patch bytes held back */
#define RW_RANGE_MIN (1u << 24) /* of the range coder, between two decisions */
#define RW_SLOT_START (1u << 31) /* a probability of one half, never used */
#define RW_PART_BITS 14u /* log2 of the parts that the range has in a decision of many outcomes */
#define RW_NUMBER_SLOTS 512u /* of a field of numbers, with the fast back end */
#define RW_SLOT_LINE 16u    /* slots come in lines of this many */
#define RW_LINE_SIZE 256
#define RW_LINES 4
#define RW_HASH_BYTES 8 /* of the running hash, after every step */
#define RW_SEGMENTS 8
#define RW_SEALS 2u
#define RW_SURE 5u /* confidence from which an expected byte gets a decision of its own */
#define RW_PARAMETERS_OF_SIDE (1 + RW_SEGMENTS) /* a count and as many segments */
#define RW_EQUAL_MIN 32u /* covers from this length on may be equal as a whole */

typedef struct {
    uint32_t target, base, length;
} rw_cover;

/* A run of base bytes and of target bytes that the loader puts at an address. */
typedef struct {
    uint32_t offset, address, length;
} rw_segment;

typedef struct {
    uint32_t key, value;
} rw_memo;

/* Bytes from `at` on that are a hash or checksum of all target bytes up to `end`, see rw_seal.h. */
typedef struct {
    uint32_t kind, end, at;
} rw_seal;

/* Upper part of an address in a register: where it was made, and both its values. */
typedef struct {
    uint32_t offset, base_high, target_high;
} rw_pair;

/* What code said of the instructions after it. */
typedef struct {
    uint32_t pool_first, pool_end; /* the literal pool that loads point to */
    uint32_t pool_last;            /* its word that was loaded last */
    uint32_t label[2];             /* where branches jump to, the latest first */
    uint32_t operations;           /* upper bytes of the latest instructions, newest lowest */
    uint32_t last;                 /* the latest instruction, with its first half above */
    uint32_t wide;                 /* first half of an instruction that is not over, 0 for none */
} rw_flow;

enum rw_phase {
    RW_PHASE_HEADER,
    RW_PHASE_BASE,
    RW_PHASE_START,
    RW_PHASE_SEALS,
    RW_PHASE_PARAMETERS,
    RW_PHASE_COVERS,
    RW_PHASE_SORT,
    RW_PHASE_PRIME,
    RW_PHASE_TARGET,
    RW_PHASE_END
};

typedef struct {
    rw_header header;
    uint32_t workspace_size;
    uint32_t phase;
    int32_t status;
    uint32_t fed; /* patch bytes taken, header included */
    uint32_t input_used, input_length;
    uint8_t input[RW_INPUT_BUFFER];
    uint32_t range, code;
    uint32_t counter;  /* base bytes hashed, or seals or covers read */
    uint32_t position; /* target bytes made */
    uint32_t steps;    /* step hashes compared */
    uint32_t cover;    /* cursor */
    uint32_t segment_count[2];
    rw_segment segment[2][RW_SEGMENTS];
    rw_cover previous; /* while covers are read */
    uint32_t delta_cache[4];
    uint32_t number_history[4];
    /* contexts */
    uint32_t flags; /* history of "as predicted", newest lowest */
    uint32_t miss_distance, miss_distance_last;
    uint32_t difference; /* last differences new - predicted, newest lowest byte */
    rw_drift drift;
    uint32_t order[2];   /* last eight target bytes, newest lowest byte of order[0] */
    uint32_t match_position, match_length;
    /* bytes that were settled together */
    uint32_t equal_left;                            /* equal to the base, up to the cover's end */
    uint32_t equal_history;                         /* whether the last covers were equal */
    uint32_t group_left, group_right, group_misses; /* as predicted, or not all of them */
    /* the fast back end */
    uint32_t run_left, run_open; /* words without a reference that are as in the base */
    uint32_t run_size;           /* log2 of the last run */
    uint32_t tokens, replaced;   /* histories: was a match, was replaced as before */
    uint32_t correction[32];     /* of each class: how far the last wrong reference was off */
    /* settled bytes that are not given out yet */
    uint8_t pending[4];
    uint32_t pending_used, pending_length;
    /* a predicted instruction or pointer */
    uint8_t unit_bytes[4]; /* as the walk takes them: moved, or as in the base */
    uint8_t unit_moved[4], unit_old[4], unit_new[4];
    uint32_t unit_length, unit_used, unit_kind, unit_key, unit_offset, unit_anchor, next_unit;
    uint32_t unit_class; /* kind and quality: index of trust */
    int8_t trust[32];    /* above 0 where moving references of a class was right */
    rw_pair pair[32];
    /* code that no cover holds */
    rw_flow flow;
    uint32_t calls;        /* history of "is a call", newest lowest */
    uint32_t last_call[2]; /* where the latest ones go, as offsets in the target */
    uint8_t call_like; /* what was expected rightly last: bit 0 where it goes, bit 1 how far */
    /* base lines */
    uint32_t line_tag[RW_LINES];
    uint8_t line[RW_LINES][RW_LINE_SIZE];
    rw_sha256 sha; /* of the base, then of the target */
    /* bytes of the target that are computed from those before */
    rw_seal seal[RW_SEALS];
    uint32_t seal_count, seals_made;
    uint8_t seal_bytes[32]; /* the one that was made last */
    uint32_t crc;           /* of the target, while there are seals to be made */
} rw_engine;

typedef struct {
    void *user;
    /* 0 for success. Offset and length are inside the length that the header names, which is not yet
     * known to be the base's. */
    int (*read_base)(void *user, uint32_t offset, uint8_t *out, uint32_t length);
} rw_source;

/* Where the encoder's decisions go. */
typedef struct {
    uint8_t *data;
    uint32_t length, capacity;
    uint64_t low;
    uint32_t range, cache_size;
    uint8_t cache;
    int failed;
} rw_sink;

typedef struct {
    rw_engine *engine;
    rw_cover *covers;
    uint32_t *by_base; /* cover numbers in order of their base offset */
    uint32_t *slots;
    int32_t *weights;
    uint16_t *curves; /* RW_POINTS probabilities each */
    rw_memo *memo;
    uint32_t *index;
    uint8_t *window;
    const rw_source *source;
    rw_sink *sink;
    int training; /* decisions are learned from, and not coded */
    const uint8_t *base, *target; /* with a sink: both whole images */
    struct rw_hints *hints;       /* with a sink, fast back end: what lies ahead */
} rw_view;

uint64_t rw_layout_size(const rw_header *header);
/* Whether there is memory for RW_WIDE_SETS and RW_CURVES. */
static inline int rw_is_wide(const rw_header *header)
{
    return header->ram_class + 1 == RW_RAM_CLASSES;
}

/* How many of the slots, at the end, the mixing back end keeps the last bytes of contexts in. */
static inline uint32_t rw_run_count(const rw_view *view)
{
    return view->engine->header.slot_count / (rw_is_wide(&view->engine->header) ? 8 : 4) + 1;
}

/* How many weights the mixer has. */
uint32_t rw_weight_count(const rw_header *header);
/* How many points all curves have. */
uint32_t rw_point_count(const rw_header *header);
/* Sets the pointers of `view` into the workspace; the header must have passed its checks. */
void rw_layout(rw_view *view, rw_engine *engine);
/* Sets models, contexts and caches to their start. */
void rw_engine_reset(rw_view *view);

/* In place, base bytes below this offset are gone before the current step is written. */
uint32_t rw_floor(const rw_engine *engine);
/* Base bytes: 0 outside the image and below the floor. */
uint8_t rw_base_byte(rw_view *view, uint32_t offset);
/* At most four of them, little-endian. */
uint32_t rw_base_bytes(rw_view *view, uint32_t offset, uint32_t bytes);

/* Four of them, little-endian; from the cache where they are there. */
static inline uint32_t rw_base_word(rw_view *view, uint32_t offset)
{
    const rw_engine *e = view->engine;
    uint32_t at = offset % RW_LINE_SIZE, i = offset / RW_LINE_SIZE % RW_LINES;
    const uint8_t *p = e->line[i] + at;

    if (e->line_tag[i] != offset / RW_LINE_SIZE + 1 || at > RW_LINE_SIZE - 4
        || (uint64_t)offset + 4 > e->header.base_length || e->header.flags & RW_FLAG_IN_PLACE)
        return rw_base_bytes(view, offset, 4);
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* Codes one decision with the 16-bit probability that it is 1. */
int rw_code_bit(rw_view *view, uint32_t p1, int bit);
/* Codes `bits` bits that no model can know. */
uint32_t rw_code_raw(rw_view *view, uint32_t value, uint32_t bits);

/* Decoder: in which part of the range the code is. */
uint32_t rw_part_find(const rw_view *view);
/* Codes a decision of many outcomes: the one that has `size` parts from `from` on. */
void rw_code_part(rw_view *view, uint32_t from, uint32_t size);

typedef struct {
    uint32_t *slot[RW_INPUTS]; /* 0 for an input that is a hint */
    int32_t input[RW_INPUTS];
    uint32_t count;
    uint32_t flip; /* inputs of which the slot tells whether a guess of 0 is right, a bit each */
} rw_mix;

/* Adds what the slot of a context says; what the slot of a context says of a guess of the bit; and
 * a hint: 256 times ln(chance of 1 / chance of 0). */
void rw_mix_add(rw_view *view, rw_mix *mix, uint32_t hash);
void rw_mix_add_guess(rw_view *view, rw_mix *mix, uint32_t hash, uint32_t guess);
void rw_mix_add_hint(rw_mix *mix, int32_t hint);
/* Codes a decision with the average of two mixes, by sets of weights modulo RW_WEIGHT_SETS. */
int rw_mix_code(rw_view *view, rw_mix *mix, uint32_t set_a, uint32_t set_b, int bit);
/* Codes a decision with a mix of RW_MIXES mixes; `last` of RW_LAST_SETS says how. Where there are
 * curves, that of sets[2] - RW_WEIGHT_SETS corrects it. */
int rw_mix_twice(rw_view *view, rw_mix *mix, const uint32_t *sets, uint32_t last, int bit);

/* How often a slot without a context has learned, up to a limit. */
static inline uint32_t rw_slot_uses(uint32_t slot)
{
    return slot >> 7 & 31;
}

/* Codes one decision by one slot alone, without a check of its context. */
int rw_slot_code(rw_view *view, uint32_t *slot, int bit);
/* Codes a number by RW_NUMBER_SLOTS slots from `at` on: Elias-gamma, of which the length and the
 * three bits below the highest one are modelled. */
uint32_t rw_quick_number(rw_view *view, uint32_t at, uint32_t context, uint32_t value);

/* Codes the next cover, the parameters, and the next byte of the target. */
uint32_t rw_code_number(rw_view *view, uint32_t field, uint32_t context, uint32_t value);
void rw_code_parameters(rw_view *view);
/* Codes the next one of them; returns 1 after the last. */
int rw_code_parameter(rw_view *view);
int rw_code_cover(rw_view *view);
void rw_sort_covers(rw_view *view);
uint8_t rw_step(rw_view *view, uint8_t byte);
/* Takes up to `room` bytes, not beyond the step, that are settled as equal to the base; puts them
 * into `out` unless that is 0. Returns how many, 0 when other bytes are next. */
uint32_t rw_copy(rw_view *view, uint8_t *out, uint32_t room);
/* The fast back end's step: makes at least one byte and at most `room`, not beyond the step; puts
 * them into `out` unless that is 0. Returns how many. Once before the first: rw_fast_begin. */
uint32_t rw_fast(rw_view *view, uint8_t *out, uint32_t room);
void rw_fast_begin(rw_view *view);
/* Lets the models learn from the next base bytes, from `offset` on; called in order, before
 * rw_step. Returns how many they were. */
uint32_t rw_prime(rw_view *view, uint32_t offset);
/* Codes the running hash; returns 0 when it is not that of the target so far. */
int rw_code_hash(rw_view *view);

#endif
