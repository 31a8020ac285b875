/* Webhooks by libcurl, as the Standard Webhooks specification has them: POST of JSON with webhook-id (the same over
 * retries), webhook-timestamp and webhook-signature (HMAC-SHA256 over "id.timestamp.body", new for each attempt).
 * One thread of its own sends; each endpoint has a bounded queue and its own back-off (exponential with jitter, from
 * 1 s to 5 min), so that a dead endpoint holds up no other. At least once: any 2xx is taken, all else (a redirect too) is
 * tried again, up to 24 h or until the queue is full, when the oldest gives way and is counted.
 * The queue lives in memory; the place for a durable outbox is webhook_post(). */
#ifndef MEMAED_IO_WEBHOOK_H
#define MEMAED_IO_WEBHOOK_H

#include <stddef.h>
#include <stdint.h>

#include "core/error.h"
#include "io/config.h"

struct webhooks;

struct webhook_stats {
    uint64_t delivered, failed_attempts, dropped;
    size_t queued;
};

/* What the sender reports, from its own thread: text is redacted. priority as in syslog(3). */
typedef void webhook_log(void *arg, int priority, const char *text);

/* hooks is borrowed until close. 0 or -errno with the cause in err. */
int webhooks_open(struct webhooks **ret, const struct config_webhook *hooks, size_t n, webhook_log *log, void *log_arg,
                  struct error *err);
/* Lets deliveries under way and due ones finish for at most grace_ms, then stops the thread. Takes NULL. */
void webhooks_close(struct webhooks *webhooks, int grace_ms);

/* Queues {"type": type, "timestamp": …, "data": data} for every endpoint that wants the event. data_json is a whole JSON
 * value as text, copied. Never blocks on the network; any thread. 0 or -ENOMEM. */
int webhook_post(struct webhooks *webhooks, enum config_event event, int64_t time_us, const char *data_json);

void webhooks_stats(struct webhooks *webhooks, struct webhook_stats *ret);      /* all endpoints together */
/* Monotonic microseconds until which the sender's thread may be silent and healthy (for the watchdog): INT64_MAX while
 * it waits for work. */
int64_t webhooks_deadline_us(struct webhooks *webhooks);

#endif
