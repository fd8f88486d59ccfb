/* The container parser: any header is refused, or in range and written back as it was read. */
#include <string.h>

#include "hostile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t bytes[RW_HEADER_SIZE], again[RW_HEADER_SIZE], digest[32];
    rw_header header;
    rw_sha256 sha;

    if (size < RW_HEADER_SIZE)
        return 0;
    memcpy(bytes, data, RW_HEADER_SIZE);
    rw_header_read(&header, bytes);
    rw_sha256_init(&sha);
    rw_sha256_update(&sha, bytes, RW_HEADER_SIZE - 4);
    rw_sha256_digest(&sha, digest);
    memcpy(bytes + RW_HEADER_SIZE - 4, digest, 4);
    if (rw_header_read(&header, bytes) != RW_OK)
        return 0;
    HOSTILE_CHECK(rw_workspace_size(&header) >= RW_WORKSPACE_MIN);
    HOSTILE_CHECK(rw_workspace_size(&header) <= rw_class_size(header.ram_class));
    rw_header_write(&header, again);
    HOSTILE_CHECK(memcmp(bytes, again, RW_HEADER_SIZE) == 0);
    return 0;
}
