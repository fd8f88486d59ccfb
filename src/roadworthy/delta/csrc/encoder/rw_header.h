/* Writing the header of a patch. Encoder only: a decoder never makes one. */
#ifndef RW_HEADER_H
#define RW_HEADER_H

#include "rw_format.h"

/* Returns the size; `header->size` is not looked at. Fields out of range give a header that is
 * refused or that says something else. */
uint32_t rw_header_write(const rw_header *header, uint8_t bytes[RW_HEADER_MAX]);

#endif
