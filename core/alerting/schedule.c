#include "core/alerting/schedule.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

/* schedule_next() looks ahead this far. A change of the clock may leave a span out of one week, but not out of two. */
enum { DAY_MIN = 1440, ALL_DAYS = 127, HORIZON_DAYS = 16 };
static const int64_t DAY_S = 86400;

/* ---- text ------------------------------------------------------------------------------------------------------------- */

static const char *const day_names[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};

static const char *skip_blanks(const char *text)
{
    return text + strspn(text, " ");
}

/* Reads a day and moves *text behind it. Returns the day, or -1 if none is there. */
static int take_day(const char **text)
{
    for (int i = 0; i < 7; i++)
        if (strncasecmp(*text, day_names[i], 3) == 0) {
            *text += 3;
            return i;
        }
    return -1;
}

/* Reads days such as "mon-fri" or "sat,sun". Returns their bits; 0: the text there is no list of days. */
static unsigned take_days(const char **text)
{
    unsigned days = 0;
    do {
        *text = skip_blanks(*text + (days != 0));       /* past the comma */
        int first = take_day(text), last = first;
        if (first >= 0 && **text == '-') {
            ++*text;
            last = take_day(text);
        }
        if (first < 0 || last < 0)
            return 0;
        for (int day = first;; day = (day + 1) % 7) {
            days |= 1u << day;
            if (day == last)
                break;
        }
    } while (*skip_blanks(*text) == ',' && (*text = skip_blanks(*text)));
    return days;
}

static int take_two_digits(const char **text)
{
    const char *at = *text;
    if (at[0] < '0' || at[0] > '9' || at[1] < '0' || at[1] > '9')
        return -1;
    *text += 2;
    return 10 * (at[0] - '0') + at[1] - '0';
}

/* Minutes after midnight; -1: no time is there. */
static int take_time(const char **text)
{
    int hours = take_two_digits(text);
    if (hours < 0 || *(*text)++ != ':')
        return -1;
    int minutes = take_two_digits(text);
    return minutes < 0 || minutes > 59 || 60 * hours + minutes > DAY_MIN ? -1 : 60 * hours + minutes;
}

static bool take_times(const char **text, struct schedule_span *span)
{
    int from = take_time(text);
    if (from < 0 || from == DAY_MIN || *(*text)++ != '-')
        return false;
    int to = take_time(text);
    if (to < 0)
        return false;
    span->from_min = (short)from;
    span->to_min = (short)(to > from ? to : to + DAY_MIN);
    return true;
}

int schedule_parse(struct schedule_span *ret, const char *text, struct error *err)
{
    static const char expected[] = "expected days and times such as \"mon-fri 18:00-07:00\", \"sat,sun\" or \"22:00-06:00\"";
    struct schedule_span span = {.days = ALL_DAYS, .to_min = DAY_MIN};
    const char *at = skip_blanks(text);
    if (strlen(text) >= SCHEDULE_SPAN_SIZE)
        return error_set(err, -EINVAL, "%s, got a longer text", expected);
    if (*at == '\0')
        return error_set(err, -EINVAL, "%s, got none", expected);
    if (*at < '0' || *at > '9') {
        unsigned days = take_days(&at);
        if (days == 0)
            return error_set(err, -EINVAL, "%s, got a day that is not mon, tue, wed, thu, fri, sat or sun", expected);
        span.days = (unsigned char)days;
        if (*at != ' ' && *at != '\0')
            return error_set(err, -EINVAL, "%s, got more behind the days", expected);
        at = skip_blanks(at);
    }
    if (*at != '\0' && !take_times(&at, &span))
        return error_set(err, -EINVAL, "%s, got a time that is not HH:MM-HH:MM from 00:00 to 24:00", expected);
    if (*skip_blanks(at) != '\0')
        return error_set(err, -EINVAL, "%s, got more behind the times", expected);
    *ret = span;
    return 0;
}

/* ---- times ------------------------------------------------------------------------------------------------------------ */

static int64_t offset_at(const struct schedule_place *place, int64_t utc_s)
{
    return place->offset_s(place->context, utc_s);
}

/* Returns the moment between two others at which the clock is set to offset_after. */
static int64_t find_change(const struct schedule_place *place, int64_t before_s, int64_t after_s, int64_t offset_after)
{
    while (after_s - before_s > 1) {
        int64_t middle = before_s + (after_s - before_s) / 2;
        if (offset_at(place, middle) == offset_after)
            after_s = middle;
        else
            before_s = middle;
    }
    return after_s;
}

/* Returns the moment at which the clock of the place shows local_s, in seconds as if local time were UTC. If the clock shows it
 * twice, `later` asks for the second moment. If the clock skips it, the moment of the change is returned. */
static int64_t moment_of(const struct schedule_place *place, int64_t local_s, bool later)
{
    int64_t before = offset_at(place, local_s - DAY_S), after = offset_at(place, local_s + DAY_S);
    if (before == after)
        return local_s - before;
    int64_t first = local_s - before, second = local_s - after;         /* by the clock before the change, and by that after it */
    bool first_is = offset_at(place, first) == before, second_is = offset_at(place, second) == after;
    if (first_is && second_is)
        return later ? second : first;
    if (first_is || second_is)
        return first_is ? first : second;
    return find_change(place, local_s - DAY_S, local_s + DAY_S, after);
}

static int64_t floor_days(int64_t s)
{
    return s >= 0 ? s / DAY_S : -((-s + DAY_S - 1) / DAY_S);
}

/* Returns true if the span begins on the day, counted from 1970-01-01, a Thursday. */
static bool begins_on(const struct schedule_span *span, int64_t day)
{
    return span->days >> ((day % 7 + 7 + 3) % 7) & 1;
}

static int64_t beginning(const struct schedule_place *place, const struct schedule_span *span, int64_t day)
{
    return moment_of(place, day * DAY_S + 60 * span->from_min, false);
}

static int64_t ending(const struct schedule_place *place, const struct schedule_span *span, int64_t day)
{
    return moment_of(place, day * DAY_S + 60 * span->to_min, true);
}

bool schedule_holds(const struct schedule *schedule, const struct schedule_place *place, int64_t utc_s)
{
    int64_t today = floor_days(utc_s + offset_at(place, utc_s));
    for (int i = 0; i < schedule->n; i++) {
        const struct schedule_span *span = &schedule->spans[i];
        /* The day after today counts, too: if the clock is set back at midnight, that day has begun once already. */
        for (int64_t day = today - 2; day <= today + 1; day++)
            if (begins_on(span, day) && utc_s >= beginning(place, span, day) && utc_s < ending(place, span, day))
                return true;
    }
    return false;
}

/* Returns the first beginning or end of a span after a moment, within HORIZON_DAYS; INT64_MAX: there is none. */
static int64_t next_border(const struct schedule *schedule, const struct schedule_place *place, int64_t utc_s)
{
    int64_t today = floor_days(utc_s + offset_at(place, utc_s)), found = INT64_MAX;
    for (int i = 0; i < schedule->n; i++) {
        const struct schedule_span *span = &schedule->spans[i];
        for (int64_t day = today - 3; day <= today + HORIZON_DAYS; day++) {
            if (!begins_on(span, day))
                continue;
            int64_t borders[] = {beginning(place, span, day), ending(place, span, day)};
            for (int b = 0; b < 2; b++)
                if (borders[b] > utc_s && borders[b] < found)
                    found = borders[b];
        }
    }
    return found;
}

int64_t schedule_next(const struct schedule *schedule, const struct schedule_place *place, int64_t utc_s)
{
    bool holds = schedule_holds(schedule, place, utc_s);
    for (int64_t at = next_border(schedule, place, utc_s); at != INT64_MAX && at - utc_s < HORIZON_DAYS * DAY_S;
         at = next_border(schedule, place, at))
        if (schedule_holds(schedule, place, at) != holds)
            return at;
    return INT64_MAX;
}
