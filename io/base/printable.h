/* Makes text from outside fit for a log or a terminal. Control characters are those of C0 (below a blank), DEL, and those of C1
 * (U+0080 to U+009F), which some terminals obey. Bytes that are not UTF-8 count as well: a terminal of 8 bits may take them for
 * C1. Pure, any thread. */
#ifndef MEMAED_IO_BASE_PRINTABLE_H
#define MEMAED_IO_BASE_PRINTABLE_H

#include <stdbool.h>
#include <stddef.h>

/* The bytes of the character at text, 1 to 4; text is not empty. *control: it is a control character. */
size_t printable_next(const char *text, bool *control);

/* Replaces each byte of a control character by '?', in place. */
void printable(char *text);

#endif
