#include "daemon/base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/utc.h"
#include "io/base/clock.h"
#include "io/base/printable.h"
#include "io/base/redact.h"

enum { MAX_LINE = 4096, MAX_VALUE = 1024 };

static atomic_int max_priority = LOG_INFO;
static atomic_bool journal;

struct line {
    char text[MAX_LINE];
    size_t n;
};

/* JOURNAL_STREAM names the journal's socket. Standard error may have been redirected since it was set. */
static bool stderr_is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    unsigned long long device, inode;
    struct stat st;
    return stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 && fstat(STDERR_FILENO, &st) == 0 &&
           st.st_dev == device && st.st_ino == inode;
}

void log_open(int priority)
{
    atomic_store(&max_priority, priority);
    atomic_store(&journal, stderr_is_journal());
}

/* Keeps one byte free for the end of the line. */
static void put(struct line *line, const char *text, size_t n)
{
    size_t room = sizeof line->text - 1 - line->n;
    n = n < room ? n : room;
    memcpy(line->text + line->n, text, n);
    line->n += n;
}

static void put_text(struct line *line, const char *text)
{
    put(line, text, strlen(text));
}

static bool needs_quotes(const char *value)
{
    bool control;
    for (size_t n; *value; value += n) {
        n = printable_next(value, &control);
        if (control || *value == ' ' || *value == '"' || *value == '\\')
            return true;
    }
    return false;
}

static void put_value(struct line *line, const char *value)
{
    char safe[MAX_VALUE];
    redact(safe, sizeof safe, value);
    if (!needs_quotes(safe)) {
        put_text(line, safe);
        return;
    }
    put_text(line, "\"");
    bool control;
    for (size_t at = 0, n; safe[at]; at += n) {
        char escaped[8];
        n = printable_next(safe + at, &control);
        if (safe[at] == '\n')
            put_text(line, "\\n");
        else if (safe[at] == '"' || safe[at] == '\\')
            put_text(line, safe[at] == '"' ? "\\\"" : "\\\\");
        else if (!control)
            put(line, safe + at, n);
        else
            for (size_t i = 0; i < n; i++) {
                snprintf(escaped, sizeof escaped, "\\x%02x", (unsigned char)safe[at + i]);
                put_text(line, escaped);
            }
    }
    put_text(line, "\"");
}

static void put_head(struct line *line, int priority)
{
    static const char *const levels[] = {"emerg", "alert", "crit", "error", "warning", "notice", "info", "debug"};
    char text[64];
    if (atomic_load(&journal)) {
        snprintf(text, sizeof text, "<%d>", priority);
    } else {
        char now[UTC_SIZE];
        utc_format(now, utc_us());
        snprintf(text, sizeof text, "%s %s ", now, levels[priority]);
    }
    put_text(line, text);
}

/* A line that cannot be written is lost: there is no other place to report that. */
static void end_line(struct line *line)
{
    int saved = errno;
    line->text[line->n++] = '\n';
    ssize_t r = write(STDERR_FILENO, line->text, line->n);
    (void)r;
    errno = saved;
}

void log_event(int priority, const char *event, ...)
{
    priority = priority < LOG_EMERG ? LOG_EMERG : priority > LOG_DEBUG ? LOG_DEBUG : priority;
    if (priority > atomic_load(&max_priority))
        return;
    struct line line = {.n = 0};
    put_head(&line, priority);
    put_text(&line, "event=");
    put_value(&line, event);
    va_list args;
    va_start(args, event);
    for (const char *key; (key = va_arg(args, const char *));) {
        const char *value = va_arg(args, const char *);
        put_text(&line, " ");
        put_text(&line, key);
        put_text(&line, "=");
        put_value(&line, value ? value : "");
    }
    va_end(args);
    end_line(&line);
}

void log_line(int priority, const char *text)
{
    char safe[MAX_VALUE];
    redact(safe, sizeof safe, text);
    struct line line = {.n = 0};
    if (atomic_load(&journal))
        put_head(&line, priority);
    put_text(&line, safe);
    end_line(&line);
}

const char *log_int(struct log_number *buf, long long value)
{
    snprintf(buf->text, sizeof buf->text, "%lld", value);
    return buf->text;
}

const char *log_real(struct log_number *buf, double value)
{
    snprintf(buf->text, sizeof buf->text, "%.6g", value);
    return buf->text;
}
