/* Computes the figures of `memaed eval` from scored, labelled clips, as JSON. Pure; main's thread. */
#ifndef MEMAED_DAEMON_MEASURE_FIGURES_H
#define MEMAED_DAEMON_MEASURE_FIGURES_H

#include <jansson.h>

#include "core/evaluation/localisation.h"
#include "core/score/alert.h"
#include "daemon/measure/labelled.h"
#include "daemon/measure/normal.h"

struct figures {
    const struct labelled_model *models;
    size_t n_models;
    const char *masks_path;
    int stride, length;                         /* frames from window to window; frames of a window */
    const struct labelled_clip *clips;
    size_t n;
    const struct normal *normal;                /* what budgets of false alarms are counted on; NULL: on the clips */
    const struct alert_rule *rule;              /* NULL: there is no threshold, and alerts is null */
    const struct policy_rule *policy;           /* where there is a rule */
    struct localisation *localisation;          /* NULL without masks */
};

/* Frames a second of the clips, from the median interval; 0: unknown, because no clip has two frames. */
double figures_fps(const struct labelled_clip *clips, size_t n);

/* The JSON object of `memaed eval`. Figures that are not defined are null. The caller's reference; NULL: out of memory. */
json_t *figures_json(const struct figures *figures);

#endif
