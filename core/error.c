#include "core/error.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

int error_set(struct error *err, int code, const char *format, ...)
{
    if (err) {
        va_list args;
        va_start(args, format);
        vsnprintf(err->text, sizeof err->text, format, args);
        va_end(args);
    }
    return code;
}

int error_prefix(struct error *err, int code, const char *format, ...)
{
    if (err) {
        char old[sizeof err->text];
        memcpy(old, err->text, sizeof old);
        va_list args;
        va_start(args, format);
        int n = vsnprintf(err->text, sizeof err->text, format, args);
        va_end(args);
        bool fits = n >= 0 && (size_t)n < sizeof err->text;
        if (fits && strncmp(old, err->text, (size_t)n) == 0 && old[n] == ':')
            memcpy(err->text, old, sizeof old);
        else if (fits)
            snprintf(err->text + n, sizeof err->text - (size_t)n, ": %s", old);
    }
    return code;
}
