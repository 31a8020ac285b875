/* The handlers of all routes, for the table in web/routes.c. Each file of web/handlers/ holds a group. docs/rest.md
 * describes the answers. For the web's thread. */
#ifndef MEMAED_WEB_HANDLERS_H
#define MEMAED_WEB_HANDLERS_H

#include "web/routes.h"

web_handler web_handle_cameras, web_handle_camera, web_handle_scores;   /* cameras.c */
web_handler web_handle_health_learn;                                    /* cameras.c */
web_handler web_handle_arm, web_handle_disarm, web_handle_snooze;       /* arming.c */
web_handler web_handle_alerts, web_handle_alert;                        /* alerts.c */
web_handler web_handle_snapshot, web_handle_why, web_handle_clip;        /* evidence.c */
web_handler web_handle_copy, web_handle_copy_ask, web_handle_copy_state; /* evidence.c */
web_handler web_handle_fault_before, web_handle_fault, web_handle_fault_after;  /* evidence.c */
web_handler web_handle_events;                                          /* events.c */
web_handler web_handle_history;                                         /* history.c */
web_handler web_handle_healthz, web_handle_readyz, web_handle_index;    /* health.c */
web_handler web_handle_metrics;                                         /* metrics.c */
web_begin web_begin_acknowledge, web_begin_mark, web_begin_unmark, web_begin_note;      /* labels.c */
web_begin web_begin_normal, web_begin_normal_undo;                      /* labels.c */
web_handler web_handle_webhooks, web_handle_dead_letters, web_handle_webhook_enable, web_handle_webhook_retry;   /* webhooks.c */
web_handler web_handle_test_alert;                                      /* webhooks.c */
web_begin web_begin_reload;                                             /* reload.c */

/* ---- what handlers share -------------------------------------------------------------------------------------------- */

/* The detail of a 404 where no camera has the name in the request. */
#define WEB_NO_CAMERA "no camera has that name; GET /api/v1/cameras lists them"
extern const char *const web_camera_states[];       /* [enum view_camera_state]: "starting" …; cameras.c */

json_t *web_arming_json(const struct view_camera *camera);      /* arming.c; NULL: out of memory */
extern const struct web_header web_event_headers[];     /* of a stream of events; events.c */
extern const struct web_header web_file_headers[];      /* of a file; evidence.c */

/* These three are in alerts.c. This one writes the answer where view->alert() failed with r. */
void web_answer_no_alert(int r, struct web_answer *ret);
/* The labels of an alert as a JSON object; NULL: out of memory. */
json_t *web_labels_json(const struct alert_labels *labels);
/* The alert as webhooks have it, its labels, and its evidence where there is any; NULL: out of memory. */
json_t *web_alert_json(const struct view *view, const struct alert_record *alert, const struct alert_labels *labels);

/* These two are in evidence.c; `kept` is the result of view->evidence_kept(). One has the paths of the alert's files by name. The
 * other has an object for each complete video, by the same names, with what a player has to know. It is empty if the database
 * cannot be read. NULL: out of memory. */
json_t *web_evidence_json(uint64_t alert, unsigned kept);
json_t *web_videos_json(const struct view *view, uint64_t alert, unsigned kept);

/* These four are in logs.c. A cursor as JSON text; NULL: out of memory. store: view.store, or of alerts that of the database. */
json_t *web_cursor_json(uint64_t store, uint32_t log, uint64_t entry);
/* Returns true if reading can go on at the cursor: it is of this store and this log, and lies in the range or at its end. */
bool web_cursor_holds(uint64_t store, const struct web_cursor *cursor, uint32_t log, const struct record_range *range);
/* The 410 for a cursor that does not hold. */
void web_answer_gone(uint64_t store, uint32_t log, uint64_t oldest, struct web_answer *ret);
/* The 503 where the database cannot be read. */
void web_answer_unread(struct web_answer *ret);

#endif
