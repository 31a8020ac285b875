/* Keeps the baselines of cameras over restarts: the thread "baselines" writes each to state_dir/health/CAMERA.baseline, with mode
 * 0600, complete or not at all. A camera's thread hands over the bytes, and waits for no disk.
 *
 * They are files, not rows of the database: each is up to 1 MB that is always read and written as a whole, and its loss costs a
 * minute of pictures.
 *
 * Any thread may call, but for open, end and close, which are main's. */
#ifndef MEMAED_DAEMON_WATCH_HEALTH_BASELINES_H
#define MEMAED_DAEMON_WATCH_HEALTH_BASELINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/error.h"
#include "daemon/watch/heartbeat.h"
#include "io/config/config.h"

struct baselines;

struct baselines_options {
    const char *state_dir;              /* copied; it is there */
    const struct config *config;        /* read during the call: files of other cameras are deleted */
    struct heartbeats *heartbeats;      /* borrowed until close */
};

/* Starts the thread. 0 or -errno with the cause in err. */
int baselines_open(struct baselines **ret, const struct baselines_options *options, struct error *err);
/* Writes what waits, and ends the thread. Takes NULL. false: it is still stuck at deadline_us (CLOCK_MONOTONIC). What cannot be
 * written by then is dropped, and the file before stays. */
bool baselines_end(struct baselines *baselines, int64_t deadline_us);
void baselines_close(struct baselines *baselines);      /* after baselines_end() returned true; takes NULL */

/* Has the bytes, by malloc(), written as the baseline of the camera, in place of those that still wait. Takes them over. */
void baselines_keep(struct baselines *baselines, const char *camera, void *data, size_t size);
/* Has the camera's file deleted. */
void baselines_forget(struct baselines *baselines, const char *camera);
/* Reads the baseline that was kept last, from the disk if it is there by now. *ret is the caller's, by malloc(). 0; -ENOENT:
 * there is none; another -errno with the cause in err: *ret and *size are untouched. */
int baselines_read(struct baselines *baselines, const char *camera, void **ret, size_t *size, struct error *err);

#endif
