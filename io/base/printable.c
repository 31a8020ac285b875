#include "io/base/printable.h"

/* Bytes of a well-formed character of UTF-8 at p; 0: it is none. Overlong forms and surrogates are left to the terminal. */
static size_t length_of(const unsigned char *p)
{
    size_t n = *p < 0x80 ? 1 : *p >= 0xc2 && *p < 0xe0 ? 2 : (*p & 0xf0) == 0xe0 ? 3 : *p >= 0xf0 && *p < 0xf5 ? 4 : 0;
    for (size_t i = 1; i < n; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    return n;
}

size_t printable_next(const char *text, bool *control)
{
    const unsigned char *p = (const unsigned char *)text;
    size_t n = length_of(p);
    *control = n == 0 || *p < ' ' || *p == 0x7f || (p[0] == 0xc2 && p[1] < 0xa0);
    return n > 0 ? n : 1;
}

void printable(char *text)
{
    bool control;
    for (size_t n; *text; text += n) {
        n = printable_next(text, &control);
        for (size_t i = 0; control && i < n; i++)
            text[i] = '?';
    }
}
