/* Diagnoses footage before a model is learned from it or calibrated on it (core/health/health.h), as `memaed health` does. The
 * first 50 faults are logged with clip and span, and the number of all.
 *
 * The pictures are those of the footage: gray, at the model's size. So colour is not judged, nor are rates, which others check.
 * The first minute is taken to be without a fault, or a third of the footage if that is less. Black pictures at the very start
 * are not part of that minute, and are logged as a fault. */
#ifndef MEMAED_DAEMON_LEARN_FOOTAGE_HEALTH_H
#define MEMAED_DAEMON_LEARN_FOOTAGE_HEALTH_H

#include <stdatomic.h>
#include <stdbool.h>

#include "io/footage/footage.h"

/* Reads all footage once. Footage of less than half a minute, or of pictures that are too small or too large, is not
 * diagnosed. Returns 0; -EINVAL: in more than half of the pictures the camera is blind (black, covered, or the same bit for
 * bit for too long), and `any` is false; -EINTR once *stop is true (stop may be NULL); -ENOMEM; or an error of footage_read().
 * err has the cause. */
int footage_health_check(struct footage *footage, bool any, const atomic_bool *stop, struct error *err);

#endif
