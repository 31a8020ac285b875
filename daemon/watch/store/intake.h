/* How events, alerts, scores and orders get into the store's queue. Any thread; nothing waits for the disk. */
#ifndef MEMAED_DAEMON_WATCH_STORE_INTAKE_H
#define MEMAED_DAEMON_WATCH_STORE_INTAKE_H

#include "daemon/watch/alertlog.h"
#include "daemon/watch/events.h"
#include "daemon/watch/store/queue.h"

/* Sinks that borrow the queue. */
struct event_sink intake_events(struct queue *queue);
struct alertlog_sink intake_alertlog(struct queue *queue);

/* What people have ordered for a camera. */
void intake_orders(struct queue *queue, const char *camera, const struct arming_orders *orders);
/* What somebody says about an alert; done(arg, …) as queue_item_make_order() has it. 0 or -ENOMEM, and done is not called then. */
int intake_label(struct queue *queue, const struct alert_order *order,
                 void (*done)(void *arg, int status, const struct alert_labels *labels), void *arg);
/* As the functions of the store that add evidence and end the wait for it. */
void intake_evidence(struct queue *queue, const struct evidence_row *evidence);
void intake_ready(struct queue *queue, uint64_t alert);
/* Takes delivery, also where it fails. 0 or -ENOMEM. */
int intake_delivery(struct queue *queue, struct delivery *delivery);

#endif
