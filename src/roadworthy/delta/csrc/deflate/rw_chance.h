/* A binary arithmetic coder for corrections. A bit of 0 is what was expected: corrections of zeros
 * only take no bytes, because zeros at the end are left out and read back as zeros. */
#ifndef RW_CHANCE_H
#define RW_CHANCE_H

#include <stddef.h>
#include <stdint.h>

/* Probability of 0 in 1/65536, as a quick and a slow estimate whose mean counts. */
typedef struct {
    uint16_t quick, slow;
} rw_chance;

typedef struct {
    int writing, failed; /* failed: out of memory */
    uint32_t range, low;
    const uint8_t *in;
    size_t in_length, in_used;
    uint8_t *out;
    size_t out_length, out_room;
} rw_coin;

/* A number is coded as Elias gamma of itself + 1, its length and first bits modelled. */
typedef struct {
    rw_chance length[32], first[32], second[64];
} rw_count;

void rw_chance_set(rw_chance *chances, size_t count, uint32_t zero);
void rw_coin_write(rw_coin *coin);
void rw_coin_read(rw_coin *coin, const uint8_t *in, size_t length);
/* Ends writing and cuts the zeros. */
void rw_coin_end(rw_coin *coin);
/* Writes the given bit, or reads one; returns it. */
int rw_coin_bit(rw_coin *coin, rw_chance *chance, int bit);
uint32_t rw_coin_raw(rw_coin *coin, uint32_t bits, uint32_t value);
/* `tree` holds 1 << bits chances. */
uint32_t rw_coin_tree(rw_coin *coin, rw_chance *tree, uint32_t bits, uint32_t value);
/* Below 2^31. */
uint32_t rw_coin_number(rw_coin *coin, rw_count *count, uint32_t value);

#endif
