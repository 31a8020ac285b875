/* The place of a picture against a reference of the same camera: its shift, rotation and zoom.
 *
 * Phase correlation finds the shift, whatever its size, and tells whether the two show the same scene at all. It compares the
 * direction of the gradient at each pixel (orientation correlation: Fitch, Kadyrov, Christmas and Kittler, BMVC 2002). The
 * angle is doubled, so that an edge counts the same from bright to dark and from dark to bright, and however strong it is.
 * Light that changes leaves most edges where they are. Least squares (Lucas and Kanade, 1981), with weights that lessen what
 * moves, then refine shift, rotation and zoom to fractions of a pixel. They run on pictures of normalised contrast, and count
 * only where they make the pictures match better than before, which light that changes does not.
 *
 * Pure, without allocation; any thread, each with its own scratch. */
#ifndef MEMAED_CORE_HEALTH_DISPLACEMENT_H
#define MEMAED_CORE_HEALTH_DISPLACEMENT_H

#include <stdbool.h>

#include "core/health/field.h"

struct displacement_tables {
    struct field_roots roots;
    float fade_x[FIELD_WIDTH], fade_y[FIELD_HEIGHT];    /* towards the border, where clocks and names stand, too */
    float across, down;         /* the width and the height of a value, in widths of the picture */
};

/* Fills in the tables for pictures of this size. */
void displacement_tables(struct displacement_tables *ret, int height, int width);

/* Normalises the contrast of a reduced picture. A value becomes its difference from the mean of the 9x9 values around it,
 * divided by their standard deviation. ret and picture [FIELD_SIZE]; they must not overlap. */
void displacement_normalise(float *ret, const float *picture);

/* The transform of the edges of a reduced picture [FIELD_SIZE]. */
void displacement_edges(struct field *ret, const float *picture, const struct displacement_tables *tables);

struct displacement {
    float here;                 /* correlation without a shift: 0 by chance, 1 for the same edges */
    float peak;                 /* the highest correlation of all shifts */
    float x, y;                 /* the shift of that, or of the refinement, in widths of the picture */
    float rotation;             /* radians, clockwise as seen; of the refinement, else 0 */
    float zoom;                 /* 0.01: larger by 1 %; of the refinement, else 0 */
    bool refined;
};

/* A correlation this high is no chance. */
#define DISPLACEMENT_SURE 0.06f

/* Correlates the edges of a picture with those of the reference. scratch is overwritten. */
void displacement_correlate(struct displacement *ret, const struct field *edges, const struct field *reference,
                            struct field *scratch, const struct displacement_tables *tables);

/* Refines ret, which holds a shift, by normalised pictures [FIELD_SIZE]. A peak beside no shift becomes no displacement at all
 * where least squares do not converge, or explain next to nothing. */
void displacement_refine(struct displacement *ret, const float *picture, const float *reference,
                         const struct displacement_tables *tables);

/* The root mean square over the picture of how far its points have moved, in widths of the picture. */
float displacement_length(const struct displacement *d, const struct displacement_tables *tables);

#endif
