/* The header field Range (RFC 9110, section 14): which part of a file a client wants. Pure; text that anyone may have sent
 * (tests/fuzz/fuzz_ranges.c). Any thread. */
#ifndef MEMAED_WEB_FILES_RANGES_H
#define MEMAED_WEB_FILES_RANGES_H

#include <stdint.h>

enum web_range {
    WEB_RANGE_WHOLE,            /* the field is ignored: it is malformed, has another unit, or names several ranges */
    WEB_RANGE_PART,
    WEB_RANGE_OUTSIDE,          /* no byte of the file is in the range */
};

struct web_part {
    uint64_t first, size;       /* size >= 1; first + size is at most the file's size */
};

/* text is "bytes=0-99", "bytes=100-" or "bytes=-100" (the last 100), with one range. A range may end beyond the file. *ret is
 * written with WEB_RANGE_PART only. */
enum web_range web_parse_range(const char *text, uint64_t file_size, struct web_part *ret);

#endif
