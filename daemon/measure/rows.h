/* Rows of a measurement on standard output: CSV (RFC 4180), or one JSON object a line. Each row is flushed, so that rows of a
 * live input come as they are made, and Ctrl-C loses none. One thread. */
#ifndef MEMAED_DAEMON_MEASURE_ROWS_H
#define MEMAED_DAEMON_MEASURE_ROWS_H

#include <jansson.h>

#include "core/error.h"

enum rows_format { ROWS_CSV, ROWS_JSONL };

/* The names for tables of options: "csv", "jsonl". */
const char *rows_formats(int i);
extern const char rows_format_help[];

/* Prints a field of CSV, quoted if RFC 4180 requires it. */
void rows_print_text(const char *text);

/* JSON has no infinity and no NAN: null is returned for them. */
json_t *rows_number(double x);

/* Ends a row with a line feed and flushes it. An error names standard output. */
int rows_end(struct error *err);

/* Prints an object with this many significant digits, and ends the row. Takes the reference. row NULL: it could not be made. */
int rows_print_object(json_t *row, int digits, struct error *err);

/* Prints a message about an input to standard error, secrets redacted. kind: "", or "warning: ". */
void rows_say(const char *command, const char *kind, const char *input, const char *text);

#endif
