/* rw_apply with callbacks that fail, give little or give nothing, as a script says, and a
 * machine that starts again from its last journal. RW_DONE only ever stands for the target.
 *
 *   offset size
 *        0    1 length of the script
 *        1      script: one byte for every call
 *           ... as in hostile.h
 */
#include <stdlib.h>
#include <string.h>

#include "hostile.h"

enum { FAILS = 0xff, BOOTS = 12 };

typedef struct {
    hostile *h;
    const uint8_t *script;
    uint32_t script_length;
    uint8_t target[TARGET_MAX];
    uint8_t *journal;
    uint32_t journal_size;
} machine;

/* What the script says of this call; 0, all goes well, when it is at its end. */
static uint8_t say(machine *m)
{
    if (m->script_length == 0)
        return 0;
    m->script_length--;
    return *m->script++;
}

static int read_base(void *user, uint32_t offset, uint8_t *out, uint32_t length)
{
    machine *m = user;

    return hostile_read(m->h, offset, out, length) != 0 || say(m) == FAILS;
}

static int32_t read_patch(void *user, uint32_t offset, uint8_t *out, uint32_t length)
{
    machine *m = user;
    uint8_t said = say(m);

    if (said == FAILS)
        return -1;
    if (offset >= m->h->length)
        return 0;
    if (length > m->h->length - offset)
        length = m->h->length - offset;
    if (said > 0 && length > said % 8u)
        length = said % 8u;
    memcpy(out, m->h->patch + offset, length);
    return (int32_t)length;
}

static int write_target(void *user, uint32_t offset, const uint8_t *data, uint32_t length)
{
    machine *m = user;

    HOSTILE_CHECK(offset <= TARGET_MAX && length <= TARGET_MAX - offset);
    HOSTILE_CHECK(length > 0 && offset % RW_PAGE + length <= RW_PAGE);
    if (say(m) == FAILS)
        return -1;
    memcpy(m->target + offset, data, length);
    return 0;
}

static int write_journal(void *user, const uint8_t *state, uint32_t length)
{
    machine *m = user;

    if (say(m) == FAILS)
        return -1;
    HOSTILE_CHECK(length <= rw_workspace_size(&m->h->header));
    memcpy(m->journal, state, length);
    m->journal_size = length;
    return 0;
}

static int boot(machine *m, uint8_t *workspace, uint32_t size)
{
    rw_io io = {m, read_base, read_patch, write_target, write_journal};
    int status;

    if (m->journal_size == 0) {
        status = rw_decoder_begin(workspace, size);
    } else {
        memcpy(workspace, m->journal, m->journal_size);
        status = rw_decoder_resume(workspace, size, m->journal_size);
    }
    HOSTILE_CHECK(status == RW_OK);
    do
        status = rw_apply(workspace, &io);
    while (status == RW_MOVE || (status == RW_NEED_INPUT && m->script_length > 0));
    return status == RW_CALLBACK && say(m) % 2 ? rw_apply(workspace, &io) : status;
}

static void check_target(const machine *m)
{
    uint8_t digest[32];

    rw_sha256_of(m->target, m->h->header.target_length, digest);
    HOSTILE_CHECK(memcmp(digest, m->h->header.target_sha256, m->h->header.hash_bytes) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static machine m;
    uint32_t boots, workspace_size;
    uint8_t *workspace;
    int status = RW_CALLBACK;
    hostile h;

    if (size < 1 || size < 1u + data[0]
        || !hostile_open(&h, data + 1 + data[0], size - 1 - data[0]))
        return 0;
    hostile_hash_is_right = 0;
    workspace_size = rw_workspace_size(&h.header);
    memset(&m, 0, sizeof m);
    m.h = &h;
    m.script = data + 1;
    m.script_length = data[0];
    m.journal = malloc(workspace_size);
    workspace = malloc(workspace_size);
    HOSTILE_CHECK(m.journal != NULL && workspace != NULL);
    for (boots = 0; boots < BOOTS && status == RW_CALLBACK; boots++)
        status = boot(&m, workspace, workspace_size);
    if (status == RW_DONE)
        check_target(&m);
    free(workspace);
    free(m.journal);
    hostile_free(&h);
    return 0;
}
