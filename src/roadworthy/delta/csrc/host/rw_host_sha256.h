/* SHA-256 by instructions of the processor, for builds with RW_HOST_SHA256. A device with a hash
 * engine may give a function of this name of its own. */
#ifndef RW_HOST_SHA256_H
#define RW_HOST_SHA256_H

#include <stdint.h>

/* Takes `count` blocks of 64 bytes into the state; returns 0, and does nothing, where this
 * machine can't. */
int rw_host_sha256(uint32_t state[8], const uint8_t *blocks, uint32_t count);

#endif
