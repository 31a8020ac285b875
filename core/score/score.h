/* The score that alerts are made from, and its map over the picture. Several voices (core/voice.h) measure how unusual a window
 * is: how fast things move in it, and how badly the frozen network reconstructs it. The score depends on the window alone and
 * has one scale for all footage of a camera.
 *
 * The reconstruction error as it is, the paper's score, separates poorly across clips: it is large wherever the picture is
 * busy. So three quantities are measured, over the middle half of the window's frames, in cells of 8 x 8 pixels at steps of 4:
 *   speed   the squared speed, in pixels per frame, that best explains the brightness changes of a neighbourhood of cells. It
 *           solves least squares over the structure tensor A (Lucas and Kanade, IJCAI 1981): v = -(A + λI)⁻¹ b. λ keeps the
 *           speed low where contrast is not above the camera's noise. The contrast and the size of an object cancel out.
 *   change  the squared temporal difference of the residual x̂ - x: change that the network did not reconstruct.
 *   error   the squared residual.
 * The first two ignore a change of light that is uniform over the picture.
 *
 * Each voice is the logarithm of a mean over the cells where its quantity is highest. The quantities are `speed`, `change`,
 * `pace` and `appearance`. The last two are by how much speed and error exceed what is usual at their place
 * (core/score/places.h). The z of a voice is its distance from its usual value at this camera, in spreads. The window has
 * z = ln Σ exp(z of a voice), so one voice suffices to make it large.
 *
 * A camera that switches to infrared at night shows another picture with other noise. If the held-out footage has two kinds
 * of light (conditions), separated by the picture's contrast, each has its own usual values. The score is the logarithm of the
 * hours between alerts that normal footage of that condition gives at z. It comes from a generalised Pareto tail
 * (core/score/tail.h), and below the tail's level continues along the tangent. So equal scores are equally rare in both
 * conditions, even if nothing ever moves at night. Figures, and what did not help: docs/score.md. Pure, any thread. */
#ifndef MEMAED_CORE_SCORE_SCORE_H
#define MEMAED_CORE_SCORE_SCORE_H

#include "core/network/arch.h"
#include "core/score/boxes.h"
#include "core/score/places.h"
#include "core/score/tail.h"
#include "core/voice.h"
#include "core/zones/regions.h"

/* The usual values of a voice at a camera: the normal distribution through the 95th and the 99th percentile of held-out
 * footage. Lower percentiles would mislead. A camera that sees nothing for most of the day has its median there, and all usual
 * motion would lie spreads above it. */
struct score_usual {
    double centre, spread;      /* spread > 0 */
};

/* One kind of light. */
struct score_condition {
    double noise;               /* mean squared difference of successive frames where nothing moves, in the network's units */
    struct score_usual usual[SCORE_VOICES];
    struct pareto rare;         /* runs per hour above z */
};

enum { SCORE_CONDITIONS = 2 };

struct score_spec {
    int conditions;             /* 1 or 2 */
    double boundary;            /* with 2: condition 0 applies to windows whose contrast is below it, else condition 1 */
    bool has_places;            /* false: speed and change are the only voices (older models, and pictures of many cells) */
    struct score_condition condition[SCORE_CONDITIONS];
    struct places places[SCORE_CONDITIONS];     /* set if has_places */
};

struct score_features {
    float voice[SCORE_VOICES];        /* logarithms; without places, the first two are set */
    float noise;                /* the median cell's squared difference; score_condition.noise is the median of it */
    float contrast;             /* logarithm of the median cell's squared gradient */
    int condition;              /* index of the condition that the window was measured in */
};

/* The size of the grid of cells; the centre of cell (r, c) lies at pixel (4r + 4, 4c + 4). False, rows and columns
 * untouched, if windows have no score: it needs one channel, 4 frames or more, and 8 x 8 pixels or more. */
bool score_cells(const struct arch *arch, int *rows, int *columns);
/* Floats of scratch; 0 if there is no score. */
size_t score_scratch(const struct arch *arch);

/* regions_open() on the grid of cells, for the functions below. *ret is NULL also if windows have no score. 0, -ENOMEM, or
 * -EINVAL, *ret untouched: fewer than score_least_cells() cells count. */
int score_regions_open(struct regions **ret, const struct zones *zones, const float *shift, const struct arch *arch);
/* The share of the cells that masks hide, 0 to 1: 1 also if fewer than score_least_cells() are left, 0 if windows have no score.
 * Negative: -ENOMEM. */
double score_masked(const struct zones *zones, const struct arch *arch);
/* The fewest cells that a score can be made of: the speed is the mean over so many. */
int score_least_cells(const struct arch *arch);

/* Measures a window, x and x_hat [t, h, w] in the network's units, both borrowed. Uses conditions, boundary, places and the
 * noises of spec. Cells that do not count are left out; regions may be NULL. Stores the cells in scratch [score_scratch()] for
 * the functions below. */
void score_measure(const struct arch *arch, const float *x, const float *x_hat, const struct score_spec *spec,
                   const struct regions *regions, float *scratch, struct score_features *ret);

/* The logarithms that a map of places compares, ret [cells], after score_measure() on the same scratch. */
void score_place_logs(const struct arch *arch, const float *scratch, enum places_map map, float *ret);

/* The score of a window with these features. */
float score_of(const struct score_spec *spec, const struct score_features *features);

/* The score that the alert rule takes: the highest score of a region by its cells alone, each with the region's shift. Call
 * score_measure() on the same scratch first. A region's features are means over as many cells as those of the whole picture. So
 * a region's score is at most the window's, and normal footage reaches a score in a region no more often than in the picture.
 * *zone is that of the region, or -1. With one region (or regions NULL) the result is `score`, which score_of() returned. */
float score_level(const struct score_spec *spec, const struct arch *arch, const struct regions *regions, float *scratch,
                  float score, int *zone);

/* Writes the score of a window with these features by each voice alone (struct voices). */
void score_by_voice(const struct score_spec *spec, const struct score_features *features, struct voices *ret);
/* Returns how many voices the score has. The voices from VOICE_PACE on need places, in the order of enum places_map. */
static inline int score_voices(const struct score_spec *spec) { return spec->has_places ? SCORE_VOICES : VOICE_PACE; }

/* The score of each cell by itself, map [rows, columns], after score_measure() on the same scratch. The largest values are
 * near the window's score. Cells that do not count have -INFINITY. */
void score_map(const struct score_spec *spec, const struct arch *arch, const struct regions *regions, const float *scratch,
               float *map);

/* The boxes of that map at a level, after score_measure() on the same scratch; cells have the shift of their region. If no
 * cell reaches the level, it takes the highest cell's score as the level, so there is at least one box. */
void score_boxes(const struct score_spec *spec, const struct arch *arch, const struct regions *regions, float *scratch,
                 float level, struct boxes *ret);

/* Returns true if n contrasts (any order; sorted in place) come from two kinds of light. Then *boundary separates them. The
 * contrasts are split where the variance within both parts is least (Otsu, 1979). Three conditions make two kinds. That
 * variance is at most a fifth of the total (a uniform distribution keeps a quarter). Each part has at least a tenth of the
 * contrasts and at least `least`. The means differ by ln 1.5 or more. *boundary may be written even if the result is false. */
bool score_conditions_differ(double *contrasts, size_t n, size_t least, double *boundary);

/* Fits the usual values of a voice to n > 0 finite logarithms (any order; sorted in place). */
void score_usual_fit(struct score_usual *ret, enum voice voice, double *logs, size_t n);

#endif
