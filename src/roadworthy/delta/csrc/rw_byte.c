/* A byte that is not as predicted: its contexts and its eight decisions. */
#include "rw_scene.h"

#define DRIFT 8u     /* the context that it takes the place of */
#define CONTEXTS 17u /* two fewer where no cover holds the byte */

/* Sets of contexts, a bit each: of which only the byte is kept that came last in them, of which it
 * is in the smaller RAM classes, and of which it is beside a slot for every bit. */
#define ONLY_RUNS 0x32f0u /* 4, 5, 6, 7, 9, 12 and 13 */
#define RUNS_IF_SMALL 0x490cu /* 2, 3, 8, 11 and 14 */
#define RUNS_BESIDE 0x0404u /* 2 and 10 */

/* Where the latest bytes are looked at as instructions. */
typedef struct {
    uint32_t place; /* which byte of an instruction, or of a pool, and its upper byte if it began */
    uint32_t begun; /* upper byte of the halfword that began, or 256 */
    uint32_t half[3]; /* the halfwords before, latest first */
} halfwords;

static halfwords latest(const rw_engine *e, const rw_scene *s)
{
    uint32_t odd = s->lane & 1, i;
    uint64_t order = ((uint64_t)e->order[1] << 32 | e->order[0]) >> 8 * odd;
    halfwords h;

    h.begun = odd ? e->order[0] & 255 : 256;
    h.place = s->lane + (s->pool > 0 ? 4 : 0) + 16 * h.begun;
    for (i = 0; i < 3; i++, order >>= 16)
        h.half[i] = (uint32_t)(order << 8 & 0xff00) | (uint32_t)(order >> 8 & 0xff);
    return h;
}

/* Contexts that all bytes have, whatever they are. */
static void common_contexts(const rw_engine *e, const rw_scene *s, const halfwords *h,
                            uint32_t *context)
{
    uint32_t o = e->order[0], pool = s->pool > 0, lane = s->lane + 4 * pool;
    uint32_t within = o & ((1u << 8 * s->lane) - 1), covered = (uint32_t)s->covered;

    context[0] = rw_hash(0x20 + rw_scene_tag(s) + 256 * pool, s->predicted);
    context[1] = rw_hash(0x22 + covered + 256 * pool, o & 0xff);
    context[2] = rw_hash(0x23, o & 0xffff);
    context[3] = rw_hash(0x28, s->expected << 8 | s->confidence);
    context[4] = rw_hash(0x21 + (lane << 8) + within * 4096,
                         covered ? s->word : e->order[1] & 0xff);
    context[5] = rw_hash(0x24, o & 0xffffff);
    context[6] = rw_hash(0x25, o);
    context[7] = rw_hash(0x26 + (e->order[1] & 0xffff), o);
    context[8] = rw_hash(0x27, o & 0xff00);
    context[9] = rw_hash(0x29 + lane, o >> 24);
    context[10] = rw_hash(0x2a + h->place, e->flow.wide);
    context[11] = rw_hash(0x2b, lane << 16 | (o & 0xff00ff00));
    context[12] = rw_hash(0x43, h->begun << 16 | h->half[0] >> 11 << 10 | h->half[1] >> 11 << 5
                                    | h->half[2] >> 11);
    context[13] = rw_hash(0x45, h->begun << 16 | h->half[1]);
    context[14] = rw_hash(0x48, h->begun << 16 | (h->half[0] & 7) << 8
                                    | (h->half[0] >> 3 & 7) << 4 | (h->half[1] & 7));
}

/* Thumb code that no cover holds: the registers and operations before, words of the pool. */
static void flow_contexts(const rw_engine *e, const rw_scene *s, const halfwords *h,
                          uint32_t *context)
{
    const rw_flow *f = &e->flow;
    uint32_t operation = f->operations & 0xff, wide = f->last >> 16 != 0;

    context[6] = rw_hash(0x62 + h->place, s->pool > 0 ? h->half[1] & 0xff
                                                      : operation | (f->last >> 6 & 7) << 8);
    context[7] = rw_hash(0x63 + h->place, s->pool > 0 ? s->pool : f->last >> 11);
    context[11] = rw_hash(0x60 + h->place, operation | (f->last & 7) << 8 | wide << 11);
    context[14] = rw_hash(0x61 + h->place, f->operations & 0xffff);
}

/* What the base has there. */
static void cover_contexts(const rw_engine *e, const rw_scene *s, uint32_t *context)
{
    uint32_t p = s->predicted, tag = rw_scene_tag(s);
    uint32_t last = s->lane > 0 ? (e->difference & 0xff) << 1 | (e->flags & 1) : 0;

    context[8] = rw_hash(0x27, ((p + (e->difference & 255)) & 255) << 8 | tag);
    context[10] = rw_hash(0x2c + tag, s->other << 8 | p);
    context[15] = rw_hash(0x2e, p << 8 | (e->order[0] & 0xff));
    context[16] = rw_hash(0x2d + tag, p << 16 | last);
}

/* Returns how many they are. */
static uint32_t all_contexts(const rw_engine *e, const rw_scene *s, uint32_t *context)
{
    halfwords h = latest(e, s);

    common_contexts(e, s, &h, context);
    if (s->covered)
        cover_contexts(e, s, context);
    else if (e->header.arch == RW_ARCH_THUMB)
        flow_contexts(e, s, &h, context);
    return s->covered ? CONTEXTS : CONTEXTS - 2;
}

/* Whether a byte may have changed as its neighbours did: it is no part of a reference. */
static int may_drift(const rw_scene *s)
{
    return s->covered && s->kind == 0;
}

/* The word that keeps which byte came last in a context: check (16 bits), byte, how often. */
static uint32_t *run_of(rw_view *view, uint32_t context)
{
    uint32_t count = rw_run_count(view), check = context << 16;
    uint32_t *word = view->slots + view->engine->header.slot_count - count
                     + (uint32_t)((uint64_t)context * count >> 32);

    if ((*word & 0xffff0000u) != check)
        *word = check;
    return word;
}

/* What a run says of the next bit: a hint, 0 for nothing. */
static int32_t hint_of(uint32_t run, uint32_t node, uint32_t bit)
{
    uint32_t times = run & 255, byte = run >> 8 & 255;
    int32_t hint = 77 + 90 * (int32_t)(times < 7 ? times : 7);

    if (times == 0 || (byte | 256) >> (bit + 1) != node)
        return 0;
    return byte >> bit & 1 ? hint : -hint;
}

static void keep_run(uint32_t *word, uint32_t byte)
{
    uint32_t times = *word & 255;

    if ((*word >> 8 & 255) == byte && times > 0)
        *word += times < 255;
    else
        *word = (*word & 0xffff0000u) | byte << 8 | 1;
}

static int code_bit(rw_view *view, const rw_scene *s, rw_mix *mix, uint32_t node, uint32_t bit,
                    int value)
{
    uint32_t hinted = s->expected < 256 && (s->expected | 256) >> (bit + 1) == node;
    uint32_t lane = s->lane + (s->pool > 0 ? 4 : 0), odd = s->lane & 1, done = 7 - bit;
    uint32_t o = view->engine->order[0], sets[RW_MIXES];
    int code = !s->covered && view->engine->header.arch == RW_ARCH_THUMB;

    sets[0] = 128 + done + 8 * (s->covered ? 1 + s->kind : code ? lane : 0);
    sets[1] = 200 + (hinted ? 1 + s->confidence / 3 : 0) + 4 * s->lane
              + 16 * (uint32_t)s->covered;
    if (s->guess[0].byte < 256)
        sets[1] = 240 + s->guess[0].kind;
    sets[2] = 256 + 256 * odd + node;
    if (code)
        sets[3] = 768 + (o >> 3 & 31) + 32 * lane + (done > 3 ? 256 : 0);
    else
        sets[3] = 768 + (odd ? 256 + 32 * done + (o >> 11 & 31) : o & 255);
    return rw_mix_twice(view, mix, sets, s->lane, value);
}

/* Adds the guesses that the bits so far agree with. */
static void add_guesses(rw_view *view, const rw_scene *s, uint32_t node, uint32_t bit, rw_mix *mix)
{
    uint32_t k;

    for (k = 0; k < RW_GUESSES; k++) {
        const rw_guess *g = s->guess + k;

        if (g->byte < 256 && 8 - bit <= g->bits && (g->byte | 256) >> (bit + 1) == node)
            rw_mix_add_guess(view, mix, rw_hash(0x70 + k, g->kind << 8 | bit), g->byte >> bit & 1);
    }
}

static uint8_t code_bits(rw_view *view, const rw_scene *s, uint8_t byte)
{
    uint32_t context[CONTEXTS], *run[CONTEXTS] = {0}, node = 1, bit, k;
    uint32_t n = all_contexts(view->engine, s, context);
    uint32_t only = ONLY_RUNS | (rw_is_wide(&view->engine->header) ? 0 : RUNS_IF_SMALL);
    int drifts = may_drift(s);

    if (drifts)
        only &= ~(1u << DRIFT);
    for (k = 0; k < n; k++)
        if ((only | RUNS_BESIDE) >> k & 1)
            run[k] = run_of(view, rw_hash(0x50, context[k]));
    for (bit = 8; bit-- > 0;) {
        rw_mix mix = {0};

        for (k = 0; k < n; k++) {
            if (drifts && k == DRIFT)
                rw_mix_add_hint(&mix, rw_drift_hint(&view->engine->drift, s->predicted, node, bit));
            else if (!(only >> k & 1))
                rw_mix_add(view, &mix, rw_hash(context[k], node));
            if (run[k] != 0)
                rw_mix_add_hint(&mix, hint_of(*run[k], node, bit));
        }
        add_guesses(view, s, node, bit, &mix);
        node = node << 1 | (uint32_t)code_bit(view, s, &mix, node, bit, byte >> bit & 1);
    }
    for (k = 0; k < n; k++)
        if (run[k] != 0)
            keep_run(run[k], node & 255);
    return (uint8_t)node;
}

/* Whether a byte changed by as much as the latest one of its list did. */
static int code_drift(rw_view *view, const rw_scene *s, uint32_t expected, int same)
{
    rw_drift *drift = &view->engine->drift;
    uint32_t agree = s->expected == 256 ? 0 : s->expected == expected ? 1 : 2;
    rw_mix mix = {0};

    rw_mix_add(view, &mix, rw_hash(0x38, drift->same & 15));
    rw_mix_add(view, &mix, rw_hash(0x39, (drift->same & 255) << 8 | drift->list));
    rw_mix_add(view, &mix, rw_hash(0x3a, drift->list << 8 | rw_drift_latest(drift)));
    rw_mix_add(view, &mix, rw_hash(0x3b, agree << 8 | s->confidence << 4 | (drift->same & 3)));
    rw_mix_add(view, &mix, rw_hash(0x3c, s->predicted << 8 | rw_drift_latest(drift)));
    same = rw_mix_code(view, &mix, 254, 255, same);
    drift->same = drift->same << 1 | (uint32_t)same;
    return same;
}

uint8_t rw_byte_code(rw_view *view, const rw_scene *s, uint8_t byte)
{
    uint32_t change = may_drift(s) ? rw_drift_latest(&view->engine->drift) : 0;

    if (change != 0) {
        uint8_t expected = (uint8_t)(s->predicted + change);

        if (code_drift(view, s, expected, byte == expected))
            return expected;
    }
    return code_bits(view, s, byte);
}
