/* How events, alerts, scores and orders get into the store's queue: the functions of store.h that do so stand in intake.c. */
#ifndef MEMAED_DAEMON_WATCH_STORE_INTAKE_H
#define MEMAED_DAEMON_WATCH_STORE_INTAKE_H

#include "daemon/watch/store/queue.h"

struct store;

/* Borrowed until store_free(). For intake.c alone. */
struct queue *store_queue(struct store *store);

#endif
