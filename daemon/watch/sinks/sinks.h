/* The sinks that deliver events out of the database: a row of a table (sinks.c) and a file (webhook_sink.c) for each kind. A kind
 * has endpoints, which the configuration lists, an outbox of its own in the store, and a sender. The sender is opened with its
 * first endpoint, and stays until sinks_close().
 *
 * Main's thread opens, changes and closes; any thread may wake. */
#ifndef MEMAED_DAEMON_WATCH_SINKS_SINKS_H
#define MEMAED_DAEMON_WATCH_SINKS_SINKS_H

#include "daemon/watch/events.h"
#include "daemon/watch/store/outbox.h"
#include "daemon/watch/store/store.h"
#include "io/config/config.h"
#include "io/sinks/outbox.h"
#include "io/sinks/snapshot.h"

/* The parts of the daemon that a sender works with; borrowed until it is closed, but for outbox, which is copied. */
struct sink_surroundings {
    const struct outbox *outbox;
    struct events *events;
    struct snapshot_store snapshots;
};

/* A row of the table. */
struct sink_kind {
    /* The beginning of its endpoints' keys, such as "mqtt:"; "": they have no ':'. It keeps the outboxes of the kinds apart. */
    const char *scope;
    const char *thread;         /* of its sender, for the watchdog's report */
    size_t (*count)(const struct config *config);       /* of its endpoints */
    void (*keys)(const struct config *config, char (*ret)[OUTBOX_KEY_SIZE]);   /* ret [count] */
    /* Returns true if endpoint i, of that key, takes the event. Any thread. */
    bool (*wants)(const struct config *config, size_t i, const char *key, const struct event *event);
    /* Starts the sender with the endpoints of config; NULL: without any. 0 or -errno with the cause in err. */
    int (*open)(void **ret, const struct sink_surroundings *around, const struct config *config, struct error *err);
    /* Other endpoints, in two steps, of which only the first can fail. adopt() takes the change; forget() takes NULL. */
    int (*prepare)(void **ret, void *sender, const struct config *config, struct error *err);
    void (*adopt)(void *sender, void *change);
    void (*forget)(void *change);
    void (*wake)(void *sender);                         /* entries may have come; any thread */
    int64_t (*deadline_us)(void *sender);               /* healthy until then without a sign of life; monotonic; any thread */
    void (*close)(void *sender, int grace_ms);
};

extern const struct sink_kind webhook_sink;             /* the sender is a struct webhooks */

enum { SINK_WEBHOOKS, SINK_KINDS /* how many there are */ };

struct sinks;
struct sinks_change;

/* Starts the senders that the configuration has endpoints for. What still waits for endpoints that config no longer has is
 * forgotten. store, events and state_dir are borrowed until sinks_free(). 0 or -errno with the cause in err; *ret is then what
 * was opened, for sinks_close() and sinks_free(). */
int sinks_open(struct sinks **ret, struct store *store, struct events *events, const char *state_dir, const struct config *config,
               struct error *err);
/* Gives senders grace_ms to deliver what is due, and ends them. Call it after store_silence(). Takes NULL. */
void sinks_close(struct sinks *sinks, int grace_ms);
void sinks_free(struct sinks *sinks);                   /* takes NULL; the store's thread has ended */

/* A reload calls these. The first starts a sender whose first endpoint config has. */
int sinks_prepare(struct sinks_change **ret, struct sinks *sinks, const struct config *config, struct error *err);
void sinks_adopt(struct sinks *sinks, struct sinks_change *change);     /* takes change */
void sinks_forget(struct sinks_change *change);         /* takes NULL */

/* Writes the endpoints of all sinks. wants() of ret reads config. */
void sinks_endpoints(const struct config *config, struct store_endpoints *ret);

void sinks_wake(void *sinks);                           /* any thread */
/* The thread of a sender that has given no sign of life in time; NULL: all are well. */
const char *sinks_stuck(struct sinks *sinks, int64_t now_us);
/* The snapshots that events carry. Any thread. */
struct snapshot_store sinks_snapshots(struct sinks *sinks);
/* The sender of a kind; NULL: it was not opened so far. Any thread; it stays until sinks_close(). */
void *sinks_sender(struct sinks *sinks, int kind);

#endif
