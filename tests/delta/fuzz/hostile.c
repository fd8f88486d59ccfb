#include "hostile.h"

#include "encoder/rw_header.h"

#include <stdlib.h>
#include <string.h>

int hostile_hash_is_right;

int __real_rw_code_hash(rw_view *view);
int __wrap_rw_code_hash(rw_view *view);

/* Read and used up as ever; the outcome is what the target asks for. */
int __wrap_rw_code_hash(rw_view *view)
{
    return __real_rw_code_hash(view) | hostile_hash_is_right;
}

uint32_t hostile_seal(uint8_t *bytes, uint32_t length)
{
    uint8_t digest[32];
    rw_header header;
    uint32_t size;

    if (rw_header_read(&header, bytes, length) == RW_NEED_INPUT)
        return 0;
    size = rw_check_size(&header);
    rw_sha256_of(bytes, header.size - size, digest);
    memcpy(bytes + header.size - size, digest, size);
    return header.size;
}

/* Copies what the input holds, with its header put right; returns 0 where that is none. */
static int repair_header(hostile *h, const uint8_t *bytes, uint32_t length)
{
    uint8_t head[RW_HEADER_MAX], digest[32];
    uint32_t read = length < RW_HEADER_MAX ? length : RW_HEADER_MAX;

    memcpy(head, bytes, read);
    if (hostile_seal(head, read) == 0 || rw_header_read(&h->header, head, read) != RW_OK)
        return 0;
    read = h->header.size;
    h->header.base_length = h->base_length;
    rw_sha256_of(h->base, h->base_length, digest);
    memcpy(h->header.base_sha256, digest, h->header.hash_bytes);
    if (h->header.target_length > TARGET_MAX)
        h->header.target_length %= TARGET_MAX;
    if (h->control & HOSTILE_TRIMMED)
        h->header.payload_length = length - read;
    h->length = rw_header_write(&h->header, h->patch) + length - read;
    memcpy(h->patch + h->length - (length - read), bytes + read, length - read);
    return rw_header_read(&h->header, h->patch, h->length) == RW_OK;
}

int hostile_open(hostile *h, const uint8_t *data, size_t size)
{
    uint32_t length;

    memset(h, 0, sizeof *h);
    if (size < 4 + RW_HEADER_MIN || size > 1 << 17)
        return 0;
    h->control = data[0];
    h->seed = data[1];
    h->base_length = (uint32_t)(data[2] | data[3] << 8);
    if (h->base_length > size - 4 - RW_HEADER_MIN)
        return 0;
    h->base = data + 4;
    length = (uint32_t)size - 4 - h->base_length;
    h->patch = malloc(RW_HEADER_MAX + length);
    HOSTILE_CHECK(h->patch != NULL);
    hostile_hash_is_right = (h->control & HOSTILE_UNHASHED) != 0;
    if (repair_header(h, h->base + h->base_length, length))
        return 1;
    hostile_free(h);
    return 0;
}

void hostile_free(hostile *h)
{
    free(h->patch);
    h->patch = NULL;
}

int hostile_read(void *user, uint32_t offset, uint8_t *out, uint32_t length)
{
    hostile *h = user;

    if (offset > h->base_length || length > h->base_length - offset) {
        HOSTILE_CHECK(h->header_is_damaged);
        return 1;
    }
    memcpy(out, h->base + offset, length);
    h->reads++;
    return 0;
}

uint32_t hostile_next(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

int hostile_run(hostile *h, void *workspace, uint32_t fed, uint32_t piece, uint8_t *out,
                uint32_t *made)
{
    rw_source source = {h, hostile_read};
    uint32_t state = h->seed, total = h->header.size + h->header.payload_length;
    int status;

    if (total > h->length)
        total = h->length;
    for (*made = 0;;) {
        uint32_t given = piece == 0 ? total : 1 + hostile_next(&state) % piece;
        uint32_t room = TARGET_MAX - *made, asked;

        given = fed > total ? 0 : given < total - fed ? given : total - fed;
        room = asked = piece == 0 || room == 0 ? room : 1 + hostile_next(&state) % room;
        status = rw_decoder_run(workspace, &source, h->patch + (fed < total ? fed : total), &given,
                                out + *made, &room);
        HOSTILE_CHECK(room <= asked);
        fed += given;
        *made += room;
        if (status < 0 || status == RW_DONE)
            return status;
        if ((status == RW_NEED_INPUT && fed >= total) || *made == TARGET_MAX)
            return status;
    }
}
