/* Static scenes: decides whether a window can skip the network. It can if every part of its frames differs from the last
 * computed window by no more than the camera's own noise. It then gets that window's score.
 *
 * The reference is the mean picture of the last computed window, provided that all frames of that window match it within the
 * noise. Each frame is compared with the reference once, in cells of 8x8 pixels. If one cell of one frame differs, the
 * windows with that frame are computed. Windows are also computed
 *   after a gap in the sequence;
 *   while the camera is frozen: its pictures repeat, bit for bit, for longer than frozen_s;
 *   after STATIC_MOST static windows in a row, so that slow changes do not add up.
 *
 * The alerts are the same as if all windows were computed, as long as the bound holds. A score is reused only if it is below
 * the threshold by more than the bound. While an alert may be open, it must be as far below the closing threshold. An alert
 * rule that compares a mean of scores may open an alert by a single high score, so the closing threshold always applies then. A
 * reused score can then neither open an alert nor keep one open. But a falling mean may be off by the bound, so its alerts may
 * open or close a few windows sooner or later.
 *
 * Windows are decided in order. A decision depends on the frames and on the scores of earlier windows only, not on which
 * thread computes them or when. No locks: one thread (or lock) per scene. Nothing is allocated after static_scene_open(). */
#ifndef MEMAED_CORE_SCORE_STATIC_SCENE_H
#define MEMAED_CORE_SCORE_STATIC_SCENE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/score/boxes.h"
#include "core/score/score.h"

enum { STATIC_CELL = 8,             /* pixels; the last cell of a row or column also covers the remainder of the picture */
       STATIC_CELLS_MAX = 4096,
       STATIC_FARTHEST = 255 * 255, /* the largest possible difference; as a limit, it lets a cell show anything */
       STATIC_MOST = 128 };         /* a computed window's score is reused for at most so many windows */

/* The limits that the calibration measured (daemon/learn/static_limits.h). */
struct static_limits {
    int cells;                      /* static_cells() of the model */
    float limit[SCORE_CONDITIONS][STATIC_CELLS_MAX];    /* by cell, row by row; mean squared gray levels; -1: never static */
    double light_margin;            /* a window whose contrast is nearer than this to score_spec.boundary is not reused */
    double bound;                   /* of the difference between a static window's own score and the reused one; in fp32 */
    double largest_difference;      /* the largest such difference measured */
    long windows;                   /* static windows that it was measured on */
    double frozen_s;                /* pictures that repeat for longer than this come from a frozen camera */
};

/* The number of cells of the network's pictures; 0 if static scenes are not supported: too many cells, or no score. */
int static_cells(const struct arch *arch);

/* The mean squared difference of two pictures [height, width] in each cell, ret [static_cells()]. */
void static_differences(const struct arch *arch, const uint8_t *a, const uint8_t *b, float *ret);

/* The mean of n pictures, 1 <= n <= ARCH_MAX_FRAMES, each [pixels], rounded. */
void static_mean(uint8_t *ret, const uint8_t *const *pictures, int n, size_t pixels);

/* The alert rule (core/score/alert.h) that the reused scores must not affect. */
struct static_rule {
    float threshold, close_threshold;       /* INFINITY: these scores cause no alerts */
    int k, n;
    bool smooth;                            /* it compares a mean of scores with the thresholds (alert_rule.smooth_us) */
};

/* The result of a computed window, reused for static windows after it. */
struct static_score {
    float reference, score;
    float level;                    /* what the alert rule takes (score_level()) */
    int zone;                       /* whose level it is, or -1 */
    struct voices voices;
    struct boxes boxes;
};

struct static_window {
    const uint8_t *const *frames;   /* [arch.frames], borrowed for the call */
    uint64_t first;                 /* number of frames[0]; it rises from window to window */
    bool gap_before;                /* the sequence broke since the previous window */
    bool frozen;                    /* its last pictures repeat for longer than frozen_s */
};

struct static_scene;

/* limits, of static_cells(arch) > 0 cells, and spec are borrowed until close; arch and rule are copied. bound:
 * calibration_static_bound(). 0 or -ENOMEM, *ret untouched. */
int static_scene_open(struct static_scene **ret, const struct arch *arch, const struct static_limits *limits,
                      const struct score_spec *spec, double bound, const struct static_rule *rule);
void static_scene_close(struct static_scene *scene);        /* takes NULL */

enum static_verdict {
    STATIC_YES,                     /* static: *ret is its result */
    STATIC_NO,                      /* compute it, then pass its score and `number` to static_scene_scored() */
    STATIC_WAIT,                    /* undecided: ask again for the same window when all computed windows are scored */
};
/* Decides on the next window. Writes *number for STATIC_NO and *ret for STATIC_YES. */
enum static_verdict static_scene_decide(struct static_scene *scene, const struct static_window *window, uint64_t *number,
                                        struct static_score *ret);

/* Passes the score of a window that was computed. Windows may be scored in any order. features: of score_measure(). */
void static_scene_scored(struct static_scene *scene, uint64_t number, const struct score_features *features,
                         const struct static_score *score);

/* Detects the repeated pictures of a frozen camera. static_repeat_since() takes the next picture, and returns the time of the
 * first of the successive pictures that equal it. */
struct static_repeat {
    uint8_t *last;                  /* [pixels], the caller's */
    bool begun;
    int64_t since_us;
};
int64_t static_repeat_since(struct static_repeat *repeat, const uint8_t *picture, size_t pixels, int64_t pts_us);

#endif
