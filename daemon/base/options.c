#include "daemon/base/options.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* strtol and strtod skip blanks first; a number on the command line begins with itself. */
static bool starts(const char *text)
{
    return *text && !isspace((unsigned char)*text);
}

int option_int(int *ret, const char *command, const char *option, const char *text, int min, int max)
{
    char *end;

    errno = 0;
    long value = strtol(text, &end, 10);
    if (!starts(text) || *end || errno || value < min || value > max) {
        fprintf(stderr, "memaed: %s: --%s: a whole number from %d to %d expected, '%s' found\n", command, option, min, max,
                text);
        return -EINVAL;
    }
    *ret = (int)value;
    return 0;
}

int option_real(double *ret, const char *command, const char *option, const char *text, double min, double max,
                bool open_min)
{
    char *end;
    double value = strtod(text, &end);

    if (!starts(text) || *end || !isfinite(value) || value < min || value > max || (open_min && value == min)) {
        fprintf(stderr, "memaed: %s: --%s: a number %s %g up to %g expected, '%s' found\n", command, option,
                open_min ? "above" : "from", min, max, text);
        return -EINVAL;
    }
    *ret = value;
    return 0;
}

int option_unknown(const char *command, int c, char **argv)
{
    /* optopt holds a long option's val, which says nothing to a reader; the word itself does. */
    const char *word = argv[optind - 1];

    return option_misuse(command, "%s: %s", word,
                         c == ':' ? "a value is missing" : "no such option, or a value that it doesn't take");
}

int option_misuse(const char *command, const char *format, ...)
{
    va_list args;

    fprintf(stderr, "memaed: %s: ", command);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "\nTry 'memaed %s --help'.\n", command);
    return 2;
}
