#include <libavutil/log.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "io/base/redact.h"
#include "io/video/source.h"

/* FFmpeg logs pieces of lines; each thread puts its own together. */
struct line {
    char text[4096];
    size_t n;
    bool cut;
    int level;
    int print_prefix;
    char last[256];             /* the line given out last, to tell repeats by */
    int last_level;
    unsigned repeated;
};

static _Thread_local struct line line = {.print_prefix = 1};
static void (*_Atomic handler)(int priority, const char *text);

static int priority_of(int level)
{
    if (level <= AV_LOG_PANIC)
        return LOG_CRIT;
    if (level <= AV_LOG_ERROR)
        return LOG_ERR;
    if (level <= AV_LOG_WARNING)
        return LOG_WARNING;
    return level <= AV_LOG_INFO ? LOG_INFO : LOG_DEBUG;
}

static void give_line(void (*to)(int priority, const char *text))
{
    char text[4096];
    if (line.cut) {
        /* The last word goes: a URL cut before its '@' would not be known as one with a password. */
        while (line.n && line.text[line.n - 1] != ' ')
            line.n--;
    }
    while (line.n && (unsigned char)line.text[line.n - 1] <= ' ')
        line.n--;
    line.text[line.n] = 0;
    if (line.n) {
        redact(text, sizeof text, line.text);
        char head[sizeof line.last];
        snprintf(head, sizeof head, "%.*s", (int)sizeof head - 1, text);
        if (strcmp(head, line.last) == 0 && line.level == line.last_level) {
            line.repeated++;
        } else {
            if (line.repeated) {
                char note[64];
                snprintf(note, sizeof note, "(the line before came %u times more)", line.repeated);
                to(priority_of(line.last_level), note);
            }
            line.repeated = 0;
            line.last_level = line.level;
            memcpy(line.last, head, sizeof head);
            to(priority_of(line.level), text);
        }
    }
    line.n = 0;
    line.cut = false;
}

static void log_piece(void *context, int level, const char *format, va_list args)
{
    void (*to)(int, const char *) = atomic_load(&handler);
    level &= 0xff;              /* the rest is a tint */
    if (!to || level > av_log_get_level())
        return;
    if (!line.n)
        line.level = level;
    size_t room = sizeof line.text - line.n;
    int n = av_log_format_line2(context, level, format, args, line.text + line.n, (int)room, &line.print_prefix);
    if (n < 0)
        return;
    if ((size_t)n >= room) {
        line.n = sizeof line.text - 1;
        line.cut = true;
    } else {
        line.n += (size_t)n;
    }
    if (line.print_prefix)      /* set where the piece ended the line */
        give_line(to);
}

void source_set_log(void (*to)(int priority, const char *text))
{
    atomic_store(&handler, to);
    av_log_set_callback(log_piece);
}
