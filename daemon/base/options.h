/* Values of options on the command line. Each writes what is wrong, as "memaed: COMMAND: --OPTION: …", to standard error
 * and returns -EINVAL, with *ret untouched, or returns 0. Main's thread. */
#ifndef MEMAED_DAEMON_BASE_OPTIONS_H
#define MEMAED_DAEMON_BASE_OPTIONS_H

#include <stdbool.h>

/* A whole number, min … max. */
int option_int(int *ret, const char *command, const char *option, const char *text, int min, int max);
/* A finite number, min … max; above min where open_min. */
int option_real(double *ret, const char *command, const char *option, const char *text, double min, double max,
                bool open_min);

/* What getopt_long() returned c (':' or '?', with a ':' first in its short options) for. Returns 2, the exit status of
 * wrong usage. */
int option_unknown(const char *command, int c, char **argv);
/* Any other wrong usage: "memaed: COMMAND: TEXT", and where help is. Returns 2. */
int option_misuse(const char *command, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
