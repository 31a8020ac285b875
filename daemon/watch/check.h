/* What a configuration and the models it names must agree on: the part of checking that needs the models loaded. `memaed
 * check` and `memaed run` both go through here, so that what check passes, run starts. Any thread; never logs. */
#ifndef MEMAED_DAEMON_WATCH_CHECK_H
#define MEMAED_DAEMON_WATCH_CHECK_H

#include <stdbool.h>
#include <stddef.h>

#include "core/score/alert.h"
#include "io/config/config.h"
#include "io/model/model_file.h"

struct check_models {
    struct model_file *files;   /* [n_files], one a distinct path, in the order of first mention */
    size_t n_files;
    size_t *file_of;            /* [n_cameras]: the camera's model is files[file_of[i]] */
};

/* Takes one line without its end: "FILE:LINE:COLUMN: KEY: cause, and what would be right". */
typedef void check_line(void *arg, const char *text);

/* Loads every model of the configuration once and checks each camera against its own: the model loads, takes one gray
 * channel and no more frames a window than the ring holds; the camera's fps is the one that the model learned at, unless
 * fps_force; a model for precision int8 was calibrated for it; close_threshold is not above the threshold that applies.
 * Every fault goes to fault(arg, …), in the order of positions; what is allowed but surely worth knowing (a model without
 * calibration and no threshold: no alerts) to warning(arg, …), which may be NULL.
 * 0: *ret is the caller's, every file loaded; -EINVAL where there was a fault, -ENOMEM: *ret untouched. */
int check_models(struct check_models *ret, const struct config *config, check_line *fault, check_line *warning, void *arg);
void check_models_clear(struct check_models *models);   /* what check_models() filled, or zeroes */

/* Frames analysed a second: the camera's fps, else the model's, else (no calibration) 0: every frame. */
double check_fps(const struct config_camera *camera, const struct model_file *file);

/* The rule that the camera's alerts follow. A threshold in the configuration goes before the calibration's; where it
 * comes without close_threshold, that is as far below as in the calibration: by the same difference for the daemon's own score,
 * by the same ratio for the reference (0.9 without a calibration).
 * false: no threshold anywhere, so no alerts; ret untouched. */
bool check_alert_rule(struct alert_rule *ret, const struct config_camera *camera, const struct model_file *file);

#endif
