/* A colour picture in memory: rows from top to bottom without gaps, three bytes a pixel, red, green, blue (sRGB, full range).
 * Pure; any thread. */
#ifndef MEMAED_CORE_PICTURE_PICTURE_H
#define MEMAED_CORE_PICTURE_PICTURE_H

#include <stddef.h>
#include <stdint.h>

enum { PICTURE_MAX_SIDE = 8192 };

struct picture {
    int width, height;          /* 1 to PICTURE_MAX_SIDE; 0: none */
    uint8_t *pixels;            /* [height, width, 3], owned */
};

struct colour {
    uint8_t red, green, blue;
};

static inline uint8_t *picture_at(const struct picture *picture, int x, int y)
{
    return picture->pixels + 3 * ((size_t)y * (size_t)picture->width + (size_t)x);
}

/* A black picture. 0; -EINVAL: a side is below 1 or above PICTURE_MAX_SIDE; -ENOMEM. *ret is untouched on failure. */
int picture_open(struct picture *ret, int width, int height);
/* Accepts a zeroed struct, and leaves one. */
void picture_close(struct picture *picture);

/* Opens *ret with a gray picture [height, width]. Returns as picture_open(). */
int picture_from_gray(struct picture *ret, const uint8_t *gray, int width, int height);

/* Opens *ret with the picture at another size. Where the picture shrinks, a pixel is a mean of those under it and beside it, with
 * triangular weights; where it grows, it is interpolated linearly. Returns as picture_open(). */
int picture_scale(struct picture *ret, const struct picture *from, int width, int height);

/* The largest size with the aspect of width x height whose longer side is at most `longest`; the size itself where it is small
 * enough. No side is below 1. */
void picture_fit(int width, int height, int longest, int *fit_width, int *fit_height);

/* Copies `from` to (x, y); what lies outside is left out. */
void picture_paste(struct picture *picture, const struct picture *from, int x, int y);

/* Takes the colours out: each pixel becomes its luma (BT.601), scaled by `light`, 0 to 1. */
void picture_dim(struct picture *picture, float light);

#endif
