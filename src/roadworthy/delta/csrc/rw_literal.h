/* Bytes of the fast back end that nothing predicts rightly, by what was seen in their contexts.
 *
 * Of the slots those from RW_LITERAL_AT on are: shares of mixes, lines of contexts, and at the end
 * two for each word whose replacement is kept.
 */
#ifndef RW_LITERAL_H
#define RW_LITERAL_H

#include "rw_engine.h"

#define RW_LITERAL_AT 2992u
#define RW_LITERAL_CONTEXTS 3u /* at most */
#define RW_WORD_SHARE 64u      /* of so many slots one word is kept with what replaced it */

/* What a literal stands in place of. */
enum rw_literal_use { RW_LITERAL_WORD, RW_LITERAL_REFERENCE, RW_LITERAL_GAP, RW_LITERAL_USES };

/* How many words are kept with what replaced them. */
static inline uint32_t rw_word_count(const rw_view *view)
{
    return view->engine->header.slot_count / RW_WORD_SHARE;
}

/* Once, after the slots were set to their start. */
void rw_literal_begin(rw_view *view);
/* Of a journal: whether all shares and lines are some that decisions lead to. */
int rw_literal_in_range(const rw_view *view);
/* Codes a byte by two or three contexts, which are changed. */
uint8_t rw_literal_code(rw_view *view, enum rw_literal_use use, uint32_t *contexts, uint32_t count,
                        uint8_t byte);

#endif
