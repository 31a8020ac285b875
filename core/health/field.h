/* A camera's picture reduced to one size, and the discrete Fourier transform of pictures of that size: what a displacement is
 * found by (core/health/displacement.h). The size is fixed, a power of two each way, so that the transform is a radix-2 FFT
 * without a plan or scratch. Pure; any thread. */
#ifndef MEMAED_CORE_HEALTH_FIELD_H
#define MEMAED_CORE_HEALTH_FIELD_H

#include <stdint.h>

enum { FIELD_WIDTH = 128, FIELD_HEIGHT = 64, FIELD_SIZE = FIELD_WIDTH * FIELD_HEIGHT };

/* Complex numbers [FIELD_HEIGHT, FIELD_WIDTH]; after field_transform() in an order of their own, the same for all. */
struct field {
    float re[FIELD_SIZE], im[FIELD_SIZE];
};

/* Powers of the roots of unity that the transform needs; constant after field_roots(). */
struct field_roots {
    float re[FIELD_WIDTH / 2], im[FIELD_WIDTH / 2];
};
void field_roots(struct field_roots *ret);

/* The transform in place, not scaled; and its inverse, which divides by FIELD_SIZE. */
void field_transform(struct field *field, const struct field_roots *roots);
void field_inverse(struct field *field, const struct field_roots *roots);

/* Reduces luma [height, width] to ret [FIELD_HEIGHT, FIELD_WIDTH] by the mean of what a value covers, to fractions of a pixel.
 * So a movement of the picture is one of the values, whatever its size. */
void field_reduce(float *ret, const uint8_t *luma, int height, int width);

#endif
