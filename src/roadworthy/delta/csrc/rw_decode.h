/* The decoder, for a bootloader or any other program. C99, no malloc, no I/O of its own.
 *
 * It needs the files rw_*.c of this folder, built with RW_DECODER_ONLY, which leaves out the calls
 * to the encoder in encoder/. From the C library it needs memcpy, memmove, memset and memcmp.
 *
 * Two ways to drive it:
 *   rw_decoder_run   push: give patch bytes, take target bytes, stop anywhere;
 *   rw_apply         pull: four callbacks, returns when the target is whole or nothing is left.
 *
 * The workspace is the whole state. Save its first rw_decoder_journal_size() bytes and give
 * them to rw_decoder_resume() to go on; or save only the number of target bytes that are
 * safely written, start again from the first patch byte and skip as many bytes of output.
 */
#ifndef RW_DECODE_H
#define RW_DECODE_H

#include "rw_engine.h"

/* Starts a patch. `workspace` is aligned to 8 bytes and at least RW_WORKSPACE_MIN long. */
#define RW_WORKSPACE_MIN ((uint32_t)sizeof(rw_engine))
int rw_decoder_begin(void *workspace, uint32_t size);

/* Goes on from a journal that was copied into `workspace`; checks all of it that is an index, so
 * that nothing leads out of bounds or on for ever. It can't see that other bytes of it are wrong:
 * keep a hash beside the journal, and check the target's signature before it is started. */
int rw_decoder_resume(void *workspace, uint32_t size, uint32_t journal_size);
uint32_t rw_decoder_journal_size(const void *workspace);

/* Takes patch bytes from `in` and puts target bytes into `out`; the lengths hold how many there
 * are and are set to how many were used. Returns RW_NEED_INPUT, RW_OUTPUT_FULL, RW_STEP (a step
 * is whole and its hash right: the moment to journal), RW_DONE or an error, which stays. */
int rw_decoder_run(void *workspace, const rw_source *source, const uint8_t *in, uint32_t *in_length,
                   uint8_t *out, uint32_t *out_length);

/* Length of the whole patch as the header has it, 0 while that is not read. Of a patch with tiny hashes
 * it is sure only when the base was checked. */
uint32_t rw_decoder_patch_length(const void *workspace);

typedef struct {
    void *user;
    /* 0 for success. Until the base was checked, a damaged header may ask for what no base has: refuse
     * it, with any other number. */
    int (*read_base)(void *user, uint32_t offset, uint8_t *out, uint32_t length);
    /* Bytes read from this offset, 0 when there are none for now, below 0 on failure. */
    int32_t (*read_patch)(void *user, uint32_t offset, uint8_t *out, uint32_t length);
    int (*write)(void *user, uint32_t offset, const uint8_t *data, uint32_t length);
    int (*journal)(void *user, const uint8_t *state, uint32_t length); /* may be 0 */
} rw_io;

/* Writes go up in order. Each lies within one page of this many bytes of the target and fills
 * it up, but for the last of the target and the last before RW_NEED_INPUT or an error. */
#define RW_PAGE 256u
/* Returns RW_DONE, RW_NEED_INPUT (call again when there is more), RW_MOVE or an error. Where the
 * patch could not be read or the journal not be written, call again; where the base could not be
 * read or the target not be written, go on from the last journal. What was written after that
 * journal is written again, from a multiple of the step size on: with steps that are a multiple
 * of an erase sector, erase each sector when its first byte is written. The journal is called
 * after all writes of its step; write it to two places in turn, as tests/delta/bootloader.c
 * does, so that a torn one leaves the other. */
int rw_apply(void *workspace, const rw_io *io);

#endif
