/* What the next target bytes should be when the base bytes under them hold an address. */
#ifndef RW_PREDICT_H
#define RW_PREDICT_H

#include "rw_engine.h"

/* At the start of cover bytes: looks for a unit (instruction or word) at base offset `base` that
 * reaches at most to `end`, and fills the unit fields of the engine. */
void rw_predict(rw_view *view, uint32_t base, uint32_t end);
/* After the last byte of a unit: learns where its address really went. */
void rw_predict_learn(rw_view *view);

#endif
