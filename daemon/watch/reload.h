/* The configuration is read again while the daemon runs: on SIGHUP, and as POST /api/v1/reload asks. Changes of cameras
 * (daemon/watch/fleet.h), schedules, webhooks (io/sinks/webhook.h) and retention are applied. Keys that only a start can apply
 * (http, workers, isolation, max_decoder_mib, state_dir) are named in the log and in the answer. A faulty file changes
 * nothing. */
#ifndef MEMAED_DAEMON_WATCH_RELOAD_H
#define MEMAED_DAEMON_WATCH_RELOAD_H

#include "daemon/watch/daemon.h"

/* Asks main's thread for a reload, as view.reload (web/view.h). Any thread. */
int reload_request(struct daemon *daemon, view_reload_done *done, void *arg);

/* Reloads where somebody asked, and answers all who did. Main's thread. */
void reload_requested(struct daemon *daemon);
/* Reloads, and answers all who asked before it began. A later request is answered by the next reload. Main's thread. */
void reload(struct daemon *daemon);

/* Answers all who asked with -ECANCELED, and refuses later requests. Main's thread, before the web closes. */
void reload_cancel(struct daemon *daemon);

#endif
