/* Deflate streams (RFC 1951), taken apart and put together again bit by bit.
 *
 * A stream is a choice among many that unpack to the same content. Most encoders choose like zlib
 * does: hash chains, lazy matching, blocks of so many tokens, one way to build Huffman codes. So
 * both sides predict each choice by a rule (`rw_deflate_rule`), and only where the stream differs a
 * correction is coded. A stream that follows the rule exactly needs no corrections at all.
 *
 * A long stream is handled in segments that begin and end between blocks. A segment knows the
 * window before it and nothing else, so a writer can stop and go on between any two.
 */
#ifndef RW_DEFLATE_H
#define RW_DEFLATE_H

#include <stddef.h>
#include <stdint.h>

#define RW_WINDOW 32768u
#define RW_MATCH_MIN 3u
#define RW_MATCH_MAX 258u
#define RW_SEGMENT_MAX (16u << 20) /* content of a segment */
#define RW_TOKENS_MAX (1u << 20)   /* of a block */
#define RW_CHAIN_MAX 4096u
#define RW_LITERALS 286u
#define RW_DISTANCES 30u

enum rw_deflate_status {
    RW_DEFLATE_OK = 0,
    RW_DEFLATE_MALFORMED = -1, /* not a deflate stream, or corrections that fit no content */
    RW_DEFLATE_TOO_LONG = -2,  /* more content, tokens or output than allowed */
    RW_DEFLATE_NO_MEMORY = -3
};

/* How an encoder chooses. `fast` emits the first match it finds and inserts only matches of at most
 * `lazy` bytes into the chains; else a match shorter than `lazy` waits for a longer one one byte on.
 * A search follows `chain` links, a quarter of them when there is already a match of `good` bytes,
 * and stops at a match of `nice` bytes. Blocks end after `limit` tokens, and where `early` is set
 * after a multiple of 4096 tokens that compress well, as GNU gzip does. */
typedef struct {
    uint8_t fast, early, hash_bits, window_bits;
    uint16_t good, lazy, nice, chain;
    uint32_t limit;
} rw_deflate_rule;

/* Whether every number of a rule is in range. */
int rw_deflate_rule_ok(const rw_deflate_rule *rule);

/* Head of a dynamic block: the code lengths as they are sent. */
typedef struct {
    uint16_t literals, distances, orders; /* HLIT + 257, HDIST + 1, HCLEN + 4 */
    uint16_t count;                       /* code length symbols sent */
    uint8_t order[20];                    /* lengths of the code length code, by symbol */
    uint8_t symbol[320], extra[320];
} rw_deflate_head;

/* A token is 0 for a literal, else length << 16 | distance. */
typedef struct {
    uint8_t type, final;
    uint32_t stored; /* bytes of a stored block */
    uint32_t count, room;
    uint32_t *tokens;
    rw_deflate_head head;
} rw_deflate_block;

/* Code lengths of literals/lengths and of distances. */
typedef struct {
    uint8_t literal[288], distance[32];
} rw_deflate_lengths;

int rw_deflate_push(rw_deflate_block *block, uint32_t token);
/* Code lengths that a head stands for; MALFORMED when they are more than it counts. Its symbols
 * must make at least so many. */
int rw_deflate_expand(const rw_deflate_head *head, rw_deflate_lengths *lengths);
void rw_deflate_fixed(rw_deflate_lengths *lengths);
/* Codes for lengths, bits reversed so that they can be sent lowest bit first. */
void rw_deflate_codes(const uint8_t *lengths, uint32_t count, uint16_t *codes);

extern const uint8_t rw_deflate_order[19];
extern const uint8_t rw_deflate_repeat_bits[3]; /* extra bits of the symbols 16, 17 and 18 */
uint32_t rw_length_symbol(uint32_t length); /* 257..285 */
uint32_t rw_length_base(uint32_t symbol);
uint32_t rw_length_extra(uint32_t symbol);
uint32_t rw_distance_symbol(uint32_t distance); /* 0..29 */
uint32_t rw_distance_base(uint32_t symbol);
uint32_t rw_distance_extra(uint32_t symbol);

/* Reading. `content` begins with a window; it grows up to `window + most` bytes. */
typedef struct {
    const uint8_t *in;
    size_t in_length;
    uint64_t bit;
    uint8_t *content;
    size_t length, room, most;
} rw_deflate_reader;

/* Reads one block. With `block` given its tokens and head are kept. */
int rw_deflate_read(rw_deflate_reader *reader, rw_deflate_block *block, int *final);

/* Writing. `most` bounds the output. */
typedef struct {
    uint8_t *out;
    size_t length, room, most;
    uint32_t hold, held; /* bits that make no whole byte yet */
    int status;
} rw_deflate_writer;

void rw_deflate_put(rw_deflate_writer *writer, uint32_t value, uint32_t bits);
/* Writes one block whose content begins at `content`. */
int rw_deflate_write(rw_deflate_writer *writer, const rw_deflate_block *block,
                     const uint8_t *content);
/* Fills the last byte with zeros. */
void rw_deflate_pad(rw_deflate_writer *writer);

/* What zlib would choose for a block with these tokens: its head, and whether fixed codes are as
 * short. `content` is where the block begins. */
typedef struct {
    uint16_t literal[288], distance[32];
} rw_deflate_counts;
int rw_deflate_choose(const rw_deflate_counts *counts, rw_deflate_head *head);
/* Deepest code of 15 (or 7) bits; `lengths` are by symbol. Returns the last symbol with a code. */
uint32_t rw_deflate_tree(const uint16_t *counts, uint32_t symbols, uint32_t deepest,
                         uint8_t *lengths);

/* Searching as the rule says. */
typedef struct {
    uint32_t length, distance;
} rw_deflate_match;
typedef struct {
    const rw_deflate_rule *rule;
    const uint8_t *data;
    uint32_t end, inserted;
    int waiting; /* `next` was found while the match before it waited */
    rw_deflate_match next;
    uint32_t head[1 << 16], previous[1 << 16];
} rw_predictor;

void rw_predictor_begin(rw_predictor *p, const rw_deflate_rule *rule, const uint8_t *data,
                        uint32_t window, uint32_t end);
/* The token that the rule takes at `at`; length 0 for a literal. */
rw_deflate_match rw_predict(rw_predictor *p, uint32_t at);
/* Tells which token was taken instead of or as predicted. */
void rw_predictor_take(rw_predictor *p, uint32_t at, uint32_t token, int predicted);
void rw_predictor_skip(rw_predictor *p, uint32_t to);
/* The `index`-th nearest place that matches at least `length` bytes, as a distance; 0 for none.
 * Content goes on for at least `length` bytes, three or more. */
uint32_t rw_predictor_nth(const rw_predictor *p, uint32_t at, uint32_t length, uint32_t index);
/* How many nearer places match as well; RW_CHAIN_MAX when the distance is not found. */
uint32_t rw_predictor_index(const rw_predictor *p, uint32_t at, uint32_t length,
                            uint32_t distance);
uint32_t rw_common(const uint8_t *a, const uint8_t *b, uint32_t most);

/* A segment: `data` is window and content. */
typedef struct {
    const rw_deflate_rule *rule;
    const uint8_t *data;
    uint32_t window, end;
    int last; /* whether the stream ends with it */
} rw_deflate_segment;

/* Corrections (malloc) that make `rule` give the blocks of in[bit..bit_end). */
int rw_deflate_describe(const rw_deflate_segment *segment, rw_deflate_reader *reader,
                        uint64_t bit_end, uint8_t **corrections, size_t *length);
/* Writes the segment's blocks. */
int rw_deflate_rebuild(const rw_deflate_segment *segment, const uint8_t *corrections, size_t length,
                       rw_deflate_writer *writer);

#endif
