/* Reads normal footage for `eval --normal`: footage of any length in which nothing abnormal happens, given apart from the
 * labelled clips. Only the score of each window is kept, five bytes, so that days of footage fit into memory. The alert rule
 * runs while the footage is read. Main's thread. */
#ifndef MEMAED_DAEMON_MEASURE_NORMAL_H
#define MEMAED_DAEMON_MEASURE_NORMAL_H

#include <stddef.h>
#include <stdint.h>

#include "core/alerting/policy.h"
#include "core/score/alert.h"
#include "daemon/measure/labelled.h"

/* A file, or a folder of images. */
struct normal_source {
    char name[256];             /* source_name() */
    size_t windows;
    double seconds;             /* from each window to the next in an unbroken sequence */
    long alerts;                /* told; 0 without a rule */
};

struct normal {
    /* The scored windows of all sources, one after the other. Both arrays are [n]. */
    size_t n, room;
    float *scores;
    uint8_t *joined;            /* 1: follows the window before it without a break */

    struct normal_source *sources;      /* [n_sources] */
    size_t n_sources, sources_room;
    size_t steps;               /* windows that are joined */
    double seconds;             /* sum over the sources */
    long alerts;
};

/* Checks that each source of an input (io/footage/sources.h) can be opened. 0, or a negative errno with the cause in err. */
int normal_check(const char *input, struct error *err);

/* Scores each source of an input by n_models models, as labelled_read(), and adds its windows. rule and policy start anew with
 * each source; they may be NULL. Warns on standard error of windows that are left out, and of a source that is shorter than one
 * window. Returns 0, or a negative errno with the cause in err; ret may hold a part of the input then. The caller calls
 * normal_clear() either way. *ret starts zeroed. */
int normal_add(struct normal *ret, const char *input, const struct labelled_model *models, size_t n_models,
               const struct alert_rule *rule, const struct policy_rule *policy, struct error *err);
/* Frames a second: the mean over all joined windows, which come every `stride` frames; 0: unknown, because none are. */
double normal_fps(const struct normal *normal, int stride);
void normal_clear(struct normal *normal);               /* takes a zeroed one, too */

#endif
