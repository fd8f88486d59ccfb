#include "rw_decode.h"

#include <string.h>

#include "rw_seal.h"

static int fail(rw_engine *e, int status)
{
    e->status = status;
    return status;
}

int rw_decoder_begin(void *workspace, uint32_t size)
{
    rw_engine *e = workspace;

    if (size < sizeof *e)
        return RW_NO_MEMORY;
    memset(e, 0, sizeof *e);
    e->workspace_size = size;
    e->header.size = RW_HEADER_MIN;
    return RW_OK;
}

uint32_t rw_decoder_patch_length(const void *workspace)
{
    const rw_engine *e = workspace;

    return e->phase == RW_PHASE_HEADER ? 0 : e->header.size + e->header.payload_length;
}

uint32_t rw_decoder_journal_size(const void *workspace)
{
    const rw_engine *e = workspace;

    return e->phase == RW_PHASE_HEADER ? (uint32_t)sizeof *e : rw_workspace_size(&e->header);
}

/* Each time that the header turns out to be longer, as many bytes more are asked for. */
static int read_header(rw_view *view)
{
    rw_engine *e = view->engine;
    int status = rw_header_read(&e->header, e->input, e->input_length);

    if (status == RW_NEED_INPUT)
        return RW_OK;
    if (status != RW_OK)
        return fail(e, status);
    if (rw_workspace_size(&e->header) > e->workspace_size)
        return fail(e, RW_NO_MEMORY);
    rw_layout(view, e);
    e->input_length = e->input_used = 0;
    rw_sha256_init(&e->sha);
    e->counter = 0;
    e->phase = RW_PHASE_BASE;
    return RW_OK;
}

/* The whole base is hashed before anything is written. */
static int check_base(rw_view *view)
{
    rw_engine *e = view->engine;
    uint8_t digest[32];

    while (e->counter < e->header.base_length) {
        uint32_t length = e->header.base_length - e->counter;

        if (length > RW_LINE_SIZE)
            length = RW_LINE_SIZE;
        if (view->source->read_base(view->source->user, e->counter, e->line[0], length) != 0)
            return fail(e, RW_CALLBACK);
        rw_sha256_update(&e->sha, e->line[0], length);
        e->counter += length;
    }
    rw_sha256_digest(&e->sha, digest);
    if (memcmp(digest, e->header.base_sha256, e->header.hash_bytes) != 0)
        return fail(e, RW_WRONG_BASE);
    rw_sha256_init(&e->sha);
    e->counter = 0;
    memset(e->line_tag, 0, sizeof e->line_tag);
    rw_engine_reset(view);
    e->phase = RW_PHASE_START;
    return e->header.flags & RW_FLAG_IN_PLACE ? RW_MOVE : RW_OK;
}

static void start_coder(rw_engine *e)
{
    uint32_t i;

    e->range = 0xffffffffu;
    for (i = 0; i < 4; i++)
        e->code = e->code << 8 | (e->input_used < e->input_length ? e->input[e->input_used++] : 0);
    e->phase = e->header.backend == RW_BACKEND_STORED ? RW_PHASE_TARGET : RW_PHASE_SEALS;
}

static int read_seal(rw_view *view)
{
    rw_engine *e = view->engine;
    int status = rw_code_seal(view);

    if (status < 0)
        return fail(e, status);
    if (status > 0)
        e->phase = e->header.arch == RW_ARCH_NONE ? RW_PHASE_COVERS : RW_PHASE_PARAMETERS;
    return RW_OK;
}

static int prepare(rw_view *view)
{
    rw_engine *e = view->engine;

    switch (e->phase) {
    case RW_PHASE_BASE:
        return check_base(view);
    case RW_PHASE_START:
        start_coder(e);
        return RW_OK;
    case RW_PHASE_SEALS:
        return read_seal(view);
    case RW_PHASE_PARAMETERS:
        if (rw_code_parameter(view))
            e->phase = RW_PHASE_COVERS;
        return RW_OK;
    case RW_PHASE_COVERS:
        if (e->counter < e->header.cover_count)
            return rw_code_cover(view) == RW_OK ? RW_OK : fail(e, RW_MALFORMED);
        e->phase = RW_PHASE_SORT;
        return RW_OK;
    case RW_PHASE_SORT:
        rw_sort_covers(view);
#ifndef RW_NO_FAST
        if (e->header.backend == RW_BACKEND_FAST)
            rw_fast_begin(view);
#endif
        e->counter = 0;
        e->phase = e->header.flags & RW_FLAG_PRIMED ? RW_PHASE_PRIME : RW_PHASE_TARGET;
        return RW_OK;
    default:
        if (e->counter < e->header.base_length)
            e->counter += rw_prime(view, e->counter);
        else
            e->phase = RW_PHASE_TARGET;
        return e->status;
    }
}

/* After the last byte of a step: its hash; after the last byte of all: the end. */
static int close_step(rw_view *view)
{
    rw_engine *e = view->engine;
    uint8_t digest[32];

    if (e->position < e->header.target_length) {
        e->steps++;
        return rw_code_hash(view) ? RW_STEP : fail(e, RW_MISMATCH);
    }
    rw_sha256_digest(&e->sha, digest);
    if (memcmp(digest, e->header.target_sha256, e->header.hash_bytes) != 0)
        return fail(e, RW_MISMATCH);
    e->phase = RW_PHASE_END;
    return RW_DONE;
}

static int at_step_end(const rw_engine *e)
{
    uint32_t mask = (1u << e->header.step_bits) - 1;

    if (e->position == e->header.target_length)
        return 1;
    return (e->position & mask) == 0 && e->position >> e->header.step_bits != e->steps;
}

/* Makes at least one byte, and at most `room`. */
static uint32_t make(rw_view *view, uint8_t *out, uint32_t room)
{
    rw_engine *e = view->engine;
    uint32_t from = e->position, made = 1;

    if (room > rw_seal_left(e))
        room = rw_seal_left(e);
    if (e->header.backend == RW_BACKEND_STORED) {
        *out = (uint8_t)rw_code_raw(view, 0, 8);
        e->position++;
#ifndef RW_NO_FAST
    } else if (e->header.backend == RW_BACKEND_FAST) {
        made = rw_fast(view, out, room);
#endif
    } else {
        made = rw_copy(view, out, room);
        if (made == 0) {
            *out = rw_step(view, 0);
            made = 1;
        }
    }
    rw_seal_put(e, from, out, made);
    return e->status < 0 ? 0 : made;
}

/* Moves patch bytes into the buffer; 1 when the next symbol can't starve. */
static int refill(rw_engine *e, const uint8_t **in, uint32_t *left)
{
    uint32_t total =
        e->phase == RW_PHASE_HEADER ? e->header.size : e->header.size + e->header.payload_length;
    uint32_t room, wanted = total - e->fed;

    if (e->input_length - e->input_used >= RW_SYMBOL_MAX)
        return 1;
    memmove(e->input, e->input + e->input_used, e->input_length - e->input_used);
    e->input_length -= e->input_used;
    e->input_used = 0;
    room = RW_INPUT_BUFFER - e->input_length;
    if (wanted > room)
        wanted = room;
    if (wanted > *left)
        wanted = *left;
    if (wanted > 0)
        memcpy(e->input + e->input_length, *in, wanted);
    e->input_length += wanted;
    e->fed += wanted;
    *in += wanted;
    *left -= wanted;
    return e->input_length >= RW_SYMBOL_MAX || e->fed == total;
}

static int run(rw_view *view, const uint8_t **in, uint32_t *left, uint8_t *out, uint32_t room,
               uint32_t *made)
{
    rw_engine *e = view->engine;
    uint32_t hashed = 0;
    int status = RW_OK;

    while (status == RW_OK) {
        if (e->phase == RW_PHASE_END) {
            status = *left > 0 ? fail(e, RW_MALFORMED) : RW_DONE;
        } else if (e->phase != RW_PHASE_BASE && !refill(e, in, left)) {
            status = RW_NEED_INPUT;
        } else if (e->phase == RW_PHASE_HEADER) {
            status = read_header(view);
        } else if (e->phase != RW_PHASE_TARGET) {
            status = prepare(view);
            /* In place the base can't be checked or learned from again after the first byte,
             * elsewhere what was learned need not be learned again. */
            if (status == RW_OK && e->phase == RW_PHASE_TARGET
                && e->header.flags & (RW_FLAG_IN_PLACE | RW_FLAG_PRIMED))
                status = RW_STEP;
        } else if (at_step_end(e)) {
            rw_seal_hash(e, out + hashed, *made - hashed);
            hashed = *made;
            status = close_step(view);
        } else if (rw_seal_left(e) == 0) {
            rw_seal_hash(e, out + hashed, *made - hashed);
            hashed = *made;
            rw_seal_next(e);
        } else if (*made == room) {
            status = RW_OUTPUT_FULL;
        } else {
            *made += make(view, out + *made, room - *made);
            status = e->status;
        }
    }
    if (hashed < *made)
        rw_seal_hash(e, out + hashed, *made - hashed);
    return status;
}

int rw_decoder_run(void *workspace, const rw_source *source, const uint8_t *in, uint32_t *in_length,
                   uint8_t *out, uint32_t *out_length)
{
    rw_engine *e = workspace;
    rw_view view = {0};
    uint32_t left = *in_length, room = *out_length, made = 0;
    int status = e->status;

    if (status == RW_OK) {
        view.engine = e;
        view.source = source;
        if (e->phase != RW_PHASE_HEADER)
            rw_layout(&view, e);
        status = run(&view, &in, &left, out, room, &made);
    }
    *in_length -= left;
    *out_length = made;
    return status;
}

/* Writes what was made. Bytes that could not be written are made by no second call. */
static int flush(rw_engine *e, const rw_io *io, uint32_t at, const uint8_t *page, uint32_t *filled)
{
    uint32_t length = *filled;

    *filled = 0;
    if (length > 0 && io->write(io->user, at, page, length) != 0)
        return fail(e, RW_CALLBACK);
    return RW_OK;
}

static int save(void *workspace, const rw_io *io)
{
    if (io->journal == 0)
        return RW_OK;
    return io->journal(io->user, workspace, rw_decoder_journal_size(workspace)) == 0 ? RW_OK
                                                                                     : RW_CALLBACK;
}

int rw_apply(void *workspace, const rw_io *io)
{
    rw_source source = {io->user, io->read_base};
    rw_engine *engine = workspace;
    uint8_t in[64], page[RW_PAGE];
    uint32_t at = 0, filled = 0, room = 0, given = 0, made;
    int32_t got;
    int status;

    for (;;) {
        if (filled == 0) {
            at = engine->position;
            room = RW_PAGE - at % RW_PAGE;
        }
        made = room - filled;
        status = rw_decoder_run(workspace, &source, in, &given, page + filled, &made);
        filled += made;
        given = 0; /* what was not taken is read again from where the decoder stands */
        if (status == RW_NEED_INPUT) {
            got = io->read_patch(io->user, engine->fed, in, sizeof in);
            if (got > 0 && got <= (int32_t)sizeof in) {
                given = (uint32_t)got;
                continue;
            }
            status = got == 0 ? RW_NEED_INPUT : RW_CALLBACK;
        }
        if (flush(engine, io, at, page, &filled) != RW_OK
            || (status == RW_STEP && save(workspace, io) != RW_OK))
            return RW_CALLBACK;
        if (status != RW_STEP && status != RW_OUTPUT_FULL)
            return status;
    }
}
