/* An error with its text. A function that can receive bad input takes a `struct error *err` as its last argument. On failure
 * it returns a negative errno and, if err is not NULL, writes one line there that names the place and the cause.
 * The caller owns the struct; libraries never log. Any thread. */
#ifndef MEMAED_CORE_ERROR_H
#define MEMAED_CORE_ERROR_H

#include <stdarg.h>

struct error {
    char text[512];
};

/* Writes the text, cut to the size of err->text, and returns code. A failing function can so end in
 * `return error_set(err, -EINVAL, "…", …);`. err may be NULL. */
int error_set(struct error *err, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Puts "PREFIX: " before the text in err, unless the text begins with it, so that no message names a file twice. Returns
 * code. err may be NULL. */
int error_prefix(struct error *err, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
