/* `memaed check --connect`: opens every camera, sends every webhook a test event, and prints what came of it. */
#ifndef MEMAED_DAEMON_WATCH_CONNECT_CONNECT_H
#define MEMAED_DAEMON_WATCH_CONNECT_CONNECT_H

#include <stddef.h>

#include "core/network/arch.h"
#include "daemon/watch/check.h"
#include "daemon/watch/connect/cameras.h"
#include "io/config/config.h"

/* Prints a block for each camera on standard output, in the order of the configuration, as soon as it is known. A line for each
 * webhook and totals follow. No line holds a secret. Takes SIGINT, SIGTERM and SIGHUP, which end it. Main's thread, which must
 * not block those signals, once in a process.
 *
 * Returns the exit status: 0 if all is well. 1: a camera has a fault (connect_find_fault()), a webhook did not answer with a
 * 2xx, or a signal ended it, which standard error says. If a thread is stuck in the look-up of a name after a signal, the
 * process exits with status 1 instead. */
int connect_check(const struct config *config, const struct check_models *models);

/* Writes what is wrong with a camera, cut to size; "": nothing. The fault is the reason why no picture came, or pictures
 * without the aspect of arch (arch_fits_aspect()). Fewer pictures a second than CALIBRATION_SLOW_RATE of fps are a fault, too.
 * fps: the frames to be analysed a second (0: every frame). Any thread. */
void connect_find_fault(char *out, size_t size, const struct connect_result *result, const struct arch *arch, double fps);

#endif
