/* The checks that need a camera's model loaded: whether configuration and model agree. `memaed check` and `memaed run` both
 * use them, so run starts with every configuration that check passes. Any thread; never logs. */
#ifndef MEMAED_DAEMON_WATCH_CHECK_H
#define MEMAED_DAEMON_WATCH_CHECK_H

#include <stdbool.h>
#include <stddef.h>

#include "core/score/alert.h"
#include "io/config/config.h"
#include "io/model/model_file.h"

struct check_models {
    struct model_file *files;   /* [n_files], one for each distinct path, in the order of first mention */
    size_t n_files;
    size_t *file_of;            /* [n_cameras]: the camera's model is files[file_of[i]] */
};

/* Takes one line without its end: "FILE:LINE:COLUMN: KEY: expected …, got …". */
typedef void check_line(void *arg, const char *text);

/* The receiver of the checks' findings, and the function that can end them early. */
struct check_report {
    check_line *fault;
    check_line *warning;        /* NULL: warnings are dropped */
    void *arg;                  /* the first argument of both */
    bool (*stop)(void);         /* asked between models; true ends the checks. NULL: nothing does */
};

/* Loads every model of the configuration once, and checks each camera against its own by check_camera(). Reports camera by
 * camera, and for each camera in the order of the places. Only the first camera with a broken model file reports it.
 *
 * Before those, it reports an encoder that is missing for masked clips, or else a limit of open files that is too low
 * (daemon/base/descriptors.h). It warns of what others on the network can read or do, and of secrets that every user of this
 * machine can read. It also warns of certificates that are not verified, of isolation: thread, of retention without bounds, and
 * of privacy masks that switch clips off.
 *
 * 0: *ret is the caller's, every file loaded. -EINVAL after a fault, -ECANCELED after stop(), or -ENOMEM: *ret untouched. */
int check_models(struct check_models *ret, const struct config *config, const struct check_report *report);
void check_models_clear(struct check_models *models);   /* what check_models() filled, or zeroes */

/* Checks one camera of config against its loaded model. Faults of the model: it does not take gray video, takes more frames a
 * window than the ring holds, or wants more memory than max_model_mib. Faults of a source: source_check() refuses it, or
 * source_check_sign_in() user and password. Faults of settings: fps is not the rate that the model learned at, and fps_force is
 * false; precision is int8, and the model was not calibrated for it. Faults of alerts: per_day is set, and the calibration has
 * no tail; close_threshold is above the threshold that applies; those of zone_alerts_check(). Warnings: no rate is known, or no
 * threshold, so that there are no alerts; the calibration is provisional.
 * 0; -EINVAL after a fault; -ENOMEM. */
int check_camera(const struct config *config, const struct config_camera *camera, const struct model_file *file,
                 const struct check_report *report);

/* Frames analysed a second: the camera's fps, else the model's. 0, without both: every frame. */
double check_fps(const struct config_camera *camera, const struct model_file *file);

/* The rule that the camera's alerts follow. The threshold is the configuration's, else that of per_day by the calibration's
 * tail, else the calibration's. A threshold in the configuration without close_threshold takes one as far below it as in the
 * calibration. The difference is the same for the daemon's own score, which is a logarithm. The ratio is the same for the
 * reference (0.9 without a calibration). close_threshold is never above threshold.
 * false: no threshold anywhere, so no alerts; ret untouched. */
bool check_alert_rule(struct alert_rule *ret, const struct config_camera *camera, const struct model_file *file);

#endif
