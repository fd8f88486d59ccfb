#include "rw_call.h"

#include "rw_history.h"
#include "rw_map.h"
#include "rw_refs.h"

#define FORMS 2u
#define LENGTH 4u

enum { WHETHER = 245, FORM = 247, WHERE = 248 }; /* sets of weights */

/* Calls that may come, and how sure that is: 0 where none is known. */
typedef struct {
    int known[2];
    rw_call calls[2];
    uint32_t form, sure; /* form + 1 */
} expected;

/* Instructions whose target is still to be put in; all 0 where calls are not told apart. */
static uint32_t form_of(uint32_t arch, uint32_t form)
{
    static const uint32_t forms[][FORMS] = {
        {0, 0},
        {0xf800f000, 0xb800f000}, /* Thumb: BL, B.W */
        {0xeb000000, 0xea000000}, /* A32: BL, B */
        {0x94000000, 0x14000000}, /* A64: BL, B */
        {0x000000ef, 0x0000006f}, /* RISC-V: JAL ra, J */
    };

    return arch < sizeof forms / sizeof forms[0] ? forms[arch][form] : 0;
}

static void put_call(const rw_engine *e, uint32_t form, uint32_t address, uint32_t target,
                     uint8_t *bytes)
{
    rw_ref ref = {LENGTH, RW_REF_CALL, 0};

    rw_put32(bytes, form_of(e->header.arch, form));
    rw_ref_put(e->header.arch, bytes, address, &ref, target);
}

/* The offset of an address in the target; 0 for an address outside of it. */
static int inside(const rw_engine *e, uint32_t address, uint32_t *offset)
{
    if (!rw_offset(e, RW_TARGET, address, offset))
        *offset = address;
    return *offset < e->header.target_length && *offset % rw_instruction_step(e->header.arch) == 0
           && rw_address(e, RW_TARGET, *offset) == address;
}

/* Reads a call that stands at `offset` of one side. What would call itself is data: small numbers
 * of the other byte order look so. */
static int read_call(const rw_view *view, int side, uint32_t offset, const uint8_t *bytes,
                     rw_call *call)
{
    const rw_engine *e = view->engine;
    uint32_t address = rw_address(e, side, offset), to;
    enum rw_quality quality;
    uint8_t again[LENGTH];
    rw_ref ref;

    if (!rw_ref_find(e->header.arch, bytes, address, &ref) || ref.length != LENGTH
        || ref.kind != RW_REF_CALL || ref.target == address)
        return 0;
    for (call->form = 0; call->form < FORMS; call->form++) {
        put_call(e, call->form, address, ref.target, again);
        if (rw_get32(again) == rw_get32(bytes))
            break;
    }
    to = side == RW_BASE ? rw_translate(view, ref.target, 0, &quality) : ref.target;
    return call->form < FORMS && inside(e, to, &call->target);
}

/* What may stand at `offset`, after what stood behind the latest bytes before: a call that goes
 * where that one goes, or one as far. */
static expected expect_call(rw_view *view, uint32_t offset)
{
    const rw_engine *e = view->engine;
    expected x = {0};
    uint8_t bytes[LENGTH];
    uint32_t before, i;
    int side;

    if (!rw_expect_word(view, &side, &before, bytes)
        || before % rw_instruction_step(e->header.arch) != 0)
        return x;
    x.known[0] = read_call(view, side, before, bytes, &x.calls[0]);
    x.known[1] = read_call(view, view->training ? RW_BASE : RW_TARGET, offset, bytes, &x.calls[1]);
    for (i = 0; i < 2; i++)
        if (x.known[i])
            x.form = x.calls[i].form + 1;
    if (x.form > 0)
        x.sure = e->match_length < 16 ? 1 + e->match_length / 4 : 5;
    return x;
}

static int code_whether(rw_view *view, uint32_t sure, int is)
{
    rw_engine *e = view->engine;
    uint32_t o = e->order[0];
    rw_mix mix = {0};

    rw_mix_add(view, &mix, rw_hash(0x80, o));
    rw_mix_add(view, &mix, rw_hash(0x81, o & 0xffff));
    rw_mix_add(view, &mix, rw_hash(0x82, e->flow.operations & 0xffff));
    rw_mix_add(view, &mix, rw_hash(0x83, e->flow.operations & 0xffffff));
    rw_mix_add(view, &mix, rw_hash(0x84, sure));
    rw_mix_add(view, &mix, rw_hash(0x85, e->calls & 0xff));
    rw_mix_add(view, &mix, rw_hash(0x86, o >> 24));
    rw_mix_add(view, &mix, rw_hash(0x87 + e->order[1], o));
    rw_mix_add(view, &mix, rw_hash(0x88, o & 0xf8));
    is = rw_mix_code(view, &mix, WHETHER, WHETHER + 1, is);
    e->calls = e->calls << 1 | (uint32_t)is;
    return is;
}

static uint32_t code_form(rw_view *view, uint32_t expected, uint32_t form)
{
    rw_engine *e = view->engine;
    rw_mix mix = {0};

    rw_mix_add(view, &mix, rw_hash(0x90, e->order[0]));
    rw_mix_add(view, &mix, rw_hash(0x91, e->order[0] & 0xffff));
    rw_mix_add(view, &mix, rw_hash(0x92, e->flow.operations & 0xffff));
    rw_mix_add(view, &mix, rw_hash(0x93, expected));
    return (uint32_t)rw_mix_code(view, &mix, FORM, FORM, (int)form);
}

/* Bit by bit from the highest one: what is coded already tells places in the image apart. */
static uint32_t code_where(rw_view *view, uint32_t offset, const expected *x, uint32_t target)
{
    const rw_engine *e = view->engine;
    uint32_t step = rw_instruction_step(e->header.arch), o = e->order[0], node = 1, bit, i;
    uint32_t bits = rw_log2(e->header.target_length / step) + 1;

    for (bit = bits; bit-- > 0;) {
        rw_mix mix = {0};

        rw_mix_add(view, &mix, rw_hash(0xa0, node));
        rw_mix_add(view, &mix, rw_hash(0xa1 + (e->last_call[0] << 8), node));
        rw_mix_add(view, &mix, rw_hash(0xa2 + (o << 8 & 0xffff00), node));
        rw_mix_add(view, &mix, rw_hash(0xa3 + (o << 8), node));
        rw_mix_add(view, &mix, rw_hash(0xa4 + (offset >> 10 << 8), node));
        rw_mix_add(view, &mix, rw_hash(0xa5 + (offset >> 13 << 8), node));
        rw_mix_add(view, &mix, rw_hash(0xa6 + (o << 8), node + e->order[1]));
        rw_mix_add(view, &mix, rw_hash(0xa7 + (e->last_call[0] << 8), node + e->last_call[1]));
        for (i = 0; i < 2; i++) {
            uint32_t guess = x->calls[i].target / step;

            if (x->known[i] && (guess + (1u << bits)) >> (bit + 1) == node)
                rw_mix_add_guess(
                    view, &mix,
                    rw_hash(0xa8 + i + (x->sure << 8) + ((uint32_t)e->call_like << 16), bit),
                    guess >> bit & 1);
        }
        node = node << 1
               | (uint32_t)rw_mix_code(view, &mix, WHERE, x->sure > 0 ? WHERE + 1 : WHERE,
                                       (int)(target / step >> bit & 1));
    }
    return (node - (1u << bits)) * step;
}

uint32_t rw_call_code(rw_view *view, uint32_t offset, uint32_t left, uint8_t *bytes, rw_call *call)
{
    rw_engine *e = view->engine;
    rw_call none = {0, 0, 0};
    expected x;
    uint32_t like = 0, i;
    int is = 0;

    if (form_of(e->header.arch, 0) == 0 || left < LENGTH
        || offset % rw_instruction_step(e->header.arch) != 0 || e->flow.wide != 0
        || rw_flow_pool(e, offset) > 0)
        return 0;
    *call = none;
    if (view->training || view->sink != 0)
        is = read_call(view, view->training ? RW_BASE : RW_TARGET, offset, bytes, call);
    x = expect_call(view, offset);
    if (!code_whether(view, x.sure, is))
        return 0;
    call->form = code_form(view, x.form, call->form);
    call->target = code_where(view, offset, &x, call->target);
    for (i = 0; i < 2; i++)
        if (x.known[i] && x.calls[i].form == call->form && x.calls[i].target == call->target)
            like |= 1 + i;
    if (x.sure > 0)
        e->call_like = (uint8_t)like;
    call->same = like > 0;
    put_call(e, call->form, rw_address(e, RW_TARGET, offset),
             rw_address(e, RW_TARGET, call->target), bytes);
    e->last_call[1] = e->last_call[0];
    e->last_call[0] = call->target;
    return LENGTH;
}
