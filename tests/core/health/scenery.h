/* A drawn camera picture for the tests of core/health: bricks of random gray levels, seen through a lens that can be moved,
 * blurred, covered and so on. Every picture has a sensor's noise of its own. */
#ifndef MEMAED_TESTS_CORE_HEALTH_SCENERY_H
#define MEMAED_TESTS_CORE_HEALTH_SCENERY_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "core/rng.h"

enum { SCENERY_WIDTH = 192, SCENERY_HEIGHT = 108, SCENERY_PIXELS = SCENERY_WIDTH * SCENERY_HEIGHT, BRICKS_X = 30, BRICKS_Y = 20 };

struct scenery_view {
    double right, down;         /* shift, in widths of the picture */
    double rotation, zoom;      /* radians clockwise; 0.1: larger by a tenth */
    double gain, offset;        /* gain 0 counts as 1 */
    int blur;                   /* pixels to each side */
    double noise;               /* standard deviation, added to the sensor's of 1.5 */
    double covered;             /* share of the picture from the left that is gray */
    double bars, roll;          /* amplitude of three bars across; how far down they are, in bars */
    double shadow;              /* gray levels by which the right half is darker, with a soft edge */
};

struct scenery {
    uint8_t brick[BRICKS_Y][BRICKS_X];
    double lean, size;          /* of the wall: how far rows are offset, and rows in a width */
    struct rng rng;
};

static inline void scenery_init(struct scenery *s, uint64_t seed)
{
    rng_seed(&s->rng, seed);
    s->lean = 0.2 + 0.3 * (double)rng_uniform(&s->rng);
    s->size = 12 + 4 * (double)rng_uniform(&s->rng);
    for (int y = 0; y < BRICKS_Y; y++)
        for (int x = 0; x < BRICKS_X; x++)
            s->brick[y][x] = (uint8_t)(50 + rng_below(&s->rng, 130));
}

/* The gray level at a place, in widths of the picture from its middle. Bricks of rows are offset, as in a wall. */
static inline double scenery_at(const struct scenery *s, double x, double y)
{
    int row = (int)floor((y + 0.6) * s->size), column = (int)floor((x + 0.9) * s->size + s->lean * row);
    row = row < 0 ? 0 : row >= BRICKS_Y ? BRICKS_Y - 1 : row;
    column = ((column % BRICKS_X) + BRICKS_X) % BRICKS_X;
    return s->brick[row][column];
}

static inline void scenery_blur(double *picture, int radius)
{
    static double copy[SCENERY_PIXELS];
    memcpy(copy, picture, sizeof copy);
    for (int y = 0; y < SCENERY_HEIGHT; y++)
        for (int x = 0; x < SCENERY_WIDTH; x++) {
            double sum = 0;
            int n = 0;
            for (int i = -radius; i <= radius; i++)
                for (int j = -radius; j <= radius; j++)
                    if (y + i >= 0 && y + i < SCENERY_HEIGHT && x + j >= 0 && x + j < SCENERY_WIDTH) {
                        sum += copy[(y + i) * SCENERY_WIDTH + x + j];
                        n++;
                    }
            picture[y * SCENERY_WIDTH + x] = sum / n;
        }
}

/* The picture without noise; drawn once as long as the view stays. */
static inline const double *scenery_still(const struct scenery *s, const struct scenery_view *v)
{
    static double picture[SCENERY_PIXELS];
    static struct scenery_view last;
    static double last_size = -1;
    if (last_size == s->size && memcmp(&last, v, sizeof last) == 0)
        return picture;
    last = *v;
    last_size = s->size;
    double gain = v->gain == 0 ? 1 : v->gain, c = cos(v->rotation) / (1 + v->zoom), r = sin(v->rotation) / (1 + v->zoom);
    for (int y = 0; y < SCENERY_HEIGHT; y++)
        for (int x = 0; x < SCENERY_WIDTH; x++) {
            double sum = 0;
            for (int k = 0; k < 9; k++) {
                double px = (x + (k % 3 + 0.5) / 3) / SCENERY_WIDTH - 0.5 - v->right;
                double py = (y + (k / 3 + 0.5) / 3 - SCENERY_HEIGHT / 2.0) / SCENERY_WIDTH - v->down;
                sum += scenery_at(s, c * px + r * py, c * py - r * px) / 9;
            }
            picture[y * SCENERY_WIDTH + x] = gain * sum + v->offset - v->shadow / (1 + exp(-(x - SCENERY_WIDTH / 2.0) / 8));
        }
    if (v->blur > 0)
        scenery_blur(picture, v->blur);
    for (int i = 0; i < SCENERY_PIXELS; i++) {
        picture[i] += v->bars * sin(6.28318530718 * (3.0 * (i / SCENERY_WIDTH) / SCENERY_HEIGHT - v->roll));
        if (i % SCENERY_WIDTH < v->covered * SCENERY_WIDTH)
            picture[i] = 70;
    }
    return picture;
}

static inline void scenery_draw(struct scenery *s, const struct scenery_view *v, uint8_t *ret)
{
    enum { NORMALS = 1 << 15 };
    static float normal[NORMALS];
    const double *still = scenery_still(s, v);
    for (int i = 0; normal[NORMALS - 1] == 0 && i < NORMALS; i++)
        normal[i] = (float)rng_normal(&s->rng);
    for (int i = 0, at = 0; i < SCENERY_PIXELS; i++, at++) {
        if (i % SCENERY_WIDTH == 0)             /* each row has noise of another place of the table */
            at = (int)rng_below(&s->rng, NORMALS - SCENERY_WIDTH);
        double value = still[i] + (1.5 + v->noise) * (double)normal[at];
        ret[i] = (uint8_t)fmin(fmax(value + 0.5, 0), 255);
    }
}

/* Draws a plain path over a drawn picture: a strip at the bottom, which does not reach the sides. crowd: people fill it, drawn
 * as blocks of random gray levels. */
static inline void scenery_path(struct scenery *s, bool crowd, uint8_t *ret)
{
    enum { SIDE = 6, TOP = SCENERY_HEIGHT / SIDE * 2 / 3, LEFT = SCENERY_WIDTH / SIDE / 4, RIGHT = 3 * LEFT };
    for (int row = TOP; row < SCENERY_HEIGHT / SIDE; row++)
        for (int column = LEFT; column < RIGHT; column++) {
            int level = crowd ? 40 + (int)rng_below(&s->rng, 90) : 160;
            for (int y = 0; y < SIDE; y++)
                memset(ret + (row * SIDE + y) * SCENERY_WIDTH + column * SIDE, level, SIDE);
        }
}

#endif
