/* The loop of main's thread while the daemon runs: it takes signals, feeds systemd's watchdog, shows the status line,
 * reloads, posts changes of arming, and frees cameras that ended late. */
#ifndef MEMAED_DAEMON_WATCH_SUPERVISE_H
#define MEMAED_DAEMON_WATCH_SUPERVISE_H

#include "daemon/watch/daemon.h"

/* Blocks TERM, INT and HUP for this thread (main's) and those that it starts later, and ignores PIPE.
 * Returns a signalfd for them, or -errno. */
int supervise_take_signals(void);

/* Returns true if TERM or INT has come and supervise() has not taken it. Long work in main's thread asks this between its steps,
 * and ends with -ECANCELED. Returns false in a command that does not block signals. */
bool supervise_told_to_end(void);

/* Runs until TERM or INT comes; HUP reloads. 0, or -errno where the loop cannot go on. */
int supervise(struct daemon *daemon, int signals_fd);

/* From now on TERM or INT ends the process at once, with status 1. */
void supervise_let_go(void);

#endif
