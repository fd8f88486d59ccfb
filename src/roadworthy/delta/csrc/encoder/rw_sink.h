/* Range encoder of the encoder side: bytes of rw_code_bit's decisions. */
#ifndef RW_SINK_H
#define RW_SINK_H

#include "rw_engine.h"

void rw_sink_init(rw_sink *sink, uint8_t *data, uint32_t capacity);
void rw_sink_bit(rw_sink *sink, uint32_t p1, int bit);
void rw_sink_part(rw_sink *sink, uint32_t from, uint32_t size);
void rw_sink_finish(rw_sink *sink);

#endif
