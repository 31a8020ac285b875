/* Measures one picture: its gray levels, and in cells the level and the detail; its noise, against the picture before.
 * Pure, without allocation; any thread. */
#ifndef MEMAED_CORE_HEALTH_MEASURE_H
#define MEMAED_CORE_HEALTH_MEASURE_H

#include <stdbool.h>
#include <stdint.h>

enum { CELLS_ACROSS = 16, CELLS_DOWN = 8, CELLS = CELLS_ACROSS * CELLS_DOWN };

struct measure {
    float low, high;            /* the 5th and the 95th percentile of the gray levels */
    float clipped;              /* the share of pixels at 250 or above */
    float level[CELLS];         /* mean gray level */
    float detail[CELLS];        /* mean squared difference of neighbours, across and down */
    /* Compared with the picture before; 0 for the first. */
    bool changed;               /* some pixel differs */
    float noise;                /* the part of detail that noise makes: what neighbours change apart from each other, as a mean
                                 * square, in the quietest quarter of the cells */
};

/* luma and before [height, width], at least CELLS_DOWN x CELLS_ACROSS; before NULL: there is none. */
void measure_picture(struct measure *ret, const uint8_t *luma, const uint8_t *before, int height, int width);

/* The q-quantile of values [n], n >= 1, none of them NAN. They are reordered, the larger ones to the front. */
float measure_quantile(float *values, int n, float q);

/* The mean of the smallest 60 % of values [CELLS], which are reordered. */
float measure_nearest(float *values);

/* The strength of stripes in what differs from a reference, difference [FIELD_SIZE] (core/health/field.h): rows, or columns, that
 * differ all along, and from their neighbours. Amplitude in gray levels, of whichever is stronger; 0 where the picture differs
 * otherwise as well, so that rows or columns explain less than seven tenths of the difference. */
float measure_stripes(const float *difference);

#endif
