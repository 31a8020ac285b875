/* Passes alerts and scores from the cameras to the store. It gives an id to each alert, and to each fault of a picture that is
 * told. It hands alerts and scores to a sink: in `run` the store (daemon/watch/store/), which keeps them in the database. An
 * alert's opening and closing are written with their event (daemon/watch/events.h). So only changes that no event reports are
 * handed on here.
 *
 * An id is the milliseconds of the opening (UTC since 1970), or the id before it plus 1 if that is more. So ids rise, and none is
 * used twice, even if the clock was set back: the database keeps the last one of an alert. Any thread; a call takes a leaf
 * lock. */
#ifndef MEMAED_DAEMON_WATCH_ALERTLOG_H
#define MEMAED_DAEMON_WATCH_ALERTLOG_H

#include "core/record.h"

struct alertlog;

/* The functions may be NULL. They must not block, or wait for a disk. Records are borrowed for the call. */
struct alertlog_sink {
    void (*peak)(void *arg, const struct alert_record *alert);          /* the alert is open, and something of it changed */
    void (*untold)(void *arg, const struct alert_record *alert);        /* as alertlog_append_untold() */
    void (*score)(void *arg, const char *camera, const struct score_record *score);
    void *arg;                          /* borrowed until close */
};

/* last_id: the highest id that was ever given; 0: none. 0 or -ENOMEM. */
int alertlog_open(struct alertlog **ret, uint64_t last_id, const struct alertlog_sink *sink);
void alertlog_close(struct alertlog *log);                      /* takes NULL */

/* Returns the id of something that opened then (UTC). */
uint64_t alertlog_new_id(struct alertlog *log, int64_t opened_us);
/* An alert opened: sets its id. The caller then posts its event, or calls alertlog_append_untold(). */
void alertlog_append(struct alertlog *log, struct alert_record *alert);
/* An open alert's peak rose, or it touched another zone, or another fault of the picture holds. */
void alertlog_update(struct alertlog *log, const struct alert_record *alert);
/* An alert that has its id opened, closed, or is suppressed for another reason, and the caller posts no event. */
void alertlog_append_untold(struct alertlog *log, const struct alert_record *alert);

/* A window was scored. Allocates nothing. */
void alertlog_score(struct alertlog *log, const char *camera, const struct score_record *score);

#endif
