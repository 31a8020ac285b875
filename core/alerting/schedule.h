/* A weekly schedule says when a camera is armed, by spans in the local time of a place.
 *
 * A span is a text with days, times, or both: "mon-fri 18:00-07:00", "sat,sun", "22:00-06:00". Without days it begins on every
 * day; without times it lasts the whole day. A time is HH:MM, from 00:00 to 24:00. A span begins on each of its days. It ends on
 * the next day if its end is not after its beginning.
 *
 * Daylight saving: a span begins and ends when the clock of the place shows its times. If that clock is set back and shows a
 * time twice, a span begins at the first and ends at the second. If the clock is set forward past a time, that time counts as
 * the moment of the change.
 *
 * Pure; any thread. The caller says how far local time is from UTC. */
#ifndef MEMAED_CORE_ALERTING_SCHEDULE_H
#define MEMAED_CORE_ALERTING_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/error.h"

enum { SCHEDULE_SPANS_MAX = 32, SCHEDULE_SPAN_SIZE = 64 };

struct schedule_span {
    unsigned char days;         /* bit 0: Monday … bit 6: Sunday */
    short from_min, to_min;     /* minutes after the midnight at which the day begins; 0 <= from < to <= 2880 */
};

struct schedule {
    int n;                      /* 0: never armed */
    struct schedule_span spans[SCHEDULE_SPANS_MAX];
};

/* The local time of a place: seconds to add to UTC, at the moment utc_s (since 1970). Offsets are within a day, and change at
 * most once in two days. */
struct schedule_place {
    int (*offset_s)(void *context, int64_t utc_s);
    void *context;
};

/* Reads one span. 0; or -EINVAL, *ret untouched: err says what is expected, and which part of the text is wrong. */
int schedule_parse(struct schedule_span *ret, const char *text, struct error *err);

/* Returns true if a span lasts at the moment utc_s. */
bool schedule_holds(const struct schedule *schedule, const struct schedule_place *place, int64_t utc_s);
/* The first moment after utc_s at which schedule_holds() gives something else; INT64_MAX: it never changes. */
int64_t schedule_next(const struct schedule *schedule, const struct schedule_place *place, int64_t utc_s);

#endif
