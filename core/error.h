/* An error with its text. Functions that can be handed bad input take a `struct error *err` as their last argument:
 * they return a negative errno and, where err is not NULL, write one line there that names the place and the cause.
 * The caller owns the struct; libraries never log. Any thread. */
#ifndef MEMAED_CORE_ERROR_H
#define MEMAED_CORE_ERROR_H

#include <stdarg.h>

struct error {
    char text[512];
};

/* Writes the text (cut where it is too long) and returns code, so that a failing function can end in
 * `return error_set(err, -EINVAL, "…", …);`. err may be NULL. */
int error_set(struct error *err, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Puts "PREFIX: " before the text that err holds; returns code. err may be NULL. */
int error_prefix(struct error *err, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
