/* Webhooks by the Standard Webhooks specification, through libcurl: a POST of JSON with three headers. webhook-id is the same
 * for every attempt. webhook-timestamp and webhook-signature (HMAC-SHA256 over "id.timestamp.body") are new for each attempt. A
 * second signature by the old secret is added while secrets rotate.
 *
 * One thread, "webhook", delivers out of an outbox (io/sinks/outbox.h), in the order of the entries of each endpoint. Each
 * endpoint has its own back-off, so a dead endpoint delays no other. The back-off is exponential with full jitter; its ceiling
 * grows from 1 s to 5 min. Retry-After of 429 and 503, in seconds or as a date, is obeyed up to an hour. Delivery is at least
 * once: any 2xx counts as delivered. Everything else, redirects included, is tried again.
 *
 * An entry becomes a dead letter when its attempt fails and it is as old as the endpoint's give_up_h. At a disabled endpoint, its
 * age alone makes it one. An endpoint that answers 410 is disabled. Nothing is sent to it until a reload changes it, the next
 * start finds another URL, or webhooks_enable() is called. An endpoint starts at most max_per_minute attempts in any minute; the
 * others wait.
 *
 * The outbox keeps times as UTC, so that they hold over a restart. Within a run waits are measured by the monotonic clock. A wait
 * that an earlier run left is cut to an hour, the longest that there is. No entry counts as too old for an hour after the start,
 * or for give_up_h if that is shorter. The same holds after the clock was set forward by a minute or more. If the clock is set
 * back, an entry's age counts from the time at which it became the oldest.
 *
 * Alerts carry their snapshot as the endpoint's configuration says (io/sinks/snapshot.h). It is added to the body for each
 * attempt, so the bodies of two attempts may differ: evidence may be deleted in between. The signature is that of the whole body.
 *
 * Certificates are verified; redirects are not followed; proxies of the environment (http_proxy …) are not used. At most 4
 * KiB of an answer's body are read. Logs name an endpoint by scheme, host and port, because the rest of a URL may be
 * secret. */
#ifndef MEMAED_IO_SINKS_WEBHOOK_H
#define MEMAED_IO_SINKS_WEBHOOK_H

#include <stddef.h>
#include <stdint.h>

#include "core/delays.h"
#include "core/error.h"
#include "io/config/config.h"
#include "io/sinks/outbox.h"
#include "io/sinks/snapshot.h"
#include "io/sinks/webhook_config.h"

struct webhooks;
struct webhooks_change;

/* The counts of the endpoints of one name since webhooks_open(). */
struct webhook_stats {
    char name[WEBHOOK_NAME_SIZE];
    uint64_t delivered, failed_attempts;
    uint64_t dead;                      /* entries that became dead letters */
    uint64_t dropped;                   /* entries that are lost, because a reload removed the endpoint */
    struct delays delays;               /* of those delivered */
    /* At present: */
    uint64_t queued, dead_letters;
    unsigned disabled;                  /* endpoints */
};

/* One endpoint at present. Times are UTC. */
struct webhook_state {
    char key[OUTBOX_KEY_SIZE];
    char name[WEBHOOK_NAME_SIZE];
    uint64_t delivered, queued, dead_letters;
    int64_t oldest_us;                  /* since when the oldest entry waits; 0: none waits */
    unsigned attempts;                  /* failed ones of the oldest entry */
    int64_t next_us;                    /* when the next attempt is due; 0: at once, or none waits */
    int64_t failed_us;                  /* of the last failed attempt; 0: none in this run */
    char cause[OUTBOX_CAUSE_SIZE];      /* of that failure; redacted */
    int64_t newest_us;                  /* when the latest of the delivered events happened; 0: none in this run */
    int64_t disabled_us;                /* 0: enabled */
    char disabled_reason[OUTBOX_CAUSE_SIZE];
    unsigned events;                    /* event_bit() of each type that it takes */
};

struct webhook_options {
    int64_t backoff_first_us, backoff_max_us;   /* the ceiling of the back-off: after the first failure, and the highest */
    int64_t minute_us;                          /* the minute of max_per_minute */
    int64_t outbox_retry_us;                    /* the wait after an error of the outbox */
    int64_t (*clock_us)(void *arg);             /* UTC; the sender's thread calls it */
    void *clock_arg;
    struct snapshot_store snapshots;            /* for the sender's thread; each read may take a second */
    const struct outbox *outbox;                /* copied; its context is borrowed; no default */
    /* Takes an endpoint that the sender disabled, on the sender's thread. key and reason are borrowed. NULL: nobody is told. */
    void (*disabled)(void *arg, const char *key, const char *reason);
    void *disabled_arg;
};

extern const struct webhook_options webhook_default_options;

/* The wait after a number of failures in a row (from 1): random, from 0 to a ceiling that doubles. Any thread. */
int64_t webhook_backoff_us(const struct webhook_options *options, unsigned failures);

/* Takes a report of the sender, on the sender's thread. text is redacted; priority as in syslog(3). */
typedef void webhook_log(void *arg, int priority, const char *text);

/* hooks [n] and options are copied. Whoever keeps the outbox adds entries, for the endpoints for which webhook_wants() is true,
 * and calls webhooks_wake(). 0, or -errno with the cause in err and *ret untouched. */
int webhooks_open(struct webhooks **ret, const struct config_webhook *hooks, size_t n, const struct webhook_options *options,
                  webhook_log *log, void *log_arg, struct error *err);
/* Changes the endpoints, in two steps, of which only the first can fail. One thread at a time.
 *
 * webhooks_prepare() makes the new endpoints; hooks [n] is copied. Nothing changes yet. 0, or -errno with the cause in err.
 * webhooks_adopt() replaces all endpoints and takes change. An endpoint with an unchanged configuration keeps its attempt, its
 * back-off, and stays disabled if it is. An endpoint of which only the key is unchanged keeps its queue, is enabled, and an entry
 * that is being sent is sent again. Entries of endpoints that are gone are dropped and counted. Counts stay with the endpoint's
 * name, also where no endpoint has it any more.
 * webhooks_forget() frees a change that is not adopted. Takes NULL. */
int webhooks_prepare(struct webhooks_change **ret, const struct config_webhook *hooks, size_t n, struct error *err);
void webhooks_adopt(struct webhooks *webhooks, struct webhooks_change *change);
void webhooks_forget(struct webhooks_change *change);
/* Gives attempts that are under way or due at most grace_ms to end, then stops the thread. Takes NULL. No other thread may use
 * webhooks any more. */
void webhooks_close(struct webhooks *webhooks, int grace_ms);

/* Makes the sender look for entries at every endpoint that had none. Any thread. */
void webhooks_wake(struct webhooks *webhooks);

/* Sends to a disabled endpoint again, at once. 0, also if it is enabled; -ENOENT: no endpoint has that key. Any thread. */
int webhooks_enable(struct webhooks *webhooks, const char *key);
/* Makes the endpoint's dead letters wait again, before all other entries. 0 or -ENOENT. Any thread; the sender's thread does
 * it. */
int webhooks_retry_dead(struct webhooks *webhooks, const char *key);
/* The endpoint's oldest dead letters, up to max: *ret is [*n], for outbox_dead_free(). 0, -ENOENT, or another error of the
 * outbox. Any thread. */
int webhooks_list_dead(struct webhooks *webhooks, const char *key, struct outbox_dead **ret, size_t *n, size_t max);

/* The counts by name, in the order in which the names came. *ret is [*n]; the caller frees it. 0, or -ENOMEM with nothing
 * written. Any thread. */
int webhooks_stats(struct webhooks *webhooks, struct webhook_stats **ret, size_t *n);
/* All endpoints, in the order of the configuration. events counts only types that the endpoint takes of that camera; NULL: of
 * any. *ret is [*n]; the caller frees it. 0 or -ENOMEM. Any thread. */
int webhooks_list(struct webhooks *webhooks, const char *camera, struct webhook_state **ret, size_t *n);
/* For the watchdog: until this time (monotonic, µs) the sender's thread is healthy without a sign of life. INT64_MAX while
 * it waits for events. Any thread. */
int64_t webhooks_deadline_us(struct webhooks *webhooks);

#endif
