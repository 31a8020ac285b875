/* The outbox: events that wait to be delivered, for each endpoint in the order in which they came. The sender
 * (io/sinks/webhook.h) delivers out of it by the functions below. `run` has one in the database (daemon/watch/store/outbox.h),
 * which survives the process.
 *
 * An endpoint is known by its key (io/sinks/webhook_config.h), which is the same after a restart. An entry waits until it is
 * delivered, or dead: nobody tries a dead entry any more, but it is kept and can be listed.
 *
 * Threads: the sender's thread makes all calls but counts() and list_dead(), which any thread may make at the same time. The
 * sender holds no lock during a call. The sender's thread may wait for a disk in a call, but for seconds at most, because its
 * deadline of the watchdog is ten seconds.
 *
 * Crashes: a call that returns 0 has changed what later calls see. The change need not have reached the disk. If it is lost with
 * the process, an entry is given again: delivery is at least once. The outbox must not give an entry before the event itself is
 * safe on the disk.
 *
 * Errors: -ENOENT for an endpoint or an entry that the outbox does not have; -EIO, -ENOSPC, -ENOMEM and the like. Nothing has
 * changed then, and *ret is untouched. The sender reports the error, and makes the call again later where it needs it. */
#ifndef MEMAED_IO_SINKS_OUTBOX_H
#define MEMAED_IO_SINKS_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "core/event.h"

/* Sizes of texts, with their final 0. A cause or a reason is one line without secrets. */
enum { OUTBOX_KEY_SIZE = 65, OUTBOX_CAUSE_SIZE = 320, OUTBOX_MARK_SIZE = 16 };

struct outbox_entry {
    uint64_t seq;               /* its number; rises along the queue of an endpoint */
    char id[EVENT_ID_SIZE];    /* "msg_…": the event's, the same for all endpoints and attempts */
    int64_t time_us;            /* UTC; when the event happened; of an alert, the moment in the picture */
    int64_t queued_us;          /* UTC; when it came into the outbox. Its age counts from here */
    unsigned attempts;          /* number of failed ones */
    int64_t due_us;             /* UTC; the next attempt is no earlier. 0: at once */
    size_t size;                /* of body, in bytes */
    char *body;                 /* JSON, ended by 0; by malloc(), the caller's */
};

struct outbox_state {
    int64_t disabled_us;        /* UTC; since when the endpoint is disabled; 0: it is enabled */
    char reason[OUTBOX_CAUSE_SIZE];
    char mark[OUTBOX_MARK_SIZE];    /* as given to disable() */
};

struct outbox_counts {
    uint64_t queued, dead;
    int64_t oldest_us;          /* queued_us of the oldest entry that waits; 0: none */
};

struct outbox_dead {
    uint64_t seq;
    char id[EVENT_ID_SIZE];
    int64_t time_us, died_us;   /* UTC */
    unsigned attempts;
    char reason[OUTBOX_CAUSE_SIZE];
    char *body;                 /* JSON, ended by 0; by malloc(), the caller's */
};

struct outbox {
    void *context;              /* first argument of each function */

    /* The outbox keeps these endpoints, keys [n], from now on. A new one begins enabled and empty. One that is gone loses its
     * entries, its dead letters and its state. The first call says which endpoints a new run has. */
    int (*endpoints)(void *context, const char *const *keys, size_t n);
    /* Tells whether the endpoint is disabled; disables it; enables it. */
    int (*state)(void *context, const char *key, struct outbox_state *ret);
    int (*disable)(void *context, const char *key, int64_t time_us, const char *reason, const char *mark);
    int (*enable)(void *context, const char *key);

    /* 1: *ret is the endpoint's oldest entry, whether it is due or not. It stays the oldest, and is not dropped, until it is
     * delivered or dead. 0: no entry waits, or the oldest is not ready yet (its snapshot is still being made). Whoever adds an
     * entry or makes one ready calls webhooks_wake() afterwards. */
    int (*next)(void *context, const char *key, struct outbox_entry *ret);
    /* The endpoint acknowledged the entry at time_us (UTC). The entry is gone. */
    int (*delivered)(void *context, const char *key, uint64_t seq, int64_t time_us);
    /* An attempt failed. Only a later run reads these values again. */
    int (*failed)(void *context, const char *key, uint64_t seq, unsigned attempts, int64_t due_us, const char *cause);
    /* Nobody tries the entry any more. It is a dead letter from time_us (UTC) on. */
    int (*dead)(void *context, const char *key, uint64_t seq, unsigned attempts, int64_t time_us, const char *reason);
    /* Dead letters wait again, before all other entries, in order, without attempts, due at once, with queued_us time_us. Returns
     * how many. No entry of the endpoint is being sent. */
    int (*retry_dead)(void *context, const char *key, int64_t time_us);

    int (*counts)(void *context, const char *key, struct outbox_counts *ret);
    /* The oldest dead letters, up to max, oldest first: *ret is [returned], for outbox_dead_free(). */
    int (*list_dead)(void *context, const char *key, struct outbox_dead **ret, size_t max);
};

static inline void outbox_dead_free(struct outbox_dead *dead, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(dead[i].body);
    free(dead);
}

#endif
