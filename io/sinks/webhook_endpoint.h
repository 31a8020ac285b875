/* One endpoint of webhooks: its configuration, its state, and its attempts by libcurl. Only io/sinks/webhook*.c use this. */
#ifndef MEMAED_IO_SINKS_WEBHOOK_ENDPOINT_H
#define MEMAED_IO_SINKS_WEBHOOK_ENDPOINT_H

#include <stddef.h>
#include <stdint.h>

#include <curl/curl.h>

#include "core/error.h"
#include "io/config/config.h"
#include "io/sinks/webhook.h"

/* The counts of a name, which outlive its endpoints. */
struct webhook_tally {
    struct webhook_tally *next;
    struct webhook_stats stats;     /* without the present, which is counted on request */
};

struct webhook_endpoint {
    struct config_webhook hook;     /* owned, with its texts */
    /* Key, name and what REST shows, without the counts of the outbox. Guarded by the lock of struct webhooks. Only the sender's
     * thread changes them, so it reads them without the lock. */
    struct webhook_state shown;

    /* Guarded by the lock of struct webhooks. */
    struct webhook_tally *tally;    /* owned until the endpoint is adopted; then the webhooks' */
    bool wants_enable, wants_retry; /* asked by another thread, not done yet */
    bool adopted;

    /* For the sender's thread alone. Times are monotonic. */
    bool fresh;                     /* its state in the outbox was not read yet */
    struct outbox_entry head;       /* the oldest entry; body NULL: none known */
    int64_t seen_us;                /* when head became the oldest entry */
    int64_t look_us;                /* when to ask the outbox for head; INT64_MAX: when it wakes the sender */
    bool sending;                   /* head is being sent */
    bool unsettled;                 /* head was delivered, but the outbox could not note it */
    unsigned failures;              /* since the last delivery */
    int64_t due_us;                 /* the next attempt starts no earlier */
    int64_t *starts;                /* [hook.max_per_minute]: the last attempts, as a ring */
    size_t n_starts;                /* attempts so far */

    CURL *easy;
    char *body;                     /* of the attempt under way, where it is not head.body; owned */
    struct curl_slist *headers;
    char error[CURL_ERROR_SIZE];
    size_t received;                /* bytes of the answer's body */
};

/* hook is copied; number, from 0, is its place in the configuration, for err. 0: *ret is the caller's; or -errno with the
 * cause in err. */
int webhook_endpoint_new(struct webhook_endpoint **ret, const struct config_webhook *hook, const char *key, size_t number,
                         struct error *err);
/* Does not free the tally of an adopted endpoint. */
void webhook_endpoint_free(struct webhook_endpoint *endpoint);  /* takes NULL; endpoint->easy must be in no multi handle */

/* Starts an attempt on multi, signed for time_s (seconds since 1970). body [size] is borrowed until the attempt has ended. A
 * snapshot is added to a copy of it, which the endpoint keeps until then. store NULL: no snapshots. 0, or -errno: then nothing
 * was started. */
int webhook_endpoint_begin(struct webhook_endpoint *endpoint, CURLM *multi, const char *id, const char *body, size_t size,
                           int64_t time_s, const struct snapshot_store *store);

enum { WEBHOOK_CAUSE_SIZE = CURL_ERROR_SIZE + 64 };

/* Takes the end of an attempt, which libcurl reported with result, off multi. Returns the answer's HTTP status; 0: there was
 * none. cause says why the event does not count as delivered; "": it does, with any 2xx. */
long webhook_endpoint_end(struct webhook_endpoint *endpoint, CURLM *multi, CURLcode result, char cause[WEBHOOK_CAUSE_SIZE]);

#endif
