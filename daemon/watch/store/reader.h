/* The store as the web reads it: a connection of its own, which waits for no writer. For one thread, the web's, but for opening
 * and closing. */
#ifndef MEMAED_DAEMON_WATCH_STORE_READER_H
#define MEMAED_DAEMON_WATCH_STORE_READER_H

#include "daemon/watch/store/store.h"
#include "web/view.h"

struct reader;

int reader_open(struct reader **ret, struct store *store, struct error *err);   /* store is borrowed until close */
void reader_close(struct reader *reader);                                       /* takes NULL */

/* The rows of evidence of an alert into ret [EVIDENCE_KINDS]; *n of them. 0 or -errno. */
int reader_evidence(struct reader *reader, uint64_t alert, struct evidence_row *ret, size_t *n);

/* As the functions of the same names in struct view. */
int reader_alerts(struct reader *reader, const struct view_alerts_wanted *wanted, struct alert_record *ret,
                  struct alert_labels *labels, struct view_alerts *found);
int reader_alert(struct reader *reader, uint64_t id, struct alert_record *ret, struct alert_labels *labels);
int reader_events(struct reader *reader, uint64_t from, const struct event_filter *filter, struct event_record *ret, size_t max,
                  size_t *n, uint64_t *next, struct record_range *range);
int reader_history(struct reader *reader, const struct view_history_wanted *wanted, struct view_history *ret, size_t *n);

#endif
