/* One endpoint of webhooks: its configuration, its queue, and its attempts by libcurl. Only io/sinks/webhook.c and
 * io/sinks/webhook_test.c use this. */
#ifndef MEMAED_IO_SINKS_WEBHOOK_ENDPOINT_H
#define MEMAED_IO_SINKS_WEBHOOK_ENDPOINT_H

#include <stddef.h>
#include <stdint.h>

#include <curl/curl.h>

#include "core/error.h"
#include "io/config/config.h"
#include "io/sinks/webhook.h"
#include "io/sinks/webhook_queue.h"

/* The counts of a name, which outlive its endpoints. */
struct webhook_tally {
    struct webhook_tally *next;
    struct webhook_stats stats;     /* without queued, which is counted on request */
};

struct webhook_endpoint {
    struct config_webhook hook;     /* owned, with its texts */
    char name[WEBHOOK_NAME_SIZE];   /* the configuration's, else scheme://host:port */

    /* Guarded by the lock of struct webhooks. */
    struct webhook_tally *tally;    /* owned until the endpoint is adopted; then the webhooks' */
    struct webhook_queue queue;
    uint64_t overrun;               /* events dropped from the full queue and not reported yet */
    bool adopted;
    struct webhook_message *sending;    /* the oldest of the queue, during an attempt; else NULL */

    /* For the sender's thread alone. */
    CURL *easy;
    struct curl_slist *headers;
    char error[CURL_ERROR_SIZE];
    size_t received;                /* bytes of the answer's body */
    unsigned failures;              /* since the last delivery */
    int64_t due_us;                 /* monotonic; the next attempt starts no earlier */
};

/* hook is copied; number, from 0, is its place in the configuration, for err. 0: *ret is the caller's; or -errno with the
 * cause in err. */
int webhook_endpoint_new(struct webhook_endpoint **ret, const struct config_webhook *hook, size_t number, size_t queue_max,
                         struct error *err);
/* Does not free the tally of an adopted endpoint. */
void webhook_endpoint_free(struct webhook_endpoint *endpoint);  /* takes NULL; endpoint->easy must be in no multi handle */

/* Starts an attempt on multi, signed for time_s (seconds since 1970). 0, or -errno: then nothing was started. */
int webhook_endpoint_begin(struct webhook_endpoint *endpoint, CURLM *multi, const struct webhook_message *message,
                           int64_t time_s);

enum { WEBHOOK_CAUSE_SIZE = CURL_ERROR_SIZE + 64 };

/* Takes the end of an attempt, which libcurl reported with result, off multi. Returns the answer's HTTP status; 0: there was
 * none. cause says why the event does not count as delivered; "": it does, with any 2xx. */
long webhook_endpoint_end(struct webhook_endpoint *endpoint, CURLM *multi, CURLcode result, char cause[WEBHOOK_CAUSE_SIZE]);

#endif
