#include "daemon/base/ffmpeg_log.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>

#include "daemon/base/log.h"
#include "io/base/clock.h"
#include "io/video/source.h"

static void log_named(int priority, const char *camera, const char *text)
{
    if (camera)
        log_event(priority, "ffmpeg", "camera", camera, "text", text, NULL);
    else
        log_event(priority, "ffmpeg", "text", text, NULL);
}

/* FFmpeg logs a line or more for each broken frame, so their number is limited. FFmpeg's errors are logged as warnings, because
 * they concern one camera. */
static void log_as_event(int priority, const char *camera, const char *text)
{
    enum { SECONDS = 10, LINES = 20 };
    static _Atomic int64_t period;
    static atomic_int lines;
    int64_t now = monotonic_us() / 1000000 / SECONDS, before = atomic_load(&period);
    if (now != before && atomic_compare_exchange_strong(&period, &before, now)) {
        int more = atomic_exchange(&lines, 0) - LINES;
        struct log_number number;
        if (more > 0)
            log_event(LOG_NOTICE, "ffmpeg_lines_left_out", "lines", log_int(&number, more), NULL);
    }
    if (priority < LOG_WARNING)
        priority = LOG_WARNING;
    if (priority == LOG_DEBUG || atomic_fetch_add(&lines, 1) < LINES)
        log_named(priority, camera, text);
}

static void log_as_line(int priority, const char *camera, const char *text)
{
    (void)camera;
    log_line(priority, text);
}

void ffmpeg_log_lines(void)
{
    source_set_log(log_as_line);
}

void ffmpeg_log_events(void)
{
    source_set_log(log_as_event);
}
