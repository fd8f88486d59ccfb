/* The container parser: any header is refused, or in range and written back as it was read. */
#include <string.h>

#include "encoder/rw_header.h"
#include "hostile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t bytes[RW_HEADER_MAX], again[RW_HEADER_MAX];
    uint32_t length = size < RW_HEADER_MAX ? (uint32_t)size : RW_HEADER_MAX;
    rw_header header;
    int status;

    if (length > 0)
        memcpy(bytes, data, length);
    status = rw_header_read(&header, bytes, length);
    HOSTILE_CHECK(header.size >= RW_HEADER_MIN && header.size <= RW_HEADER_MAX);
    HOSTILE_CHECK((status == RW_NEED_INPUT) == (header.size > length));
    if (!hostile_seal(bytes, length))
        return 0;
    status = rw_header_read(&header, bytes, header.size);
    HOSTILE_CHECK(status == rw_header_read(&header, bytes, length));
    if (status != RW_OK)
        return 0;
    HOSTILE_CHECK(rw_workspace_size(&header) >= RW_WORKSPACE_MIN);
    HOSTILE_CHECK(rw_workspace_size(&header) <= rw_class_size(header.ram_class));
    HOSTILE_CHECK(rw_header_write(&header, again) == header.size);
    HOSTILE_CHECK(memcmp(bytes, again, header.size) == 0);
    return 0;
}
