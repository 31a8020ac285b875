/* The intake of the store: the functions of store.h that add events, alerts, scores and orders to its queue are in intake.c. */
#ifndef MEMAED_DAEMON_WATCH_STORE_INTAKE_H
#define MEMAED_DAEMON_WATCH_STORE_INTAKE_H

#include "daemon/watch/store/queue.h"

struct store;

/* Borrowed until store_free(). For intake.c alone. */
struct queue *store_queue(struct store *store);

#endif
