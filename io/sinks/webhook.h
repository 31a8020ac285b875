/* Webhooks by the Standard Webhooks specification, through libcurl: a POST of JSON with webhook-id (the same for every
 * attempt), webhook-timestamp and webhook-signature (HMAC-SHA256 over "id.timestamp.body"; both new for each attempt).
 *
 * One thread, "webhook", sends. Each endpoint has a bounded queue, which is sent in order, and its own back-off, so a dead
 * endpoint delays no other. The back-off is exponential with full jitter; its ceiling grows from 1 s to 5 min. Retry-After
 * of 429 and 503 is obeyed up to an hour. Delivery is at least once: any 2xx counts as delivered. Everything else,
 * redirects included, is tried again until the event is 24 h old. A full queue drops and counts its oldest event. 410 is no
 * exception: an endpoint is part of the operator's configuration, and only the operator removes it.
 *
 * Certificates are verified; redirects are not followed; proxies of the environment (http_proxy …) are not used. At most 4
 * KiB of an answer's body are read. Logs name an endpoint by scheme, host and port, because the rest of a URL may be
 * secret. Queues are in memory only: events that wait when the process ends are lost. */
#ifndef MEMAED_IO_SINKS_WEBHOOK_H
#define MEMAED_IO_SINKS_WEBHOOK_H

#include <stddef.h>
#include <stdint.h>

#include "core/error.h"
#include "io/config/config.h"

struct webhooks;
struct webhooks_change;

enum { WEBHOOK_NAME_SIZE = 300 };

/* The counts of the endpoints of one name. */
struct webhook_stats {
    char name[WEBHOOK_NAME_SIZE];       /* the configuration's, else scheme://host:port; holds no secret */
    uint64_t delivered, failed_attempts, dropped;
    size_t queued;
};

struct webhook_options {
    int64_t backoff_first_us, backoff_max_us;   /* the ceiling of the back-off: after the first failure, and the highest */
    int64_t give_up_us;                         /* age at which an event is dropped when its attempt fails */
    size_t queue_max;                           /* events in the queue of an endpoint, at least 2 */
    int64_t (*clock_s)(void *arg);              /* seconds since 1970, for webhook-timestamp; the sender's thread calls it */
    void *clock_arg;
};

extern const struct webhook_options webhook_default_options;

/* The wait after a number of failures in a row (from 1): random, from 0 to a ceiling that doubles. Any thread. */
int64_t webhook_backoff_us(const struct webhook_options *options, unsigned failures);

/* Takes a report of the sender, on the sender's thread. text is redacted; priority as in syslog(3). */
typedef void webhook_log(void *arg, int priority, const char *text);

/* hooks [n] is copied. 0, or -errno with the cause in err and *ret untouched. */
int webhooks_open(struct webhooks **ret, const struct config_webhook *hooks, size_t n, webhook_log *log, void *log_arg,
                  struct error *err);
/* The same with options other than the default; options is copied. */
int webhooks_open_with(struct webhooks **ret, const struct config_webhook *hooks, size_t n,
                       const struct webhook_options *options, webhook_log *log, void *log_arg, struct error *err);
/* Other endpoints, in two steps, of which only the first can fail. One thread at a time.
 *
 * webhooks_prepare() makes the new endpoints; hooks [n] is copied. Nothing changes yet. 0, or -errno with the cause in err.
 * webhooks_adopt() replaces all endpoints and takes change. An endpoint with an unchanged configuration keeps its queue, its
 * attempt and its back-off. An endpoint of which only the URL is unchanged keeps its queue, and an event that is being sent
 * is sent again. Events of endpoints that are gone are dropped and counted. Counts stay with the endpoint's name, also where
 * no endpoint has it any more.
 * webhooks_forget() frees a change that is not adopted. Takes NULL. */
int webhooks_prepare(struct webhooks_change **ret, const struct webhooks *webhooks, const struct config_webhook *hooks,
                     size_t n, struct error *err);
void webhooks_adopt(struct webhooks *webhooks, struct webhooks_change *change);
void webhooks_forget(struct webhooks_change *change);
/* Gives attempts that are under way or due at most grace_ms to end, then stops the thread and drops the rest. Takes NULL. No
 * other thread may use webhooks any more. */
void webhooks_close(struct webhooks *webhooks, int grace_ms);

/* Queues {"type": type, "timestamp": …, "data": data} for every endpoint that takes the event. time_us is UTC; data_json is
 * a whole JSON value as text, copied. Never blocks on the network. Any thread. 0; -EINVAL if data_json is not JSON;
 * -ENOMEM; -EIO without random numbers for the id. */
int webhook_post(struct webhooks *webhooks, enum event_type event, int64_t time_us, const char *data_json);

/* The counts since webhooks_open() by name, in the order in which the names came. *ret is [*n]; the caller frees it. 0, or -ENOMEM
 * with nothing written. Any thread. */
int webhooks_stats(struct webhooks *webhooks, struct webhook_stats **ret, size_t *n);
/* For the watchdog: until this time (monotonic, µs) the sender's thread is healthy without a sign of life. INT64_MAX while
 * it waits for events. Any thread. */
int64_t webhooks_deadline_us(struct webhooks *webhooks);

#endif
