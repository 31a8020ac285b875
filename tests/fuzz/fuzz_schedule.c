/* libFuzzer target: schedules from any text (core/alerting/schedule.h), in a time zone that changes its clock once, by up to 2.5
 * hours.
 *
 * The first two bytes say when and how the clock changes, the rest is one span a line. Checked: a parsed span is in range. The
 * next change lies ahead. Just before it the schedule holds or not as now, and at it the other way round. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/alerting/schedule.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct clock {
    int64_t change_s;
    int before, after;
};

static int offset_of(void *context, int64_t utc_s)
{
    const struct clock *clock = context;
    return utc_s < clock->change_s ? clock->before : clock->after;
}

static void check(int holds)
{
    if (!holds)
        abort();
}

static void read_spans(struct schedule *schedule, const char *text)
{
    while (*text && schedule->n < SCHEDULE_SPANS_MAX) {
        char line[2 * SCHEDULE_SPAN_SIZE];
        size_t n = strcspn(text, "\n"), used = n < sizeof line ? n : sizeof line - 1;
        memcpy(line, text, used);
        line[used] = '\0';
        struct schedule_span span;
        struct error err;
        if (schedule_parse(&span, line, &err) == 0) {
            check(span.days > 0 && span.days < 128 && span.from_min >= 0 && span.from_min < span.to_min && span.to_min <= 2880);
            schedule->spans[schedule->n++] = span;
        }
        text += n + (text[n] == '\n');
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char text[512];
    struct schedule schedule = {0};
    if (size < 2 || size - 2 >= sizeof text)
        return 0;
    struct clock clock = {.change_s = 1774137600 + 3600 * (int64_t)data[0], .before = ((int)data[1] % 25 - 11) * 3600};
    clock.after = clock.before + ((int)data[1] / 25 - 5) * 1800;
    struct schedule_place place = {offset_of, &clock};
    memcpy(text, data + 2, size - 2);
    text[size - 2] = '\0';
    read_spans(&schedule, text);
    for (int i = 0; i < 12; i++) {
        int64_t at = 1774137600 - 86400 + 41399 * i, next = schedule_next(&schedule, &place, at);
        check(next > at);
        int holds = schedule_holds(&schedule, &place, at);
        if (next == INT64_MAX)
            continue;
        check(schedule_holds(&schedule, &place, next) != holds);
        check(schedule_holds(&schedule, &place, next - 1) == holds);
        check(schedule_holds(&schedule, &place, at + (next - at) / 2) == holds);
    }
    return 0;
}
