/* rw_decoder_run on hostile patches, in a workspace that has not a byte to spare. However the
 * patch is cut into pieces, the same bytes and the same status come out, and the base is read
 * no more often than work per byte allows. */
#include <stdlib.h>
#include <string.h>

#include "hostile.h"

enum { READS_PER_BYTE_MAX = 64 };

static int decode(hostile *h, uint32_t piece, uint8_t *out, uint32_t *made)
{
    uint32_t size = rw_workspace_size(&h->header);
    uint64_t bytes = 1 + (uint64_t)TARGET_MAX;
    void *workspace = malloc(size);
    int status;

    HOSTILE_CHECK(workspace != NULL && rw_decoder_begin(workspace, size) == RW_OK);
    h->reads = 0;
    status = hostile_run(h, workspace, 0, piece, out, made);
    bytes += h->header.flags & RW_FLAG_PRIMED ? h->base_length : 0;
    HOSTILE_CHECK(h->reads <= h->base_length / RW_LINE_SIZE + 1 + READS_PER_BYTE_MAX * bytes);
    free(workspace);
    return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t whole[TARGET_MAX], pieces[TARGET_MAX];
    uint32_t made, made_in_pieces;
    int status, status_in_pieces;
    hostile h;

    if (!hostile_open(&h, data, size))
        return 0;
    status = decode(&h, 0, whole, &made);
    status_in_pieces = decode(&h, 1 + h.seed % 200u, pieces, &made_in_pieces);
    HOSTILE_CHECK(status == status_in_pieces && made == made_in_pieces);
    HOSTILE_CHECK(memcmp(whole, pieces, made) == 0);
    hostile_free(&h);
    return 0;
}
