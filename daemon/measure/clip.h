/* Footage through the frozen network, as fast as it goes: what `score` and `eval` share. Windows are run in batches, one
 * thread each, while one of the threads decodes the next batch; their results come in order. Memory is bounded by the
 * batch, however long the clip: frames are kept once, windows read them in place.
 *
 * Window i covers frames i*stride … i*stride+length-1 of the frames analysed. A window that touches a corrupt frame or
 * spans a gap is left out; the numbers of the others stay. One thread owns a clip scorer. */
#ifndef MEMAED_DAEMON_MEASURE_CLIP_H
#define MEMAED_DAEMON_MEASURE_CLIP_H

#include <stdbool.h>
#include <stdint.h>

#include "core/network/plan.h"
#include "core/parallel.h"
#include "core/score/calibration.h"
#include "io/video/source.h"

struct clip_scorer;

struct clip_window {
    uint64_t index;             /* window i */
    uint64_t frame;             /* its centre: first + length / 2 */
    int64_t pts_us;             /* of the centre */
    int64_t end_us;             /* of the last frame, with which the window is complete */
    bool gap_before;            /* the sequence broke since the window before this one */
    bool is_static;             /* not computed: reference, score and boxes are those of the last one that was */
    float own_score;            /* of a static window where it was asked for: computed after all */
    float reference;
    float score;                /* what alerts are made from: the reference where the model has no calibration of ours */
    struct boxes boxes;         /* where, by the calibration's thresholds; calibration_boxes() */
    /* Where: map_h x map_w cells that cover the picture evenly, larger is more abnormal; pixel (y, x) of h x w has cell
     * (y * map_h / h, x * map_w / w). The parts of score by cells; without one, the mean squared error of the window's
     * frames, in cells of about 8x8 pixels. The scorer's; it holds during the sink's calls. NULL of a static window. */
    const float *map;
    int map_h, map_w;
};

/* Where results go. A negative return ends the clip and is what clip_score() returns, with err as it was set. */
struct clip_sink {
    void *arg;
    /* The whole result of one window that was computed, in whatever order, from several threads at once. May be NULL. */
    int (*result)(void *arg, const struct clip_window *window, const struct plan_result *result, struct error *err);
    /* Each window in order, on the thread that called clip_score(), after its result(). */
    int (*window)(void *arg, const struct clip_window *window, struct error *err);
};

/* Whether static windows are computed. */
enum clip_static { CLIP_COMPUTE_ALL, CLIP_STATIC, CLIP_STATIC_VERIFIED /* they are, for own_score alone */ };

struct clip_summary {
    uint64_t frames;            /* analysed, corrupt ones among them */
    uint64_t corrupt, gaps;
    uint64_t windows, left_out;
    uint64_t windows_static;    /* of windows */
    float static_difference;    /* the largest between score and own_score */
};

/* The plan is borrowed, and so are the calibration (NULL: the score is the reference) and what parallel refers to, until
 * clip_close(). 0; -EINVAL where the network takes other than one channel, or where static windows are to be told apart and the
 * calibration doesn't say how; -ENOMEM. */
int clip_open(struct clip_scorer **ret, const struct plan *plan, const struct calibration *calibration,
              const struct parallel *parallel, int stride, enum clip_static statics, struct error *err);
void clip_close(struct clip_scorer *scorer);            /* takes NULL */

/* Scores all of one source, which the caller opened at the plan's size and closes. 0, or a negative errno with the cause
 * in err: the source's (what came before the fault is scored first) or the sink's. *summary is written either way. */
int clip_score(struct clip_scorer *scorer, struct source *source, const struct clip_sink *sink,
               struct clip_summary *summary, struct error *err);

#endif
