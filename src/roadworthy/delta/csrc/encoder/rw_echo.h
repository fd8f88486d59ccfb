/* Which target bytes the mixing back end will know from target bytes before them, without a cover.
 *
 * It walks along with the planner as the match model of the back end does with the coder: at the
 * latest place, within the window, where the latest bytes occurred, for as long as the bytes agree.
 */
#ifndef RW_ECHO_H
#define RW_ECHO_H

#include <stdint.h>

typedef struct {
    const uint8_t *target;
    uint32_t *places; /* behind the latest occurrence of bytes with each hash; 0 for none */
    uint32_t position, length;
    uint8_t window_bits, index_bits;
} rw_echo;

/* The window and the index are as large as those of the back end. Returns 0 when there is no
 * memory for the index. */
int rw_echo_begin(rw_echo *echo, const uint8_t *target, uint8_t window_bits, uint8_t index_bits);
void rw_echo_free(rw_echo *echo);

/* Called for each target byte in turn: whether at least 32 bytes before it agree with earlier ones
 * and it agrees too. */
int rw_echo_sure(rw_echo *echo, uint32_t at);

#endif
