/* rw_encode and back: any two images come out as they went in, in every class and for every
 * instruction set. The only target that runs the encoder.
 *
 *   offset size
 *        0    1 RAM class, instruction set
 *        1    1 step size, back end, bit 7: in place; also the seed of the pieces
 *        2    2 length of the base
 *        4      base, then target
 */
#include <stdlib.h>
#include <string.h>

#include "hostile.h"
#include "rw_encode.h"

enum { IMAGE_MAX = 8192 };

static void check(hostile *h, const uint8_t *target, uint32_t target_length)
{
    static uint8_t out[TARGET_MAX];
    uint32_t size = rw_workspace_size(&h->header), made;
    void *workspace = malloc(size);

    HOSTILE_CHECK(workspace != NULL && rw_decoder_begin(workspace, size) == RW_OK);
    HOSTILE_CHECK(hostile_run(h, workspace, 0, 1 + h->seed, out, &made) == RW_DONE);
    HOSTILE_CHECK(made == target_length && memcmp(out, target, made) == 0);
    free(workspace);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rw_encode_job job = {0};
    hostile h = {0};

    if (size < 4 || size > 2 * IMAGE_MAX)
        return 0;
    h.seed = data[1];
    h.base = job.base = data + 4;
    h.base_length = job.base_length = (uint32_t)(data[2] | data[3] << 8);
    if (job.base_length > size - 4)
        return 0;
    job.target = job.base + job.base_length;
    job.target_length = (uint32_t)size - 4 - job.base_length;
    job.ram_class = data[0] % RW_RAM_CLASSES;
    job.arch = data[0] / RW_RAM_CLASSES % (RW_ARCH_LAST + 2);
    if (job.arch > RW_ARCH_LAST)
        job.arch = RW_ARCH_AUTO;
    job.step_bits = 12 + data[1] % 4;
    job.memory = data[1] >> 6 & 1; /* too little for all: a thin index, in windows */
    job.backend = data[1] / 4 % (RW_BACKEND_FAST + 1);
    if (data[1] & 0x80)
        job.region_length = (((uint32_t)size >> job.step_bits) + 2) << job.step_bits;
    HOSTILE_CHECK(rw_encode(&job, &h.patch, &h.length) == RW_OK);
    HOSTILE_CHECK(rw_header_read(&h.header, h.patch, h.length) == RW_OK);
    check(&h, job.target, job.target_length);
    hostile_free(&h);
    return 0;
}
