#include "daemon/measure/rows.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "io/base/redact.h"

const char rows_format_help[] = "csv: with a header (default). jsonl: one JSON object a line.";

const char *rows_formats(int i)
{
    static const char *const names[] = {[ROWS_CSV] = "csv", [ROWS_JSONL] = "jsonl", NULL};
    return names[i];
}

void rows_print_text(const char *text)
{
    if (!text[strcspn(text, ",\"\r\n")]) {
        fputs(text, stdout);
        return;
    }
    putchar('"');
    for (; *text; text++) {
        if (*text == '"')
            putchar('"');
        putchar(*text);
    }
    putchar('"');
}

json_t *rows_number(double x)
{
    return isfinite(x) ? json_real(x) : json_null();
}

int rows_end(struct error *err)
{
    putchar('\n');
    if (fflush(stdout) == 0 && !ferror(stdout))
        return 0;
    int r = errno ? -errno : -EIO;
    return error_set(err, r, "standard output: %s", strerror(-r));
}

int rows_print_object(json_t *row, int digits, struct error *err)
{
    size_t flags = JSON_COMPACT | JSON_REAL_PRECISION(digits);
    int r = row ? json_dumpf(row, stdout, flags) : -1;
    json_decref(row);
    if (r < 0 && !ferror(stdout))
        return error_set(err, -EILSEQ, "cannot write a row as JSON: the clip's name is not UTF-8, or out of memory");
    return rows_end(err);
}

void rows_say(const char *command, const char *kind, const char *input, const char *text)
{
    char shown[512];
    struct error err;
    redact(shown, sizeof shown, input);
    error_set(&err, 0, "%s", text);
    error_prefix(&err, 0, "%s", shown);
    fprintf(stderr, "memaed %s: %s%s\n", command, kind, err.text);
}
