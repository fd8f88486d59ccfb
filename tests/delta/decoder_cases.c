/* What no well-made patch and no Python caller brings about: headers out of range, journals that
 * are short, callbacks that fail, instructions at the end of their reach.
 *
 *   decoder_cases BASE PATCH
 *
 * PATCH: for Thumb, context mixing, more than one step. Exit status 0, or 1 with the line.
 */
#include <string.h>

#include "check.h"
#include "rw_decode.h"
#include "encoder/rw_header.h"
#include "rw_literal.h"
#include "rw_nibble.h"
#include "rw_refs.h"
#include "rw_seal.h"

enum { IMAGE_MAX = 1 << 17 };

static uint8_t base[IMAGE_MAX], patch[IMAGE_MAX], changed[IMAGE_MAX], target[IMAGE_MAX];
static uint8_t whole[IMAGE_MAX]; /* what must be written, where that is known */
static int whole_is_known;
static uint32_t base_length, patch_length, changed_length;
static uint64_t memory[(60 << 10) / 8], journal[(60 << 10) / 8];
static rw_header good;
static int reads_left, writes_left, patch_reads_left;

static int read_base(void *user, uint32_t offset, uint8_t *out, uint32_t length)
{
    (void)user;
    CHECK(offset + length <= base_length);
    memcpy(out, base + offset, length);
    return reads_left-- == 0;
}

static int32_t read_patch(void *user, uint32_t offset, uint8_t *out, uint32_t length)
{
    (void)user;
    if (patch_reads_left-- == 0)
        return -1;
    if (offset + length > changed_length)
        length = offset < changed_length ? changed_length - offset : 0;
    memcpy(out, changed + offset, length);
    return (int32_t)length;
}

static int write_target(void *user, uint32_t offset, const uint8_t *data, uint32_t length)
{
    (void)user;
    CHECK(!whole_is_known || memcmp(whole + offset, data, length) == 0);
    memcpy(target + offset, data, length);
    return writes_left-- == 0;
}

static int apply(void)
{
    rw_io io = {NULL, read_base, read_patch, write_target, NULL};

    return rw_apply(memory, &io);
}

static int apply_from_start(void)
{
    reads_left = writes_left = patch_reads_left = -1;
    CHECK(rw_decoder_begin(memory, sizeof memory) == RW_OK);
    return apply();
}

/* Puts a header before the payload of the patch. */
static void change_header(const rw_header *header)
{
    uint32_t size = rw_header_write(header, changed);

    memcpy(changed + size, patch + good.size, patch_length - good.size);
    changed_length = size + patch_length - good.size;
}

static int apply_with(const rw_header *header)
{
    change_header(header);
    return apply_from_start();
}

/* However little is there at a time, no byte after the header is asked for. */
static void a_header_says_on_the_way_how_long_it_is(void)
{
    uint32_t length, size = 0, asked = 0;
    rw_header h;

    for (length = 0; length < good.size; length++) {
        CHECK(rw_header_read(&h, patch, length) == RW_NEED_INPUT);
        CHECK(h.size > length && h.size <= good.size && h.size >= size);
        asked += h.size > size;
        size = h.size;
    }
    CHECK(asked > 1 && rw_header_read(&h, patch, good.size) == RW_OK && h.size == good.size);
}

static void headers_out_of_range_are_refused(void)
{
    static const rw_header change[] = {
        {.step_bits = 11},   {.step_bits = 25},   {.shift = 0xfffffff0, .flags = 2}, {.memo_bits = 21},
        {.window_bits = 23}, {.index_bits = 21},  {.slot_count = 1u << 21},
        {.cover_count = 1u << 21},                {.cover_count = 1u << 16},
        {.payload_length = 0xffffffff}};
    rw_header h;
    uint32_t i, k;

    for (i = 0; i < sizeof change / sizeof change[0]; i++) {
        uint8_t *to = (uint8_t *)&h;
        const uint8_t *from = (const uint8_t *)&change[i];

        h = good;
        for (k = 0; k < sizeof h; k++)
            to[k] = from[k] != 0 ? from[k] : to[k];
        CHECK(apply_with(&h) == RW_MALFORMED);
    }
    h = good;
    h.window_bits = 0;
    CHECK(apply_with(&h) == RW_MALFORMED);
    h = good;
    h.version++;
    CHECK(apply_with(&h) == RW_UNSUPPORTED);
    CHECK(apply() == RW_UNSUPPORTED);
    h = good;
    h.backend = RW_BACKEND_FAST + 1;
    CHECK(apply_with(&h) == RW_UNSUPPORTED);
    h = good;
    h.slot_count = 0;
    CHECK(apply_with(&h) == RW_MALFORMED);
    h = good;
    h.backend = RW_BACKEND_FAST;
    h.flags = h.index_bits = 0;
    h.slot_count = RW_FAST_SLOTS_MIN - RW_SLOT_LINE;
    CHECK(apply_with(&h) == RW_MALFORMED);
    h.slot_count = RW_FAST_SLOTS_MIN;
    h.flags = RW_FLAG_PRIMED;
    CHECK(apply_with(&h) == RW_MALFORMED);
    h.flags = 0;
    h.index_bits = 1;
    CHECK(apply_with(&h) == RW_MALFORMED);
    h = good;
    h.index_bits |= 32;
    CHECK(apply_with(&h) == RW_MALFORMED);
    CHECK(rw_class_size(RW_RAM_CLASSES) == 0);
}

static void a_patch_without_memo_or_history_is_walked_to_its_first_hash(void)
{
    rw_header h = good;

    h.memo_bits = h.index_bits = h.window_bits = 0;
    CHECK(apply_with(&h) == RW_MISMATCH);
}

static void hashes_are_compared_as_far_as_they_are_named(void)
{
    static const uint8_t sizes[] = {RW_HASH_SHORT, RW_HASH_WHOLE};
    rw_header h = good;
    uint32_t i;

    CHECK(apply_with(&good) == RW_DONE);
    h.hash_bytes = RW_HASH_TINY;
    CHECK(apply_with(&h) == RW_MALFORMED && h.payload_length >= RW_TINY_PAYLOAD);
    rw_sha256_of(base, base_length, h.base_sha256);
    rw_sha256_of(target, good.target_length, h.target_sha256);
    for (i = 0; i < sizeof sizes; i++) {
        uint32_t last = sizes[i] - 1u;

        h.hash_bytes = sizes[i];
        CHECK(apply_with(&h) == RW_DONE);
        h.target_sha256[last] ^= 1;
        CHECK(apply_with(&h) == RW_MISMATCH);
        h.target_sha256[last] ^= 1;
        h.base_sha256[last] ^= 1;
        CHECK(apply_with(&h) == RW_WRONG_BASE);
        h.base_sha256[last] ^= 1;
    }
}

/* A journal from before the header was whole, or from after it was refused. */
static void journals_of_half_a_header_are_checked(void)
{
    rw_engine *e = (rw_engine *)(void *)memory;

    change_header(&good);
    changed_length = 20;
    CHECK(apply_from_start() == RW_NEED_INPUT && e->fed == 20);
    CHECK(rw_decoder_resume(memory, sizeof memory, rw_decoder_journal_size(memory)) == RW_OK);
    e->header.size = 3; /* is counted again */
    CHECK(rw_decoder_resume(memory, sizeof memory, rw_decoder_journal_size(memory)) == RW_OK);
    change_header(&good);
    CHECK(apply() == RW_DONE);
    changed[0] = 0;
    CHECK(apply_from_start() == RW_MALFORMED);
    CHECK(rw_decoder_resume(memory, sizeof memory, rw_decoder_journal_size(memory)) == RW_OK);
    CHECK(apply() == RW_MALFORMED);
    e->status = RW_OK;
    CHECK(rw_decoder_resume(memory, sizeof memory, sizeof *e) == RW_BAD_JOURNAL);
    e->status = RW_MALFORMED;
    e->fed++;
    CHECK(rw_decoder_resume(memory, sizeof memory, sizeof *e) == RW_BAD_JOURNAL);
}

static void memory_that_is_too_small_is_told(void)
{
    change_header(&good);
    CHECK(rw_decoder_begin(memory, RW_WORKSPACE_MIN - 1) == RW_NO_MEMORY);
    CHECK(rw_decoder_begin(memory, RW_WORKSPACE_MIN) == RW_OK);
    CHECK(rw_decoder_patch_length(memory) == 0);
    CHECK(apply() == RW_NO_MEMORY);
}

static void journals_of_another_size_are_refused(void)
{
    uint32_t size;

    CHECK(apply_with(&good) == RW_DONE);
    size = rw_decoder_journal_size(memory);
    CHECK(rw_decoder_patch_length(memory) == patch_length);
    memcpy(journal, memory, sizeof journal);
    CHECK(rw_decoder_resume(journal, sizeof journal, size) == RW_OK);
    CHECK(rw_decoder_resume(journal, sizeof journal, size - 8) == RW_BAD_JOURNAL);
    CHECK(rw_decoder_resume(journal, sizeof journal, RW_WORKSPACE_MIN - 1) == RW_BAD_JOURNAL);
    CHECK(rw_decoder_resume(journal, size - 8, size) == RW_BAD_JOURNAL);
}

/* What stands behind the bytes of the header counts for nothing. */
static void a_journal_of_half_a_header_holds_nothing_else(void)
{
    rw_engine *e = (rw_engine *)(void *)memory;
    uint32_t kept = (uint32_t)((uint8_t *)(e->input + 20) - (uint8_t *)memory);

    change_header(&good);
    changed_length = 20;
    CHECK(apply_from_start() == RW_NEED_INPUT);
    memset((uint8_t *)memory + kept, 0xff, sizeof *e - kept);
    CHECK(rw_decoder_resume(memory, sizeof memory, rw_decoder_journal_size(memory)) == RW_OK);
    change_header(&good);
    CHECK(apply() == RW_DONE);
}

/* Stops in the middle of the target, with a little of the patch in the buffer. */
static rw_view stop_half_way(const rw_header *header)
{
    uint32_t made = 1000, given, taken;
    rw_source source = {NULL, read_base};
    rw_view view = {0};
    int status;

    change_header(header);
    given = changed_length;
    reads_left = -1;
    CHECK(rw_decoder_begin(memory, sizeof memory) == RW_OK);
    status = rw_decoder_run(memory, &source, changed, &given, target, &made);
    if (status == RW_STEP) { /* what was learned from the base may be journalled */
        CHECK(made == 0);
        made = 1000;
        taken = given;
        given = changed_length - taken;
        status = rw_decoder_run(memory, &source, changed + taken, &given, target, &made);
    }
    CHECK(status == RW_OUTPUT_FULL);
    rw_layout(&view, (rw_engine *)(void *)memory);
    return view;
}

/* Resumes, and puts back what the last case changed. */
static void refused(const rw_view *view, int line)
{
    uint32_t size = rw_decoder_journal_size(journal);

    if (rw_decoder_resume(view->engine, sizeof memory, size) != RW_BAD_JOURNAL) {
        printf("line %d: went on\n", line);
        exit(1);
    }
    memcpy(memory, journal, sizeof memory);
    CHECK(rw_decoder_resume(memory, sizeof memory, size) == RW_OK);
}

#define REFUSED(change) ((change), refused(&view, __LINE__))

static void engines_out_of_range_are_refused(void)
{
    rw_view view = stop_half_way(&good);
    rw_engine *e = view.engine;

    memcpy(journal, memory, sizeof memory);
    REFUSED(e->input_length = RW_INPUT_BUFFER + 1);
    REFUSED(e->input_used = e->input_length + 1);
    REFUSED(e->range = RW_RANGE_MIN - 1);
    REFUSED(e->steps = 1);
    REFUSED(e->phase = RW_PHASE_END + 1);
    REFUSED(e->status = 1);
    REFUSED(e->fed = patch_length + 1);
    REFUSED(e->segment_count[1] = RW_SEGMENTS + 1);
    REFUSED((e->phase = RW_PHASE_PRIME, e->counter = base_length + 1));
    REFUSED((e->phase = RW_PHASE_START, e->counter = 1));
    REFUSED((e->phase = RW_PHASE_SEALS, e->counter = RW_SEALS + 1));
    REFUSED(e->seal_count = RW_SEALS + 1);
    REFUSED(e->seals_made = 1);
    REFUSED((e->seal_count = 1, e->seal[0].at = good.target_length));
    REFUSED((e->seal_count = 1, e->seal[0].kind = RW_SEAL_KINDS));
    REFUSED((e->phase = RW_PHASE_PARAMETERS, e->counter = 2 * RW_PARAMETERS_OF_SIDE));
    REFUSED((e->phase = RW_PHASE_COVERS, e->counter = good.cover_count + 1));
    REFUSED((e->cover = good.cover_count, e->equal_left = 1));
    REFUSED(e->position = good.target_length + 1);
    REFUSED(e->unit_length = 5);
    REFUSED(e->unit_kind = 8);
    REFUSED(e->unit_class = 32);
    REFUSED(e->unit_used = e->unit_length + 1);
    REFUSED(e->drift.count[RW_DRIFT_LISTS - 1] = RW_DRIFT_LENGTH + 1);
    REFUSED(e->drift.list = RW_DRIFT_LISTS);
    REFUSED(e->drift.carry = 3);
    REFUSED(e->header.cover_count++);
    REFUSED(e->header.step_bits = 0);
    REFUSED(e->header.flags = 4);
    REFUSED(e->header.hash_bytes = 33);
    REFUSED(e->header.slot_count++);
    REFUSED(e->header.slot_count = 0);
    REFUSED(e->header.size = RW_HEADER_MAX + 1);
}

/* Bytes that are settled already, under a cover that is equal as a whole: its end would be missed. */
static void settled_bytes_under_an_equal_cover_are_refused(void)
{
    rw_view view = stop_half_way(&good);
    rw_engine *e = view.engine;

    CHECK(e->cover < good.cover_count);
    e->position = view.covers[e->cover].target;
    e->steps = e->position >> good.step_bits;
    e->equal_left = view.covers[e->cover].length;
    memcpy(journal, memory, sizeof memory);
    CHECK(rw_decoder_resume(memory, sizeof memory, rw_decoder_journal_size(memory)) == RW_OK);
    REFUSED((e->pending_used = 0, e->pending_length = 1));
}

/* A stored patch has no models: there is nothing that a phase in between could work on. */
static void phases_that_a_stored_patch_lacks_are_refused(void)
{
    static const uint32_t lacking[] = {RW_PHASE_SEALS, RW_PHASE_PARAMETERS, RW_PHASE_COVERS,
                                       RW_PHASE_SORT, RW_PHASE_PRIME};
    rw_header h = good;
    rw_view view;
    uint32_t i;

    h.backend = RW_BACKEND_STORED;
    h.cover_count = h.flags = h.index_bits = 0;
    view = stop_half_way(&h);
    memcpy(journal, memory, sizeof memory);
    for (i = 0; i < sizeof lacking / sizeof lacking[0]; i++)
        REFUSED((view.engine->phase = lacking[i], view.engine->counter = 0));
}

/* The payload of another back end makes any bytes, by models of the smallest size. */
static rw_view stop_half_way_of_a_fast_patch(rw_line **lines)
{
    rw_header h = good;
    rw_view view;

    h.backend = RW_BACKEND_FAST;
    h.slot_count = RW_FAST_SLOTS_MIN;
    h.cover_count = h.flags = h.index_bits = 0;
    view = stop_half_way(&h);
    *lines = (rw_line *)(void *)(view.slots + RW_LITERAL_AT + 2 * RW_LITERAL_USES * RW_SHARES);
    return view;
}

/* The fast back end has no weights to prime. */
static void priming_without_its_flag_is_refused(void)
{
    rw_line *lines;
    rw_view view = stop_half_way_of_a_fast_patch(&lines);

    memcpy(journal, memory, sizeof memory);
    REFUSED((view.engine->phase = RW_PHASE_PRIME, view.engine->counter = 0));
    (void)lines;
}

static void covers_out_of_range_are_refused(void)
{
    rw_view view = stop_half_way(&good);
    rw_engine *e = view.engine;

    memcpy(journal, memory, sizeof memory);
    CHECK(good.cover_count > 1);
    REFUSED(view.covers[1].target = view.covers[0].target);
    REFUSED(view.covers[0].target = good.target_length + 1);
    REFUSED(view.covers[0].length = good.target_length + 1);
    REFUSED(view.covers[0].base = base_length + 1);
    REFUSED(view.covers[0].base = base_length);
    REFUSED(view.by_base[0] = good.cover_count);
    REFUSED(e->equal_left = view.covers[e->cover].length + 1);
    REFUSED((e->phase = RW_PHASE_COVERS, e->counter = 1, e->previous.length++));
    REFUSED(view.weights[7] = RW_WEIGHT_MAX + 1);
    REFUSED(view.weights[7] = -RW_WEIGHT_MAX - 1);
}

static void a_match_without_a_history_is_refused(void)
{
    rw_header h = good;
    rw_view view;

    h.index_bits = h.window_bits = 0;
    view = stop_half_way(&h);
    memcpy(journal, memory, sizeof memory);
    REFUSED(view.engine->match_length = 1);
}

static void weights_at_their_limit_stay_there(void)
{
    rw_view view = stop_half_way(&good);
    uint32_t i;

    for (i = 0; i < rw_weight_count(&good); i++)
        view.weights[i] = i % 2 ? RW_WEIGHT_MAX : -RW_WEIGHT_MAX;
    i = rw_decoder_journal_size(memory);
    CHECK(rw_decoder_resume(memory, sizeof memory, i) == RW_OK);
    CHECK(apply() == RW_MISMATCH);
}

static void lines_that_no_decisions_lead_to_are_refused(void)
{
    rw_line *lines;
    rw_view view = stop_half_way_of_a_fast_patch(&lines);
    uint32_t *shares = view.slots + RW_LITERAL_AT, last = 2 * RW_LITERAL_USES * RW_SHARES - 1;

    memcpy(journal, memory, sizeof memory);
    REFUSED(lines[0].below[1] = 0);
    REFUSED(lines[1].below[5] = lines[1].below[4]);
    REFUSED(lines[24].below[7] = -1);
    REFUSED(lines[25].below[15] = 16384);
    REFUSED(lines[2].below[0] = 0);
    REFUSED(lines[2].below[0] = RW_LINE_STATE - 1);
    REFUSED(lines[3].below[0] |= 31);
    REFUSED(shares[0] |= 15 << 7);
    REFUSED(shares[last] |= 31 << 7);
}

/* All the chance there can be on one value, and on each other one the least. */
static void lines_and_shares_at_their_limit_stay_in_range(void)
{
    rw_line *lines;
    rw_view view = stop_half_way_of_a_fast_patch(&lines);
    uint32_t size = rw_decoder_journal_size(memory), i, v;

    for (i = 0; i < 26; i++) {
        for (v = 1; v < 16; v++)
            lines[i].below[v] = (int16_t)(v + (v > i % 16 ? 16384 - 16 : 0));
        lines[i].below[0] = (int16_t)(lines[i].below[0] | 31) - 1;
    }
    for (i = 0; i < 2 * RW_LITERAL_USES * RW_SHARES; i++)
        view.slots[RW_LITERAL_AT + i] = (i & 1 ? 0xfffff000 : 0) | 14 << 7;
    CHECK(rw_decoder_resume(memory, sizeof memory, size) == RW_OK);
    CHECK(apply() == RW_MISMATCH);
    CHECK(rw_decoder_resume(memory, sizeof memory, size) == RW_OK);
}

/* Whether a run ended because the callback of `counter` failed when it was called for the kth time. */
static int failed_at(int *counter, int k)
{
    int status;

    reads_left = writes_left = patch_reads_left = -1;
    *counter = k;
    CHECK(rw_decoder_begin(memory, sizeof memory) == RW_OK);
    status = apply();
    CHECK(status == (k > 0 && *counter >= 0 ? RW_DONE : RW_CALLBACK));
    if (status == RW_CALLBACK)
        CHECK(apply() == (counter == &patch_reads_left ? RW_DONE : RW_CALLBACK));
    return status == RW_CALLBACK;
}

/* Reads of the base, writes and reads of the patch fail, and each of the last reads: those are of
 * a cover that is equal as a whole. */
static void a_callback_that_fails_is_told(void)
{
    int *counters[] = {&reads_left, &writes_left, &patch_reads_left}, i, k, reads;

    CHECK(apply_with(&good) == RW_DONE);
    memcpy(whole, target, sizeof whole);
    whole_is_known = 1;
    for (i = 0; i < 3; i++)
        for (k = 0; failed_at(counters[i], k);)
            k += 1 + k / 64;
    CHECK(!failed_at(&reads_left, 1 << 30));
    reads = (1 << 30) - reads_left;
    for (k = reads - 16; k < reads; k++)
        CHECK(failed_at(&reads_left, k));
    whole_is_known = 0;
}

static void a_patch_that_ends_early_waits(void)
{
    change_header(&good);
    changed_length /= 2;
    CHECK(apply_from_start() == RW_NEED_INPUT);
    changed_length = patch_length;
    CHECK(apply() == RW_DONE);
}

/* One instruction of 2 to 4 bytes: where it points at address 0x1000, and how far it can. */
typedef struct {
    uint32_t arch, word, target, moved, too_far;
} instruction;

static void instructions_are_read_and_written(void)
{
    static const instruction list[] = {
        {RW_ARCH_THUMB, 0x0a01ed9f, 0x1008, 0x1010, 0x2000},  /* VLDR s0, [pc, #4] */
        {RW_ARCH_THUMB, 0x0a01ed1f, 0x1000, 0x1008, 0x1002},  /* VLDR s0, [pc, #-4] */
        {RW_ARCH_THUMB, 0x4801, 0x1008, 0x1010, 0x0ffc},      /* LDR r0, [pc, #4] */
        {RW_ARCH_THUMB, 0xe802f000, 0x1008, 0x1010, 0x100a},  /* BLX */
        {RW_ARCH_THUMB, 0xb108, 0x1006, 0x1010, 0x2000},      /* CBZ r0 */
        {RW_ARCH_THUMB, 0x8001f000, 0x1006, 0x1010, 0x1000000},
        {RW_ARCH_THUMB, 0xf801f000, 0x1006, 0x1010, 0x1000001},
        {RW_ARCH_THUMB, 0xd001, 0x1006, 0x1010, 0x2000},
        {RW_ARCH_ARM, 0xeb000001, 0x100c, 0x1010, 0x10000000},
        {RW_ARCH_ARM, 0xfb000001, 0x100e, 0x1012, 0x1013},
        {RW_ARCH_ARM, 0xe59f0004, 0x100c, 0x1000, 0x8000},
        {RW_ARCH_AARCH64, 0x94000001, 0x1004, 0x1010, 0x1002},
        {RW_ARCH_AARCH64, 0x10000020, 0x1004, 0x1011, 0x10000000},
        {RW_ARCH_RISCV, 0xa001, 0x1000, 0x1010, 0x4000},
        {RW_ARCH_RISCV, 0xc001, 0x1000, 0x1010, 0x4000},
        {RW_ARCH_RISCV, 0x000000ef, 0x1000, 0x1010, 0x1011},
        {RW_ARCH_RISCV, 0x00000063, 0x1000, 0x1010, 0x4000},
        {RW_ARCH_XTENSA, 0x000005, 0x1004, 0x1010, 0x1002},
        {RW_ARCH_XTENSA, 0x000006, 0x1004, 0x1011, 0x1000000},
        {RW_ARCH_XTENSA, 0xffff01, 0x0ffc, 0x0ff8, 0x1004},
    };
    uint32_t i;
    uint8_t p[4];
    rw_ref ref, again;

    for (i = 0; i < sizeof list / sizeof list[0]; i++) {
        const instruction *in = list + i;

        rw_put32(p, in->word);
        CHECK(rw_ref_find(in->arch, p, 0x1000, &ref));
        CHECK(ref.target == in->target);
        CHECK(rw_ref_put(in->arch, p, 0x1000, &ref, in->moved));
        CHECK(rw_ref_find(in->arch, p, 0x1000, &again));
        CHECK(again.target == in->moved && again.kind == ref.kind);
        CHECK(!rw_ref_put(in->arch, p, 0x1000, &ref, in->too_far));
        CHECK(rw_ref_find(in->arch, p, 0x1000, &again) && again.target == in->moved);
    }
}

static void other_words_name_no_address(void)
{
    /* MOV r0, r0 or what comes next to it */
    static const uint32_t word[] = {0xe1a00000, 0xbf00, 0xe1a00000, 0xd503201f, 0x13, 0xf03d};
    rw_ref ref = {4, RW_REF_CALL, 0};
    uint32_t arch;
    uint8_t p[4];

    for (arch = RW_ARCH_NONE; arch <= RW_ARCH_LAST; arch++) {
        rw_put32(p, word[arch]);
        CHECK(!rw_ref_find(arch, p, 0x1000, &ref));
        ref.kind = RW_REF_CALL;
        CHECK(!rw_ref_put(arch, p, 0x1000, &ref, 0x1010) && rw_get32(p) == word[arch]);
    }
}

static void a_hash_counts_beyond_four_gigabytes(void)
{
    static uint8_t zeros[64];
    uint8_t below[32], beyond[32];
    rw_sha256 sha;

    rw_sha256_init(&sha);
    sha.length_low = 0xffffffc0;
    rw_sha256_update(&sha, zeros, 64);
    rw_sha256_digest(&sha, beyond);
    CHECK(sha.length_high == 1 && sha.length_low == 0);
    sha.length_high = 0;
    rw_sha256_digest(&sha, below);
    CHECK(memcmp(below, beyond, 32) != 0);
}

static uint32_t load(const char *name, uint8_t *data)
{
    FILE *file = fopen(name, "rb");
    size_t length;

    CHECK(file != NULL);
    length = fread(data, 1, IMAGE_MAX, file);
    fclose(file);
    return (uint32_t)length;
}

int main(int count, char **argument)
{
    CHECK(count == 3);
    base_length = load(argument[1], base);
    patch_length = load(argument[2], patch);
    CHECK(rw_header_read(&good, patch, patch_length) == RW_OK && good.arch == RW_ARCH_THUMB);
    a_header_says_on_the_way_how_long_it_is();
    headers_out_of_range_are_refused();
    a_patch_without_memo_or_history_is_walked_to_its_first_hash();
    hashes_are_compared_as_far_as_they_are_named();
    journals_of_half_a_header_are_checked();
    a_journal_of_half_a_header_holds_nothing_else();
    memory_that_is_too_small_is_told();
    journals_of_another_size_are_refused();
    engines_out_of_range_are_refused();
    settled_bytes_under_an_equal_cover_are_refused();
    phases_that_a_stored_patch_lacks_are_refused();
    covers_out_of_range_are_refused();
    priming_without_its_flag_is_refused();
    a_match_without_a_history_is_refused();
    weights_at_their_limit_stay_there();
    lines_that_no_decisions_lead_to_are_refused();
    lines_and_shares_at_their_limit_stay_in_range();
    a_callback_that_fails_is_told();
    a_patch_that_ends_early_waits();
    instructions_are_read_and_written();
    other_words_name_no_address();
    a_hash_counts_beyond_four_gigabytes();
    return 0;
}
