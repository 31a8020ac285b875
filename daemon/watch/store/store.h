/* The store: what survives the process (docs/store.md). One thread, "store", is the only writer of the database. It takes events,
 * alerts and scores from a queue (queue.h), so that nobody who posts waits for a disk.
 *
 * An event, its alert's row and its outbox rows are one transaction. After its COMMIT the event is published; nothing is
 * published that is not committed. Scores and the peaks of open alerts follow once a second, and old rows are deleted in small
 * steps; events always go first.
 *
 * Where the database cannot be written (a full disk, a lock that another process holds), the thread keeps what it has. It tries
 * again, with a back-off of up to 5 s. The log says so once, and once it works again. Meanwhile the queue fills; what does not
 * fit is dropped and counted. A database that is found damaged while it is in use is set aside, and a new one is opened. */
#ifndef MEMAED_DAEMON_WATCH_STORE_STORE_H
#define MEMAED_DAEMON_WATCH_STORE_STORE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/alerting/arming.h"
#include "core/error.h"
#include "core/event.h"
#include "daemon/watch/alertlog.h"
#include "daemon/watch/events.h"
#include "daemon/watch/heartbeat.h"
#include "daemon/watch/store/delivery.h"
#include "io/database/evidence_rows.h"

struct store;

/* An event that is committed. Borrowed for the call. */
struct store_event {
    int64_t seq;                /* rises from event to event, also over restarts */
    const char *id;             /* "msg_…": the same for all endpoints and attempts */
    enum event_type type;
    int64_t time_us;            /* UTC */
    const char *camera;         /* "": of no camera */
    uint64_t alert;             /* its id; 0: a health event */
    const char *body;           /* {"type": …, "timestamp": …, "data": …} */
    bool ready;                 /* may be delivered. false: it is published once more when it may */
};

/* Called on the store's thread, in the order of seq. An event that was not ready comes again once it is. Must not block. */
typedef void store_publish(void *arg, const struct store_event *event);

/* The endpoints that get outbox rows. */
enum { STORE_ENDPOINTS_MAX = 64, STORE_NAME_SIZE = 65 };
struct store_endpoints {
    size_t n;
    char names[STORE_ENDPOINTS_MAX][STORE_NAME_SIZE];
    /* Returns true if endpoint i, of that name, takes the event, which has type, camera, webhook and alert, and nothing else.
     * Called on the store's thread under a leaf lock. */
    bool (*wants)(const void *arg, size_t i, const char *name, const struct event *event);
    const void *arg;            /* borrowed until other endpoints are set */
};

/* The time for which rows are kept. */
struct store_retention {
    double raw_h;               /* scores of windows, in hours */
    int minutes_days, alerts_days;      /* scores of minutes; alerts and events that are not marked. 0: for ever */
};

struct store_options {
    const char *folder;         /* state_dir, which exists; copied */
    struct store_retention retention;
    int64_t hold_us;            /* how long the events of an alert that opens, and of a fault, wait for store_pictures_ready()
                                 * before they may be delivered; 0: not */
    struct heartbeats *heartbeats;      /* borrowed until close */
    store_publish *publish;     /* NULL: nobody */
    void *publish_arg;
};

/* Opens the database: creates, migrates, or sets aside a damaged one, which the log says. 0 or -errno with path and cause. */
int store_open(struct store **ret, const struct store_options *options, struct error *err);
/* Closes the alerts that the last run left open: they become interrupted, and an event reports each. Then starts the thread. */
int store_start(struct store *store, struct error *err);
/* Waits until what was posted before is written and published, or until deadline_us (CLOCK_MONOTONIC). Events that wait for their
 * evidence are published without it soon after. Main's thread. */
void store_flush(struct store *store, int64_t deadline_us);
/* After this nothing is published, and nobody is told that a delivery is written. Takes NULL. */
void store_silence(struct store *store);
/* Writes what waits, until deadline_us (CLOCK_MONOTONIC), and ends the thread. After this nothing is published. true: the thread
 * has ended, and store_free() may follow. false: it is stuck in the disk, and still uses the store. Takes NULL. */
bool store_close(struct store *store, int64_t deadline_us);
void store_free(struct store *store);           /* takes NULL */

uint64_t store_last_alert(const struct store *store);   /* the highest id of an alert, as of store_open() */

/* Calls row() for what people have ordered for each camera, before store_start(). 0 or -errno. */
int store_each_orders(struct store *store, void (*row)(void *arg, const char *camera, const struct arming_orders *orders),
                      void *arg, struct error *err);

/* ---- any thread ----------------------------------------------------------------------------------------------------- */

struct event_sink store_event_sink(struct store *store);        /* for events_add() */
struct alertlog_sink store_alertlog_sink(struct store *store);  /* for alertlog_open() */

/* Keeps what people have ordered for a camera. arg is the store: for `keep` of daemon/watch/alerting/arming.h. */
void store_keep_orders(void *arg, const char *camera, const struct arming_orders *orders);

/* Writes what somebody says about an alert. 0: done(arg, status, labels) will be called once, on the store's thread or at once.
 * status 0: it is committed, and labels are the alert's. -ENOENT: there is no such alert. -ECANCELED: it was given up. -ENOMEM
 * is returned: done is not called. */
typedef void store_labelled(void *arg, int status, const struct alert_labels *labels);
int store_label(struct store *store, const struct alert_order *order, store_labelled *done, void *arg);

/* Writes that a file is kept for an alert that was posted before. */
void store_add_evidence(struct store *store, const struct evidence_row *evidence);
/* The pictures of an alert or a fault are there, or will not come. Its events may be delivered, once the rows of evidence that
 * were added before are committed. Does nothing where they may already. */
void store_pictures_ready(struct store *store, uint64_t pictured);

/* Writes what became of a delivery, after all that was posted before. Takes delivery, also where it fails. 0 or -ENOMEM. */
int store_add_delivery(struct store *store, struct delivery *delivery);

/* The files of the alert are deleted: its rows of evidence go within a second. 0; -ENOSPC: too many wait. */
int store_evidence_gone(struct store *store, uint64_t alert);

/* Both copy what they get, which applies from the next transaction on. */
void store_set_endpoints(struct store *store, const struct store_endpoints *endpoints);
void store_set_retention(struct store *store, const struct store_retention *retention);

struct store_stats {
    size_t events_queued, scores_queued;
    uint64_t events_dropped, scores_dropped;    /* the queue was full, or the database refused the row */
    uint64_t commits, failures;         /* transactions that were committed; and that failed */
    double commit_seconds;              /* of those committed, from BEGIN to the end of COMMIT */
    bool failing;                       /* the last transaction failed */
    bool no_space;                      /* it did, because the disk is full */
    int64_t bytes;                      /* of the database */
};

void store_stats(struct store *store, struct store_stats *ret);

/* Rises when a damaged database was replaced: readers open the new one. */
unsigned store_generation(const struct store *store);
const char *store_folder(const struct store *store);    /* borrowed until store_free() */

#endif
