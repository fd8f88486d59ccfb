#include "rw_match.h"

#include <stdlib.h>
#include <string.h>

#include "rw_echo.h"

#define PRUNE_EVERY 16
#define BEAM 32
#define PAST 33u
#define INSERT RW_MATCH_INSERT
#define NOBODY 0xffffffffu
#define MATCH_MIN 4u      /* bytes of a string that is looked for anywhere, */
#define NEAR_MATCH_MIN 3u /* and nearby */
#define BESIDES 2         /* strings on either side that are looked at anywhere, */
#define NEAR_BESIDES 3    /* and nearby */
#define SEARCH_SKIP 24u
#define LANES 2u  /* bytes of values that drift each for themselves */
#define NEARLY 4u /* how far changes that are alike may be apart */
#define DRIFTS 6u /* changes alike, after which the next one is likely so, too */

typedef struct {
    uint32_t parent, start, shift;
} node_t;

typedef struct {
    uint32_t shift, node, run;
    uint8_t drift[LANES]; /* by how much the latest missed byte of each lane had changed, */
    uint8_t drifted;      /* and how many of them were like the one before them */
    uint64_t cost;
} state_t;

typedef struct {
    const rw_match_job *job;
    const rw_index *near;
    node_t *nodes;
    uint32_t node_count, node_room;
    state_t states[BEAM + 8];
    state_t past[PAST]; /* the best states before the last target bytes */
    uint32_t padding_end; /* of the run of equal target bytes that was looked at last */
    uint32_t state_count;
    rw_echo echo;
    int failed; /* a status below 0 */
} search_t;

static uint32_t compared(uint32_t left)
{
    return left < RW_INDEX_REACH ? left : RW_INDEX_REACH;
}

/* Forgets nodes that neither a state nor one of the last best ones came by. A parent stands before its children. */
static void forget_nodes(search_t *s, uint32_t *kept)
{
    uint32_t count = 0, i;

    memset(kept, 0, sizeof *kept * s->node_count);
    for (i = 0; i < s->state_count; i++)
        if (s->states[i].node != NOBODY)
            kept[s->states[i].node] = 1;
    for (i = 0; i < PAST; i++)
        if (s->past[i].node != NOBODY)
            kept[s->past[i].node] = 1;
    for (i = s->node_count; i-- > 0;)
        if (kept[i] && s->nodes[i].parent != NOBODY)
            kept[s->nodes[i].parent] = 1;
    for (i = 0; i < s->node_count; i++)
        if (kept[i]) {
            node_t node = s->nodes[i];

            node.parent = node.parent == NOBODY ? NOBODY : kept[node.parent];
            s->nodes[count] = node;
            kept[i] = count++;
        }
    for (i = 0; i < s->state_count; i++)
        if (s->states[i].node != NOBODY)
            s->states[i].node = kept[s->states[i].node];
    for (i = 0; i < PAST; i++)
        if (s->past[i].node != NOBODY)
            s->past[i].node = kept[s->past[i].node];
    s->node_count = count;
}

/* Makes room for BEAM more nodes. */
static void reserve_nodes(search_t *s)
{
    uint32_t room = s->node_room * 2 + 1024 * BEAM, *kept;
    node_t *nodes;

    if (s->node_room - s->node_count >= 4 * BEAM)
        return;
    kept = malloc(sizeof *kept * (s->node_count + (size_t)1));
    if (kept != 0)
        forget_nodes(s, kept);
    free(kept);
    if (s->node_count < s->node_room / 2)
        return;
    nodes = realloc(s->nodes, sizeof(node_t) * room);
    if (nodes == 0) {
        s->failed = RW_NO_MEMORY;
        return;
    }
    s->nodes = nodes;
    s->node_room = room;
}

static uint32_t new_node(search_t *s, uint32_t parent, uint32_t start, uint32_t shift)
{
    s->nodes[s->node_count].parent = parent;
    s->nodes[s->node_count].start = start;
    s->nodes[s->node_count].shift = shift;
    return s->node_count++;
}

static const state_t *best_state(const search_t *s)
{
    const state_t *best = s->states;
    uint32_t i;

    for (i = 1; i < s->state_count; i++)
        if (s->states[i].cost < best->cost)
            best = s->states + i;
    return best;
}

static state_t *room_for(search_t *s)
{
    state_t *worst = s->states + 1;
    uint32_t i;

    if (s->state_count < BEAM) {
        s->states[s->state_count].cost = UINT64_MAX;
        return s->states + s->state_count++;
    }
    for (i = 2; i < s->state_count; i++)
        if (s->states[i].cost > worst->cost)
            worst = s->states + i;
    return worst;
}

/* A new shift costs the more, the further it is from the latest; one that was used a moment ago is cheap
 * to name again. */
static uint32_t price(const search_t *s, uint32_t node, uint32_t shift)
{
    uint32_t i, seen = 0, latest = s->job->shifts[1], most = UINT32_MAX, away, cost;

    for (i = 0; i < 8 && seen < 4 && node != NOBODY; i++) {
        uint32_t other = s->nodes[node].shift;

        if (other == shift)
            most = s->job->costs.recent;
        if (other != INSERT && seen++ == 0)
            latest = other;
        node = s->nodes[node].parent;
    }
    away = shift - latest;
    away = away >> 31 ? 0 - away : away;
    cost = s->job->costs.change + s->job->costs.distance * rw_log2(away + 1);
    return cost < most ? cost : most;
}

/* Makes a shift a state that was entered at `at` from the best state there, and has made `run` bytes
 * since for `spent`. */
static void offer(search_t *s, const state_t *best, uint32_t at, uint32_t shift, uint32_t run,
                  uint32_t spent)
{
    uint64_t cost = best->cost + price(s, best->node, shift) + spent;
    uint32_t node = best->node, i;
    state_t *state = 0;

    for (i = 1; i < s->state_count; i++)
        if (s->states[i].shift == shift)
            state = s->states + i;
    if (state != 0 && state->cost <= cost)
        return;
    if (state == 0) {
        state = room_for(s);
        if (state->cost <= cost)
            return;
    }
    state->shift = shift;
    memset(state->drift, 0, sizeof state->drift);
    state->drifted = 0;
    state->cost = cost;
    state->run = run;
    state->node = new_node(s, node, at, shift);
}

/* Padding occurs everywhere; only its longest run is worth going to. */
static int in_padding(search_t *s, uint32_t at)
{
    const uint8_t *p = s->job->masked_target;

    if (s->padding_end <= at)
        for (s->padding_end = at + 1;
             s->padding_end < s->job->target_length && p[s->padding_end] == p[at];)
            s->padding_end++;
    return s->padding_end - at >= RW_INDEX_REACH;
}

static uint32_t mark(uint8_t byte)
{
    return byte * 0x9E3779B1u >> 30;
}

void rw_match_mark(const uint8_t *base, uint32_t length, uint8_t *marks)
{
    uint32_t i;

    for (i = 0; i < length; i++) {
        if (i % 4 == 0)
            marks[i / 4] = 0;
        marks[i / 4] |= (uint8_t)(mark(base[i]) << i % 4 * 2);
    }
}

/* Whether a byte that agrees where it is masked agrees as it is. */
static int is_equal(const rw_match_job *job, uint32_t at, uint32_t from)
{
    if (job->marks != 0)
        return (job->marks[from / 4] >> from % 4 * 2 & 3) == (int)mark(job->target[at]);
    return job->base[from] == job->target[at];
}

/* What has moved by no multiple of an instruction is masked in other places and still the same. */
static uint32_t byte_cost(const rw_match_job *job, uint32_t at, uint32_t shift)
{
    uint32_t from = at + shift;

    if (from >= job->base_length)
        return job->costs.miss;
    if (job->masked_base[from] == job->masked_target[at])
        return is_equal(job, at, from) ? job->costs.hit : job->costs.masked;
    return is_equal(job, at, from) && job->base[from] == job->target[at] ? job->costs.hit
                                                                         : job->costs.miss;
}

/* Offers a shift that was found at `at` from where it is best entered: a match may be found late. */
static void offer_match(search_t *s, uint32_t at, uint32_t shift)
{
    const rw_match_job *job = s->job;
    const state_t *best = s->past + at % PAST;
    uint64_t least = best->cost;
    uint32_t start = at, run = 0, spent = 0, sum = 0, back;

    for (back = 1; back <= job->back && back <= at; back++) {
        const state_t *there = s->past + (at - back) % PAST;
        uint32_t cost = byte_cost(job, at - back, shift);

        if (cost == job->costs.miss)
            break;
        sum += cost;
        if (there->cost + sum < least) {
            least = there->cost + sum;
            best = there;
            start = at - back;
            run = back;
            spent = sum;
        }
    }
    offer(s, best, start, shift, run, spent);
}

/* Offers the shifts of the base's strings that stand next to those at `at`. */
static void look_up(search_t *s, const rw_index *index, uint32_t at)
{
    const rw_match_job *job = s->job;
    const uint8_t *wanted = job->masked_target + at;
    int is_near = index == s->near;
    uint32_t floor = is_near ? NEAR_MATCH_MIN : MATCH_MIN, left = compared(job->target_length - at);
    int32_t most = is_near ? NEAR_BESIDES : BESIDES, side, step,
            here = rw_index_find(index, wanted, left);

    for (side = 0; side < 2; side++)
        for (step = 0; step < most; step++) {
            int32_t i = side ? here + step : here - 1 - step;
            uint32_t from, same;

            if (i < 0 || i >= index->count)
                break;
            from = (uint32_t)index->order[i] * index->step;
            same = rw_index_common(wanted, left, index->data + from, index->length - from);
            if (same < floor)
                break;
            if (same / 2 > floor)
                floor = same / 2;
            offer_match(s, at, index->origin + from - at);
        }
}

static void look_around(search_t *s, uint32_t at)
{
    const rw_match_job *job = s->job;
    const rw_index *index = job->index;
    uint8_t byte = job->masked_target[at];

    if (in_padding(s, at)) {
        if (index->run_length[byte] >= MATCH_MIN)
            offer_match(s, at, index->run[byte] - at);
        return;
    }
    look_up(s, index, at);
    if (s->near != 0)
        look_up(s, s->near, at);
}

static int are_alike(uint8_t a, uint8_t b)
{
    uint8_t off = (uint8_t)(a - b);

    return off <= NEARLY || off >= 256 - NEARLY;
}

/* What a missed byte costs: little where several changed by as much as the ones before them. */
static uint32_t drift_cost(const rw_match_job *job, uint32_t at, state_t *state)
{
    uint32_t from = at + state->shift;
    uint8_t drift, before;

    if (from >= job->base_length)
        return job->costs.miss;
    drift = (uint8_t)(job->masked_target[at] - job->masked_base[from]);
    before = state->drift[from % LANES];
    state->drift[from % LANES] = drift;
    if (!are_alike(drift, before)) {
        state->drifted = state->drifted > DRIFTS / 2 ? state->drifted - DRIFTS / 2 : 0;
        return job->costs.miss;
    }
    if (state->drifted < 2 * DRIFTS)
        state->drifted++;
    if (state->drifted <= DRIFTS)
        return job->costs.miss;
    return drift == before ? job->costs.drift : job->costs.drift_near;
}

/* Takes a target byte in a state, for `most` at most. */
static void stay(const rw_match_job *job, uint32_t at, state_t *state, uint32_t most)
{
    uint32_t cost = byte_cost(job, at, state->shift);

    state->run = cost == job->costs.miss ? 0 : state->run + 1;
    if (cost == job->costs.miss)
        cost = drift_cost(job, at, state);
    state->cost += cost < most ? cost : most;
}

/* What each state pays for a byte. One that earlier target bytes tell costs little everywhere. */
static void pay(search_t *s, uint32_t at)
{
    const rw_match_job *job = s->job;
    int told = rw_echo_sure(&s->echo, at);
    uint32_t i;

    s->states[0].run = 0;
    s->states[0].cost += told ? job->costs.echo : job->costs.insert;
    for (i = 1; i < s->state_count; i++)
        stay(job, at, s->states + i, told ? job->costs.echo_miss : UINT32_MAX);
}

/* A state that fell behind starts again from the best one, if it now fits. */
static void relax(search_t *s, uint32_t at)
{
    state_t best = *best_state(s);
    const rw_match_job *job = s->job;
    uint32_t i;

    for (i = 0; i < s->state_count; i++) {
        state_t *state = s->states + i;
        uint32_t more = job->costs.change_insert;

        if (state->shift != INSERT) {
            if (state->run != 4 || state->cost <= best.cost)
                continue;
            more = price(s, best.node, state->shift);
        }
        if (state->cost <= best.cost + more)
            continue;
        state->cost = best.cost + more;
        state->node = new_node(s, best.node, at, state->shift);
    }
}

/* Drops shifts that fell so far behind that hardly one of them would be the best again. */
static void prune(search_t *s)
{
    uint64_t most = best_state(s)->cost + s->job->costs.prune;
    uint32_t i, kept = 1;

    for (i = 1; i < s->state_count; i++)
        if (s->states[i].cost <= most)
            s->states[kept++] = s->states[i];
    s->state_count = kept;
}

/* Before the first byte: "insert", and the shifts that are likely to go on. */
static void begin(search_t *s)
{
    const rw_match_job *job = s->job;
    uint32_t i;

    for (i = 0; i < PAST; i++)
        s->past[i].node = NOBODY;
    reserve_nodes(s);
    if (s->failed)
        return;
    s->states[0].shift = INSERT;
    s->states[0].node = new_node(s, NOBODY, 0, INSERT);
    s->states[0].cost = 0;
    s->state_count = 1;
    for (i = 0; i < 2 && job->base_length > 0; i++)
        offer(s, s->states, 0, job->shifts[i], 0, 0);
}

static void walk(search_t *s)
{
    const rw_match_job *job = s->job;
    uint32_t at;

    begin(s);
    for (at = 0; at < job->target_length && !s->failed; at++) {
        const state_t *best;

        if (at % PRUNE_EVERY == 0)
            prune(s);
        reserve_nodes(s);
        best = best_state(s);
        if (at % RW_MATCH_NEAR == 0) {
            s->failed = job->told(job->user, at, best->shift, &s->near);
            if (s->failed)
                return;
        }
        s->past[at % PAST] = *best;
        if (job->base_length > 0
            && (best->run < SEARCH_SKIP || at % (best->run < RW_INDEX_REACH ? 16 : 128) == 0))
            look_around(s, at);
        if (best->shift == INSERT || best->run < 16)
            relax(s, at);
        pay(s, at);
    }
}

/* Whether a byte changed as the next two of its lane did, in the direction of `lane`. */
static int drifts(const rw_match_job *job, uint32_t at, uint32_t from, uint32_t lane)
{
    uint8_t change[3], i;

    for (i = 0; i < 3; i++, at += lane, from += lane)
        change[i] = (uint8_t)(job->masked_target[at] - job->masked_base[from]);
    return change[0] != 0 && are_alike(change[0], change[1]) && are_alike(change[0], change[2]);
}

/* Whether a byte at an end of a cover is better left out of it. */
static int is_waste(const rw_match_job *job, const rw_cover *c, int at_end)
{
    uint32_t at = c->target + (at_end ? c->length - 1 : 0), from = c->base + at - c->target;

    if (from >= job->base_length)
        return 1;
    if (byte_cost(job, at, from - at) != job->costs.miss)
        return 0;
    if (c->length <= 2 * LANES || c->base >= job->base_length
        || c->length > job->base_length - c->base)
        return 1;
    return !drifts(job, at, from, at_end ? 0u - LANES : LANES);
}

/* Takes misses off both ends of a cover and drops what is too short to pay. */
static int trim(const rw_match_job *job, rw_cover *c)
{
    while (c->length > 0 && is_waste(job, c, 0)) {
        c->base++;
        c->target++;
        c->length--;
    }
    while (c->length > 0 && is_waste(job, c, 1))
        c->length--;
    return c->length >= 4;
}

static int32_t collect(const search_t *s, rw_cover **covers)
{
    uint32_t node = best_state(s)->node, count = 0, end = s->job->target_length, i;
    rw_cover *list;

    for (i = node; i != NOBODY; i = s->nodes[i].parent)
        count++;
    list = malloc(sizeof(rw_cover) * (count + 1));
    if (list == 0)
        return RW_NO_MEMORY;
    for (i = count; node != NOBODY; node = s->nodes[node].parent) {
        const node_t *n = s->nodes + node;
        rw_cover c;

        c.target = n->start;
        c.length = end - n->start;
        c.base = n->start + n->shift;
        end = n->start;
        if (n->shift != INSERT && trim(s->job, &c))
            list[--i] = c;
    }
    memmove(list, list + i, sizeof(rw_cover) * (count - i));
    *covers = list;
    return (int32_t)(count - i);
}

int32_t rw_match(const rw_match_job *job, rw_cover **covers)
{
    search_t *s = calloc(1, sizeof *s);
    int32_t count = RW_NO_MEMORY;

    *covers = 0;
    if (s == 0)
        return RW_NO_MEMORY;
    s->job = job;
    if (rw_echo_begin(&s->echo, job->target, job->window_bits, job->index_bits)) {
        walk(s);
        count = s->failed != 0 ? s->failed : collect(s, covers);
    }
    rw_echo_free(&s->echo);
    free(s->nodes);
    free(s);
    return count;
}
