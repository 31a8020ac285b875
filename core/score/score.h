/* The score that alerts are made from, and the map of where: what moves in a window, how fast, and how far the frozen
 * network is from drawing that change, in cells of the picture; one scale for all footage of a camera, nothing from
 * outside the window.
 *
 * The reconstruction error that the paper scores by says little across clips: it is large wherever the picture is busy.
 * What separates is taken over the window's middle half of frames, in cells of 8 x 8 pixels at steps of 4:
 *   speed   the squared speed, in pixels a frame, that explains the brightness changes of a neighbourhood of cells best
 *           (least squares over the structure tensor; Lucas and Kanade, IJCAI 1981), held down where contrast is not
 *           above the camera's noise: v = -(A + λI)⁻¹ b. A cell's contrast and size fall out of it.
 *   change  the squared temporal difference of the residual x̂ - x: change that the memory could not draw.
 * A change of light that is the same all over the picture is taken out of both. A window has the logarithm of the mean of
 * its fastest cells (a 120th of all) and of those of the largest change (a 30th); both are set against the camera's own
 * normal and added as z = ln(eˢ + eᶜ): either alone suffices.
 *
 * A camera that switches to infrared at night shows another picture with other noise. Where the footage held out holds two
 * kinds of light, told apart by the picture's contrast, each has its own usual. The score is then the logarithm of the hours from
 * one alert to the next that normal footage of that light has at z, by a generalised Pareto tail (core/score/tail.h), and below
 * that tail's level its tangent: as rare in the one as in the other, even where nothing ever moves at night.
 * Figures, and what did not help, stand in docs/score.md. Pure, any thread. */
#ifndef MEMAED_CORE_SCORE_SCORE_H
#define MEMAED_CORE_SCORE_SCORE_H

#include "core/network/arch.h"
#include "core/score/boxes.h"
#include "core/score/tail.h"

/* What is usual at a camera, of a logarithm. Taken from the top of what footage held out shows, not from its middle: a
 * camera that sees nothing for most of the day has its middle there, and all that ever moves would lie in the first few
 * spreads above it. */
struct score_usual {
    double centre, spread;      /* spread > 0; of the normal distribution through the 95th and the 99th percentile */
};

/* What is usual in one kind of light. */
struct score_condition {
    double noise;               /* mean squared difference of successive frames where nothing moves, network's units */
    struct score_usual speed, change;
    struct pareto rare;         /* runs an hour above z */
};

enum { SCORE_CONDITIONS = 2 };

struct score_spec {
    int conditions;             /* 1 or 2 */
    double boundary;            /* with 2: the first holds where the contrast is below it */
    struct score_condition condition[SCORE_CONDITIONS];
};

struct score_features {
    float speed, change;        /* logarithms */
    float noise;                /* the median cell's squared difference: what score_condition.noise is the median of */
    float contrast;             /* logarithm of the median cell's squared gradient */
    int condition;              /* that the window was measured in */
};

/* The cells that tile the picture: the centre of cell (r, c) lies at pixel (4r + 4, 4c + 4). False where the network's
 * windows are too small or too short (8 x 8 pixels, 4 frames of one channel) to have a score. */
bool score_cells(const struct arch *arch, int *rows, int *columns);
/* Floats of scratch; 0 where there is no score. */
size_t score_scratch(const struct arch *arch);

/* Measures a window: x and x_hat [t, h, w] in the network's units; of spec the conditions' boundary and noise are used.
 * Leaves the cells in scratch for score_map(). */
void score_measure(const struct arch *arch, const float *x, const float *x_hat, const struct score_spec *spec, float *scratch,
                   struct score_features *ret);

float score_of(const struct score_spec *spec, const struct score_features *features);

/* After score_measure() on the same scratch: the score of each cell by itself, map [rows, columns]. Its largest lie near
 * the window's score. */
void score_map(const struct score_spec *spec, const struct arch *arch, const float *scratch, float *map);

/* After score_measure() on the same scratch: the boxes of that map at a level; where no cell reaches it by itself, at the
 * highest cell's. There is one at least. */
void score_boxes(const struct score_spec *spec, const struct arch *arch, float *scratch, float level, struct boxes *ret);

/* Whether n contrasts (any order; sorted in place) are of two kinds of light; if so the boundary between them. Two kinds:
 * the split that leaves the least variance within (Otsu, 1979) leaves a fifth at most, where two halves of a uniform
 * distribution keep a quarter; neither side is less than a tenth, nor than 50; their means differ by half a contrast. */
bool score_conditions_differ(double *contrasts, size_t n, double *boundary);

/* The usual of n > 0 finite logarithms (any order; sorted in place). */
void score_usual_fit(struct score_usual *ret, double *logs, size_t n);

#endif
