/* One walk over a segment's blocks that says or applies every correction, so that both sides can't
 * drift apart. */
#include <stdlib.h>
#include <string.h>

#include "rw_chance.h"
#include "rw_deflate.h"

enum { LIKELY = 63000 };
enum { STORED, EARLY, TYPE, HEAD, MORE, FINAL, FLAGS };

typedef struct {
    rw_chance wrong[2][8][4], literal[4], escape, lengths[2][256];
    rw_count nearer;
    rw_count stored, tokens;
    rw_chance flag[FLAGS], orders[16], order[19][8], counts[2][32], symbol[17][32], repeat[3][128];
} models;

typedef struct {
    const rw_deflate_segment *segment;
    rw_coin coin;
    models model;
    rw_predictor predictor;
    rw_deflate_block block;
    rw_deflate_counts counts;
    uint32_t at, history, block_start;
} walk;

static walk *begin(const rw_deflate_segment *segment)
{
    walk *w = calloc(1, sizeof *w);
    models *m;

    if (w == NULL)
        return NULL;
    m = &w->model;
    w->segment = segment;
    w->at = segment->window;
    rw_predictor_begin(&w->predictor, segment->rule, segment->data, segment->window, segment->end);
    rw_chance_set((rw_chance *)m, sizeof *m / sizeof(rw_chance), 32768);
    rw_chance_set(&m->wrong[0][0][0], sizeof m->wrong / sizeof(rw_chance), LIKELY);
    rw_chance_set(m->flag, FLAGS, LIKELY);
    return w;
}

static void end(walk *w)
{
    free(w->block.tokens);
    free(w);
}

/* The token is a match where none was predicted, another match, or no match. */
static int code_other(walk *w, rw_deflate_match guess, uint32_t *token)
{
    models *m = &w->model;
    uint32_t kind = guess.length > 0, length = *token >> 16, distance = *token & 0xffff, index;
    uint32_t bucket = guess.length > 15 ? 3 : guess.length / 5;

    if (kind && rw_coin_bit(&w->coin, &m->literal[bucket], *token == 0)) {
        *token = 0;
        return RW_DEFLATE_OK;
    }
    length = rw_coin_tree(&w->coin, m->lengths[kind], 8, length - RW_MATCH_MIN) + RW_MATCH_MIN;
    if (length > w->segment->end - w->at)
        return RW_DEFLATE_MALFORMED;
    index = w->coin.writing ? rw_predictor_index(&w->predictor, w->at, length, distance) : 0;
    if (rw_coin_bit(&w->coin, &m->escape, index == RW_CHAIN_MAX)) {
        distance = rw_coin_raw(&w->coin, 15, distance - 1) + 1;
    } else {
        index = rw_coin_number(&w->coin, &m->nearer, index);
        distance = rw_predictor_nth(&w->predictor, w->at, length, index);
    }
    if (distance == 0 || distance > w->at
        || rw_common(w->segment->data + w->at - distance, w->segment->data + w->at, length)
               != length)
        return RW_DEFLATE_MALFORMED;
    *token = length << 16 | distance;
    return RW_DEFLATE_OK;
}

static int code_token(walk *w, uint32_t *token)
{
    rw_deflate_match guess = rw_predict(&w->predictor, w->at);
    uint32_t said = guess.length << 16 | guess.distance;
    uint32_t bucket = guess.length > 15 ? 3 : guess.length / 5;
    rw_chance *chance = &w->model.wrong[guess.length > 0][w->history][bucket];
    int wrong = rw_coin_bit(&w->coin, chance, *token != said), status;

    w->history = (w->history << 1 | (uint32_t)wrong) & 7;
    if (wrong) {
        status = code_other(w, guess, token);
        if (status != RW_DEFLATE_OK)
            return status;
    } else {
        *token = said;
    }
    rw_predictor_take(&w->predictor, w->at, *token, !wrong);
    w->at += *token == 0 ? 1 : *token >> 16;
    return RW_DEFLATE_OK;
}

/* Counts a token that begins at `at` for the code lengths. */
static void count_token(walk *w, uint32_t token, uint32_t at)
{
    if (token == 0) {
        w->counts.literal[w->segment->data[at]]++;
    } else {
        w->counts.literal[rw_length_symbol(token >> 16)]++;
        w->counts.distance[rw_distance_symbol(token & 0xffff)]++;
    }
}

/* Whether a block that compresses well ends early: the rule of GNU gzip. */
static int ends_early(const walk *w, uint32_t count, uint32_t at)
{
    uint32_t bits = count * 8, matches = 0, i;
    uint32_t in_bytes = at - w->block_start + (w->segment->rule->fast ? 0 : 1);

    if (!w->segment->rule->early || (count & 0xfff) != 0)
        return 0;
    for (i = 0; i < RW_DISTANCES; i++) {
        bits += w->counts.distance[i] * (5 + rw_distance_extra(i));
        matches += w->counts.distance[i];
    }
    return matches < count / 2 && bits >> 3 < in_bytes / 2;
}

/* Whether the rule ends the block after `count` tokens, the last of which began at `at`. */
static int rule_ends(const walk *w, uint32_t count, uint32_t at, uint32_t next)
{
    return count >= w->segment->rule->limit || next >= w->segment->end || ends_early(w, count, at);
}

static void clear_counts(walk *w)
{
    memset(&w->counts, 0, sizeof w->counts);
    w->counts.literal[256] = 1;
}

/* How many of the block's tokens the rule would take. */
static uint32_t ruled_count(walk *w)
{
    uint32_t i, at = w->at, next, token;

    clear_counts(w);
    if (at >= w->segment->end)
        return 0;
    for (i = 0; i < w->block.count; i++) {
        token = w->block.tokens[i];
        count_token(w, token, at);
        next = at + (token == 0 ? 1 : token >> 16);
        if (rule_ends(w, i + 1, at, next))
            return i + 1;
        at = next;
    }
    return RW_TOKENS_MAX + 1;
}

static int code_tokens(walk *w)
{
    rw_deflate_block *block = &w->block;
    int writing = w->coin.writing, other, status = RW_DEFLATE_OK;
    uint32_t i = 0, at, token, given = block->count, ended = w->at >= w->segment->end;

    other = rw_coin_bit(&w->coin, &w->model.flag[EARLY], writing && ruled_count(w) != given);
    if (other)
        given = rw_coin_number(&w->coin, &w->model.tokens, given);
    if (!writing)
        block->count = 0;
    clear_counts(w);
    while (other ? i < given : !ended) {
        if (w->at >= w->segment->end)
            return RW_DEFLATE_MALFORMED;
        at = w->at;
        token = writing ? block->tokens[i] : 0;
        status = code_token(w, &token);
        if (status == RW_DEFLATE_OK && !writing)
            status = rw_deflate_push(block, token);
        if (status != RW_DEFLATE_OK)
            return status;
        count_token(w, token, at);
        i++;
        ended = (uint32_t)rule_ends(w, i, at, w->at);
    }
    return RW_DEFLATE_OK;
}

/* A head that zlib would not choose: all of it is said, lengths beside those of zlib's choice. */
static int code_head(walk *w, const rw_deflate_head *guess)
{
    rw_deflate_head *head = &w->block.head;
    rw_deflate_lengths near;
    rw_coin *coin = &w->coin;
    models *m = &w->model;
    uint32_t i, at = 0, expected, symbol, all;

    rw_deflate_expand(guess, &near); /* zlib's choice is always well-formed */
    head->literals = (uint16_t)(rw_coin_tree(coin, m->counts[0], 5, head->literals - 257u) + 257);
    head->distances = (uint16_t)(rw_coin_tree(coin, m->counts[1], 5, head->distances - 1u) + 1);
    head->orders = (uint16_t)(rw_coin_tree(coin, m->orders, 4, head->orders - 4u) + 4);
    for (i = 0; i < head->orders; i++) {
        symbol = rw_deflate_order[i];
        head->order[symbol] =
            (uint8_t)rw_coin_tree(coin, m->order[symbol], 3, head->order[symbol]);
    }
    all = (uint32_t)head->literals + head->distances;
    for (i = 0; at < all; i++) {
        expected = at < head->literals ? near.literal[at] : near.distance[at - head->literals];
        symbol = rw_coin_tree(coin, m->symbol[expected], 5, head->symbol[i]);
        if (symbol > 18)
            return RW_DEFLATE_MALFORMED;
        head->symbol[i] = (uint8_t)symbol;
        if (symbol > 15)
            head->extra[i] = (uint8_t)rw_coin_tree(coin, m->repeat[symbol - 16],
                                                   rw_deflate_repeat_bits[symbol - 16],
                                                   head->extra[i]);
        at += symbol < 16 ? 1 : head->extra[i] + (symbol == 18 ? 11u : 3u);
    }
    head->count = (uint16_t)i;
    return RW_DEFLATE_OK;
}

static int same_head(const rw_deflate_head *a, const rw_deflate_head *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

static int code_coded(walk *w)
{
    rw_deflate_block *block = &w->block;
    rw_deflate_head guess;
    int fixed, status = code_tokens(w);

    if (status != RW_DEFLATE_OK)
        return status;
    fixed = rw_deflate_choose(&w->counts, &guess);
    if (rw_coin_bit(&w->coin, &w->model.flag[TYPE], (block->type == 1) != fixed))
        fixed = !fixed;
    block->type = fixed ? 1 : 2;
    if (fixed)
        return RW_DEFLATE_OK;
    if (rw_coin_bit(&w->coin, &w->model.flag[HEAD],
                    w->coin.writing && !same_head(&block->head, &guess))) {
        if (!w->coin.writing)
            memset(&block->head, 0, sizeof block->head);
        return code_head(w, &guess);
    }
    block->head = guess;
    return RW_DEFLATE_OK;
}

/* Says or learns one block; `more` is whether another follows. */
static int code_block(walk *w, int *more)
{
    rw_deflate_block *block = &w->block;
    int status = RW_DEFLATE_OK, final;

    w->block_start = w->at;
    if (rw_coin_bit(&w->coin, &w->model.flag[STORED], block->type == 0)) {
        block->type = 0;
        block->stored = rw_coin_number(&w->coin, &w->model.stored, block->stored);
        if (block->stored > 0xffff || block->stored > w->segment->end - w->at)
            return RW_DEFLATE_MALFORMED;
        w->at += block->stored;
        rw_predictor_skip(&w->predictor, w->at);
    } else {
        status = code_coded(w);
    }
    if (status != RW_DEFLATE_OK)
        return status;
    *more = w->at < w->segment->end || rw_coin_bit(&w->coin, &w->model.flag[MORE], *more);
    final = w->segment->last && !*more;
    if (rw_coin_bit(&w->coin, &w->model.flag[FINAL], block->final != final))
        final = !final;
    block->final = (uint8_t)final;
    return w->coin.failed ? RW_DEFLATE_NO_MEMORY : RW_DEFLATE_OK;
}

int rw_deflate_describe(const rw_deflate_segment *segment, rw_deflate_reader *reader,
                        uint64_t bit_end, uint8_t **corrections, size_t *length)
{
    walk *w = begin(segment);
    int status = RW_DEFLATE_OK, more = 1, final;

    if (w == NULL)
        return RW_DEFLATE_NO_MEMORY;
    rw_coin_write(&w->coin);
    while (status == RW_DEFLATE_OK && more) {
        status = rw_deflate_read(reader, &w->block, &final);
        if (status == RW_DEFLATE_OK && (reader->length > segment->end || reader->bit > bit_end))
            status = RW_DEFLATE_MALFORMED;
        more = reader->bit < bit_end;
        if (status == RW_DEFLATE_OK)
            status = code_block(w, &more);
    }
    rw_coin_end(&w->coin);
    if (status == RW_DEFLATE_OK && w->coin.failed)
        status = RW_DEFLATE_NO_MEMORY;
    *corrections = w->coin.out;
    *length = w->coin.out_length;
    end(w);
    return status;
}

int rw_deflate_rebuild(const rw_deflate_segment *segment, const uint8_t *corrections, size_t length,
                       rw_deflate_writer *writer)
{
    walk *w = begin(segment);
    int status = RW_DEFLATE_OK, more = 1;

    if (w == NULL)
        return RW_DEFLATE_NO_MEMORY;
    rw_coin_read(&w->coin, corrections, length);
    while (status == RW_DEFLATE_OK && more) {
        w->block.type = 0;
        status = code_block(w, &more);
        if (status == RW_DEFLATE_OK)
            status = rw_deflate_write(writer, &w->block, segment->data + w->block_start);
    }
    if (status == RW_DEFLATE_OK && segment->last)
        rw_deflate_pad(writer);
    end(w);
    return status == RW_DEFLATE_OK ? writer->status : status;
}
