/* A static scene costs nothing: whether a window can do without the network, because no part of any of its frames differs
 * by more than the camera's own noise from what the last computed window showed; it has that window's score then.
 *
 * The reference is the mean picture of the last window that was computed, where that window was itself static. Frames are
 * compared with it in cells of 8x8 pixels, each frame once: a single frame in which a single cell moved has its windows
 * computed. So has what follows a gap, a frozen camera (its pictures repeat, bit for bit, for longer than ever seen in
 * footage), and every STATIC_MOST windows one, so that slow change adds up to nothing.
 *
 * Alerts are those that computing all windows would have raised, as long as the bound holds: a score stands for others
 * only where it is below the threshold by more than the bound and, while an alert may be open, below the one that closes it.
 *
 * Windows are decided in their order, by their frames and the scores of the windows before alone, whoever computes them and
 * whenever. No locks: one thread (or lock) a scene. Nothing is allocated after static_scene_open(). */
#ifndef MEMAED_CORE_SCORE_STATIC_SCENE_H
#define MEMAED_CORE_SCORE_STATIC_SCENE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/score/boxes.h"
#include "core/score/score.h"

enum { STATIC_CELL = 8,             /* pixels; the last cells of a row and of a column have what is left besides */
       STATIC_CELLS_MAX = 4096,
       STATIC_FARTHEST = 255 * 255, /* that two pictures are from each other, at most: a cell that may show anything */
       STATIC_MOST = 128 };         /* windows that have the score of one */

/* What the calibration learned (daemon/learn/static_limits.h). */
struct static_limits {
    int cells;                      /* static_cells() of the model */
    float limit[SCORE_CONDITIONS][STATIC_CELLS_MAX];    /* by light and cell, row by row: mean squared difference, gray levels² */
    double light_margin;            /* a window whose contrast is this near to the lights' boundary stands for no other */
    double bound;                   /* of the difference of a static window's score from the one it is given; in fp32 */
    double largest_difference;      /* that was seen */
    long windows;                   /* that it was seen in */
    double frozen_s;                /* pictures that repeat for longer come from a frozen camera */
};

/* Of the network's pictures; 0 where static scenes are not told apart: too many, or no score. */
int static_cells(const struct arch *arch);

/* The mean squared difference in each cell of two pictures [height, width]. ret: static_cells(). */
void static_differences(const struct arch *arch, const uint8_t *a, const uint8_t *b, float *ret);

/* The mean of n pictures, 1 <= n <= ARCH_MAX_FRAMES, each [pixels], rounded. */
void static_mean(uint8_t *ret, const uint8_t *const *pictures, int n, size_t pixels);

struct static_rule {
    float threshold, close_threshold;       /* of alerts; INFINITY: none come of these scores */
    int k, n;                               /* as core/score/alert.h has them */
};

/* What a window has that was computed, and those that look like it. */
struct static_score {
    float reference, score;
    struct boxes boxes;
};

struct static_window {
    const uint8_t *const *frames;   /* [arch.frames], borrowed for the call */
    uint64_t first;                 /* number of frames[0]; numbers grow from window to window */
    bool gap_before;                /* the sequence broke since the window before */
    bool frozen;                    /* it ends in pictures that repeat for longer than frozen_s */
};

struct static_scene;

/* limits, of static_cells(arch) > 0 cells, and spec are borrowed until close; bound: limits->bound, or more in another
 * precision. 0 or -ENOMEM. */
int static_scene_open(struct static_scene **ret, const struct arch *arch, const struct static_limits *limits,
                      const struct score_spec *spec, double bound, const struct static_rule *rule);
void static_scene_close(struct static_scene *scene);        /* takes NULL */

/* Decides on the next window. */
enum static_verdict {
    STATIC_YES,                     /* *ret is what it has */
    STATIC_NO,                      /* it is to be computed, and then to be told by static_scene_scored() as `number` */
    STATIC_WAIT,                    /* ask again once all windows that were to be computed are told; asking counts nothing */
};
enum static_verdict static_scene_decide(struct static_scene *scene, const struct static_window *window, uint64_t *number,
                                        struct static_score *ret);

/* A window's score, in any order. features: as score_measure() left them. */
void static_scene_scored(struct static_scene *scene, uint64_t number, const struct score_features *features,
                         const struct static_score *score);

/* How long pictures repeat: the time at which the first of those like `picture` came, without a break. */
struct static_repeat {
    uint8_t *last;                  /* [pixels], the caller's */
    bool begun;
    int64_t since_us;
};
int64_t static_repeat_since(struct static_repeat *repeat, const uint8_t *picture, size_t pixels, int64_t pts_us);

#endif
