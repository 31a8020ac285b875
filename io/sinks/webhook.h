/* Webhooks by libcurl, as the Standard Webhooks specification has them: POST of JSON with webhook-id (the same over
 * retries), webhook-timestamp and webhook-signature (HMAC-SHA256 over "id.timestamp.body", new for each attempt).
 * One thread of its own, "webhook", sends; each endpoint has a bounded queue, sent in order, and its own back-off
 * (exponential with full jitter, its ceiling from 1 s to 5 min; Retry-After of 429 and 503 is heeded up to an hour), so
 * that a dead endpoint holds up no other. At least once: any 2xx is taken, all else (a redirect too) is tried again, up to
 * 24 h or until the queue is full, when the oldest gives way and is counted. 410 is no exception: the endpoint is a line
 * of the operator's file, and nobody but the operator takes it out.
 *
 * Certificates are verified, redirects not followed, proxies of the environment (http_proxy …) not used. An answer's body
 * is not read beyond 4 KiB. Logs name an endpoint by scheme, host and port: the rest of a URL may be secret.
 * The queue lives in memory; the place for a durable outbox is webhook_post(). */
#ifndef MEMAED_IO_SINKS_WEBHOOK_H
#define MEMAED_IO_SINKS_WEBHOOK_H

#include <stddef.h>
#include <stdint.h>

#include "core/error.h"
#include "io/config/config.h"

struct webhooks;

struct webhook_stats {
    uint64_t delivered, failed_attempts, dropped;
    size_t queued;
};

struct webhook_options {
    int64_t backoff_first_us, backoff_max_us;   /* ceiling after the first failure, and at most */
    int64_t give_up_us;                         /* age at which a failed event is dropped */
    size_t queue_max;                           /* of an endpoint, at least 2 */
    int64_t (*clock_s)(void *arg);              /* seconds since 1970 for webhook-timestamp; the sender's thread */
    void *clock_arg;
};

extern const struct webhook_options webhook_default_options;

/* How long to wait after so many failures in a row (from 1): anything from 0 to a ceiling that doubles. Any thread. */
int64_t webhook_backoff_us(const struct webhook_options *options, unsigned failures);

/* What the sender reports, from its own thread: text is redacted. priority as in syslog(3). */
typedef void webhook_log(void *arg, int priority, const char *text);

/* hooks is borrowed until close. 0 or -errno with the cause in err. */
int webhooks_open(struct webhooks **ret, const struct config_webhook *hooks, size_t n, webhook_log *log, void *log_arg,
                  struct error *err);
/* The same with options other than the default; options is copied. */
int webhooks_open_with(struct webhooks **ret, const struct config_webhook *hooks, size_t n,
                       const struct webhook_options *options, webhook_log *log, void *log_arg, struct error *err);
/* Lets deliveries under way and due ones finish for at most grace_ms, then stops the thread. Takes NULL. */
void webhooks_close(struct webhooks *webhooks, int grace_ms);

/* Queues {"type": type, "timestamp": …, "data": data} for every endpoint that wants the event. data_json is a whole JSON
 * value as text, copied. Never blocks on the network; any thread. 0; -EINVAL where data_json is no JSON; -ENOMEM. */
int webhook_post(struct webhooks *webhooks, enum event_type event, int64_t time_us, const char *data_json);

void webhooks_stats(struct webhooks *webhooks, struct webhook_stats *ret);      /* all endpoints together */
/* Monotonic microseconds until which the sender's thread may be silent and healthy (for the watchdog): INT64_MAX while
 * it waits for work. */
int64_t webhooks_deadline_us(struct webhooks *webhooks);

#endif
