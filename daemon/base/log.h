/* Structured log lines on standard error. If standard error is the journal (JOURNAL_STREAM), a line is `<N>event=…
 * key=value …` with the journal's priority N. Otherwise UTC time and level stand in place of <N>. Values with blanks,
 * quotes or control characters are quoted and escaped. Every value passes redact(). Each line is one write(2). Any thread. */
#ifndef MEMAED_DAEMON_BASE_LOG_H
#define MEMAED_DAEMON_BASE_LOG_H

#include <syslog.h>     /* LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG */

/* Finds out whether standard error is the journal, and sets the largest priority that is written (with LOG_INFO, no
 * LOG_DEBUG). Call once, first. */
void log_open(int max_priority);

/* log_event(LOG_INFO, "camera_lost", "camera", name, "reason", text, NULL): pairs of key and value, both strings, then NULL.
 * A value of NULL is written as empty. */
void log_event(int priority, const char *event, ...) __attribute__((sentinel));

/* Writes a line that has a form of its own (FILE:LINE:COLUMN: …), without time and keys, whatever its priority. */
void log_line(int priority, const char *text);

/* Numbers as text for log_event(), in a buffer of the caller's: log_event(…, "port", log_int(&buf, port), NULL). */
struct log_number { char text[32]; };
const char *log_int(struct log_number *buf, long long value);
const char *log_real(struct log_number *buf, double value);

#endif
