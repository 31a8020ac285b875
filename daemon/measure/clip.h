/* Runs footage through the frozen network as fast as possible, for `score` and `eval`. Windows run in batches, one thread
 * each, while one thread decodes the frames of the next batch. Results come in the order of the windows. Frames are kept
 * once, and windows read them in place, so memory depends on the batch and not on the length of the clip.
 *
 * Window i covers frames i*stride … i*stride+length-1 of the frames analysed. A window that touches a corrupt frame or
 * spans a gap is left out; the other windows keep their numbers. One thread owns a clip scorer. */
#ifndef MEMAED_DAEMON_MEASURE_CLIP_H
#define MEMAED_DAEMON_MEASURE_CLIP_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/network/plan.h"
#include "core/parallel.h"
#include "core/score/calibration.h"
#include "core/still/still.h"
#include "io/capture/capture.h"

struct clip_scorer;

struct clip_window {
    uint64_t index;             /* window i */
    uint64_t frame;             /* its centre: first + length / 2 */
    int64_t pts_us;             /* of the centre */
    int64_t end_us;             /* of the last frame */
    bool gap_before;            /* the sequence broke between the last window and this one */
    bool is_static;             /* not computed: reference, score, voices and boxes are those of the last computed window */
    float own_score;            /* of a static window with CLIP_STATIC_VERIFIED: its own score */
    float reference;            /* the mean reconstruction error */
    float score;                /* what alerts are made from; equals reference if memaed did not calibrate the model */
    struct voices voices;       /* what each voice says; VOICE_STILL as it was at the window's last frame */
    struct boxes boxes;         /* by the calibration's thresholds; calibration_boxes() */
    struct boxes still_boxes;   /* around what stands still, at the window's last frame */
    /* Map of where the window is abnormal: map_h x map_w cells that cover the picture evenly, larger is more abnormal.
     * Pixel (y, x) of h x w lies in cell (y * map_h / h, x * map_w / w). A cell has its own score, -INFINITY under masks. If
     * the calibration has none, a cell has the mean squared error of the window's frames, in cells of about 8x8 pixels.
     * Borrowed, for the sink's calls only. NULL for a static window. */
    const float *map;
    int map_h, map_w;
};

/* The value of a window that alerts are made from: its score, or that of what stands still if it is higher. */
static inline float clip_window_level(const struct clip_window *w) { return fmaxf(w->score, w->voices.score[VOICE_STILL]); }

/* Takes results. A negative return value ends the clip; clip_score() returns it, with err as the sink set it. */
struct clip_sink {
    void *arg;
    /* Takes the whole result of each window that is not static, in any order, on several threads at once. May be NULL. */
    int (*result)(void *arg, const struct clip_window *window, const struct plan_result *result, struct error *err);
    /* Takes each window in order, on the thread that called clip_score(), after its result(). */
    int (*window)(void *arg, const struct clip_window *window, struct error *err);
};

enum clip_static {
    CLIP_COMPUTE_ALL,           /* no window counts as static */
    CLIP_STATIC,                /* static windows are not computed */
    CLIP_STATIC_VERIFIED        /* static windows are computed for own_score alone */
};

struct clip_summary {
    uint64_t frames;            /* analysed, corrupt ones included */
    uint64_t corrupt, gaps;
    uint64_t windows, left_out;
    uint64_t windows_static;    /* counted in windows, too */
    uint64_t ticks, foreign_ticks;      /* of what stands still, in a light that is known; of another scene (STILL_FOREIGN) */
    float static_difference;    /* largest difference of score and own_score */
};

/* Opens a scorer. plan, calibration, still and the threads of parallel are borrowed until clip_close(). calibration NULL: the
 * score is the reference. still NULL, or no calibration: what stands still is not watched. zones: its masks are hidden, and
 * the cells there do not count. NULL: none. It is borrowed until clip_close(). Returns 0 or -ENOMEM. -EINVAL: the network does
 * not take gray pictures, or the masks leave next to nothing. -EINVAL, too: statics asks for static windows, for which the
 * calibration has no bound. err names the cause. */
int clip_open(struct clip_scorer **ret, const struct plan *plan, const struct calibration *calibration,
              const struct still_memory *still, const struct zones *zones, const struct parallel *parallel, int stride,
              enum clip_static statics, struct error *err);
void clip_close(struct clip_scorer *scorer);            /* takes NULL */

/* Scores one source to its end. The caller has opened it at the plan's size, and closes it. Returns 0, -ENOMEM, or the
 * negative errno of the source or the sink, with the cause in err. Windows before a fault of the source are scored first.
 * Writes *summary either way. */
int clip_score(struct clip_scorer *scorer, struct capture *capture, const struct clip_sink *sink,
               struct clip_summary *summary, struct error *err);

#endif
