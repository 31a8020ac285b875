/* The figures of `memaed eval` as JSON: what came of labelled clips. Pure; main's thread. */
#ifndef MEMAED_DAEMON_MEASURE_FIGURES_H
#define MEMAED_DAEMON_MEASURE_FIGURES_H

#include <jansson.h>

#include "core/evaluation/localisation.h"
#include "core/score/alert.h"
#include "daemon/measure/labelled.h"

struct figures {
    const struct labelled_model *models;
    size_t n_models;
    const char *masks_path;
    int stride, length;                         /* frames: between windows, of a window */
    const struct labelled_clip *clips;
    size_t n;
    const struct alert_rule *rule;              /* NULL: no threshold, no alerts */
    struct localisation *localisation;          /* NULL without masks */
};

/* The median rate of the clips' frames a second; 0: unknown, as no clip has two. */
double figures_fps(const struct labelled_clip *clips, size_t n);

/* The caller's reference; NULL: out of memory. What is not defined is null. */
json_t *figures_json(const struct figures *figures);

#endif
