/* Structured log lines on standard error: `<N>event=… key=value …` with the journal's priorities where standard error is
 * the journal (JOURNAL_STREAM), with UTC time and level elsewhere. Values with blanks, quotes or control characters are
 * quoted and escaped; every value passes redact(). One write(2) a line; any thread. */
#ifndef MEMAED_DAEMON_BASE_LOG_H
#define MEMAED_DAEMON_BASE_LOG_H

#include <syslog.h>     /* LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG */

void log_open(int max_priority);

/* log_event(LOG_INFO, "camera_lost", "camera", name, "reason", text, NULL): key, value (both strings) …, NULL.
 * A NULL value is written as empty. */
void log_event(int priority, const char *event, ...) __attribute__((sentinel));

/* A line that has a form of its own (FILE:LINE:COLUMN: …): without time and keys. */
void log_line(int priority, const char *text);

/* A number as text for log_event, in a buffer of the caller's: log_event(…, "port", log_number(buf, port), NULL). */
struct log_number { char text[32]; };
const char *log_int(struct log_number *buf, long long value);
const char *log_real(struct log_number *buf, double value);

#endif
