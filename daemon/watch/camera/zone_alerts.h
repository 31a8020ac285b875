/* Masks and zones of a camera, together with its model. Checks whether the model can serve them, and finds the thresholds of
 * zones with a budget of their own. Any thread; never logs. */
#ifndef MEMAED_DAEMON_WATCH_CAMERA_ZONE_ALERTS_H
#define MEMAED_DAEMON_WATCH_CAMERA_ZONE_ALERTS_H

#include "core/score/alert.h"
#include "io/config/config.h"
#include "io/model/model_file.h"

/* Takes a fault or a warning of a camera's key, such as "zones.door.per_day", with its place; line 0: that of the camera's
 * name. */
typedef void zone_alerts_finding(void *arg, bool warning, int line, int column, const char *key, const char *text);

/* Checks a camera's masks and zones against its loaded model. Fault: masks leave next to nothing of the picture. Faults of a
 * zone with a budget: the calibration has no tail, or the zone has too few cells for a score. Warning: masks hide much more
 * than when the model was calibrated, and the model has two kinds of light. 0, or -ENOMEM. */
int zone_alerts_check(const struct config_camera *camera, const struct model_file *file, zone_alerts_finding *found, void *arg);

/* Writes how much the scores in each zone of the camera are raised, so that the rule's threshold serves all zones. That is the
 * rule's threshold less the one that the calibration's tail gives for the zone's own budget; 0 without a budget. Returns false,
 * ret untouched, if no zone has one. zone_alerts_check() has found no fault. */
bool zone_alerts_shifts(float ret[static ZONES_MOST], const struct alert_rule *rule, const struct config_camera *camera,
                        const struct model_file *file);

/* Prints a line for each mask and zone to standard output. rule NULL: the camera makes no alerts. */
void zone_alerts_print(const struct config_camera *camera, const struct alert_rule *rule, const struct model_file *file);

#endif
