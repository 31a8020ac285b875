/* A log of alerts for tests, and a sink that keeps each alert as the store would, in the order of openings and closings. The sink
 * also takes events, because openings and closings come with their events. */
#ifndef MEMAED_TESTS_DAEMON_WATCH_ALERTS_KEPT_H
#define MEMAED_TESTS_DAEMON_WATCH_ALERTS_KEPT_H

#include <check.h>
#include <pthread.h>

#include "daemon/watch/alertlog.h"
#include "daemon/watch/events.h"

enum { KEPT_MAX = 1024 };

struct kept {
    pthread_mutex_t mutex;
    struct alert_record alerts[KEPT_MAX];
    size_t n;
    uint64_t next_entry;
    uint64_t scores;            /* the number of scores taken */
};

static struct kept kept = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static inline void kept_peak(void *arg, const struct alert_record *alert)
{
    (void)arg;
    pthread_mutex_lock(&kept.mutex);
    for (size_t i = 0; i < kept.n; i++)
        if (kept.alerts[i].id == alert->id) {
            uint64_t entry = kept.alerts[i].entry;
            ck_assert_int_eq(kept.alerts[i].closed_us, 0);
            kept.alerts[i] = *alert;
            kept.alerts[i].entry = entry;
        }
    pthread_mutex_unlock(&kept.mutex);
}

static inline void kept_score(void *arg, const char *camera, const struct score_record *score)
{
    (void)arg, (void)camera, (void)score;
    pthread_mutex_lock(&kept.mutex);
    kept.scores++;
    pthread_mutex_unlock(&kept.mutex);
}

static inline void kept_put(void *arg, const struct alert_record *alert)
{
    (void)arg;
    pthread_mutex_lock(&kept.mutex);
    size_t i = 0;
    while (i < kept.n && kept.alerts[i].id != alert->id)
        i++;
    if (i < kept.n)             /* an alert that is kept already moves to the end */
        for (kept.n--; i < kept.n; i++)
            kept.alerts[i] = kept.alerts[i + 1];
    if (kept.n < KEPT_MAX) {
        kept.alerts[kept.n] = *alert;
        kept.alerts[kept.n++].entry = kept.next_entry++;
    }
    pthread_mutex_unlock(&kept.mutex);
}

static inline int kept_event(void *arg, const struct event *event)
{
    if (event->alert)
        kept_put(arg, event->alert);
    return 0;
}

/* Opens both; the first sink of events keeps alerts. */
static inline void kept_open(struct alertlog **alerts, struct events **events)
{
    kept.n = kept.next_entry = kept.scores = 0;
    const struct alertlog_sink sink = {.peak = kept_peak, .untold = kept_put, .score = kept_score};
    ck_assert_int_eq(alertlog_open(alerts, 0, &sink), 0);
    ck_assert_int_eq(events_open(events), 0);
    ck_assert_int_eq(events_add(*events, (struct event_sink){.take = kept_event}), 0);
}

/* Copies what is kept into ret [KEPT_MAX]. */
static inline size_t kept_read(struct alert_record *ret)
{
    pthread_mutex_lock(&kept.mutex);
    size_t n = kept.n;
    for (size_t i = 0; i < n; i++)
        ret[i] = kept.alerts[i];
    pthread_mutex_unlock(&kept.mutex);
    return n;
}

#endif
