/* The transactions of the store, without its thread, queue and log. Used by the store's thread, and by main's before
 * that starts. */
#ifndef MEMAED_DAEMON_WATCH_STORE_WRITER_H
#define MEMAED_DAEMON_WATCH_STORE_WRITER_H

#include "daemon/watch/store/queue.h"
#include "daemon/watch/store/store.h"
#include "io/database/database.h"

struct writer {
    struct database *database;          /* NULL: not open */
    char pruned[RECORD_NAME_SIZE];      /* the camera whose scores were pruned last */
    int64_t prune_us;                   /* UTC from which alerts and events are pruned again */
};

/* Names of endpoints. Bit i of an item's takers is for names[i]. */
struct writer_endpoints {
    char names[STORE_ENDPOINTS_MAX][STORE_NAME_SIZE];
    size_t n;
};

int writer_version(void);               /* of the schema */

/* Opens the database as database_open() does, and gives a new one an id of its own. */
int writer_open(struct writer *writer, const char *folder, struct database_opening *opening, struct error *err);
void writer_close(struct writer *writer);               /* takes one that is not open */
bool writer_is_open(const struct writer *writer);
int64_t writer_size(const struct writer *writer);

int writer_last_alert(struct writer *writer, uint64_t *ret, struct error *err);

int writer_each_orders(struct writer *writer, void (*row)(void *arg, const char *camera, const struct arming_orders *orders),
                       void *arg, struct error *err);

/* Lets all events be delivered, at the start. */
int writer_recover(struct writer *writer, struct error *err);
/* Sets the takers of the item's event. */
void writer_choose(struct queue_item *item, const struct store_endpoints *endpoints);

/* Closes one alert that was left open. choose() sets the takers of its event, and the endpoints' names. 1 with *item, whose event
 * is written; 0: there is none; -errno. */
int writer_interrupt(struct writer *writer, struct queue_item **item,
                     void (*choose)(void *arg, struct writer_endpoints *ret, struct queue_item *item), void *arg,
                     struct error *err);

/* One transaction each. writer_events() sets the seq of each item and the entry of its alert. Deliveries of events of another
 * generation than this one are passed over. */
int writer_events(struct writer *writer, struct queue_item *items, const struct writer_endpoints *endpoints, unsigned generation,
                  struct error *err);
int writer_ready(struct writer *writer, int64_t seq, struct error *err);
int writer_scores(struct writer *writer, const struct score_row *scores, size_t n, const struct alert_record *peaks,
                  size_t n_peaks, struct error *err);
/* Deletes some rows that are too old, and the rows of evidence of n_gone alerts. 1: it did; 0: there were none; -errno. */
int writer_prune(struct writer *writer, const struct store_retention *retention, const uint64_t *gone, size_t n_gone,
                 int64_t now_us, struct error *err);

#endif
