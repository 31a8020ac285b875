#include "core/picture/picture.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static size_t bytes_of(const struct picture *picture)
{
    return 3 * (size_t)picture->width * (size_t)picture->height;
}

int picture_open(struct picture *ret, int width, int height)
{
    if (width < 1 || height < 1 || width > PICTURE_MAX_SIDE || height > PICTURE_MAX_SIDE)
        return -EINVAL;
    struct picture picture = {.width = width, .height = height};
    picture.pixels = calloc(1, bytes_of(&picture));
    if (!picture.pixels)
        return -ENOMEM;
    *ret = picture;
    return 0;
}

void picture_close(struct picture *picture)
{
    free(picture->pixels);
    *picture = (struct picture){0};
}

int picture_from_gray(struct picture *ret, const uint8_t *gray, int width, int height)
{
    int r = picture_open(ret, width, height);
    if (r < 0)
        return r;
    for (size_t i = 0; i < (size_t)width * (size_t)height; i++)
        memset(ret->pixels + 3 * i, gray[i], 3);
    return 0;
}

/* The weights of one axis: pixel i of the result is the sum of n[i] pixels from first[i] on. */
struct axis {
    int *first, *n;             /* [size] */
    float *weights;             /* [size, most] */
    int most;
};

static void axis_close(struct axis *axis)
{
    free(axis->first);
    free(axis->n);
    free(axis->weights);
}

/* Fills in weights of a triangle. Its half width is one pixel where the picture grows, and the ratio where it shrinks. 0 or
 * -ENOMEM. */
static int axis_open(struct axis *axis, int from, int size)
{
    double ratio = (double)from / size, reach = fmax(ratio, 1);
    *axis = (struct axis){.most = 2 * (int)ceil(reach) + 2};
    axis->first = calloc((size_t)size, sizeof *axis->first);
    axis->n = calloc((size_t)size, sizeof *axis->n);
    axis->weights = calloc((size_t)size * (size_t)axis->most, sizeof *axis->weights);
    if (!axis->first || !axis->n || !axis->weights)
        return -ENOMEM;
    for (int i = 0; i < size; i++) {
        double centre = (i + 0.5) * ratio - 0.5, sum = 0;
        int first = (int)fmax(ceil(centre - reach), 0), last = (int)fmin(floor(centre + reach), from - 1);
        float *weights = axis->weights + (size_t)i * (size_t)axis->most;
        axis->first[i] = first;
        axis->n[i] = last - first + 1;
        for (int j = first; j <= last; j++)
            sum += weights[j - first] = (float)(1 - fabs(j - centre) / reach);
        for (int j = 0; j < axis->n[i]; j++)
            weights[j] = (float)(weights[j] / sum);
    }
    return 0;
}

/* Scales the rows of `from` into sums [from->height, width, 3]. */
static void scale_rows(const struct picture *from, const struct axis *axis, int width, float *sums)
{
    for (int y = 0; y < from->height; y++)
        for (int x = 0; x < width; x++, sums += 3) {
            const uint8_t *pixel = picture_at(from, axis->first[x], y);
            const float *weight = axis->weights + (size_t)x * (size_t)axis->most;
            sums[0] = sums[1] = sums[2] = 0;
            for (int j = 0; j < axis->n[x]; j++, pixel += 3)
                for (int c = 0; c < 3; c++)
                    sums[c] += weight[j] * pixel[c];
        }
}

static void scale_columns(const float *sums, const struct axis *axis, struct picture *to)
{
    size_t row = 3 * (size_t)to->width;
    uint8_t *pixel = to->pixels;
    for (int y = 0; y < to->height; y++)
        for (size_t i = 0; i < row; i++) {
            const float *weight = axis->weights + (size_t)y * (size_t)axis->most, *from = sums + (size_t)axis->first[y] * row + i;
            float sum = 0;
            for (int j = 0; j < axis->n[y]; j++)
                sum += weight[j] * from[(size_t)j * row];
            *pixel++ = (uint8_t)lrintf(fminf(fmaxf(sum, 0), 255));
        }
}

int picture_scale(struct picture *ret, const struct picture *from, int width, int height)
{
    struct picture to;
    struct axis across = {0}, down = {0};
    float *sums = NULL;
    int r = picture_open(&to, width, height);
    if (r < 0)
        return r;
    r = axis_open(&across, from->width, width);
    if (r == 0)
        r = axis_open(&down, from->height, height);
    if (r == 0 && !(sums = malloc(3 * (size_t)from->height * (size_t)width * sizeof *sums)))
        r = -ENOMEM;
    if (r == 0) {
        scale_rows(from, &across, width, sums);
        scale_columns(sums, &down, &to);
        *ret = to;
    } else {
        picture_close(&to);
    }
    free(sums);
    axis_close(&across);
    axis_close(&down);
    return r;
}

void picture_fit(int width, int height, int longest, int *fit_width, int *fit_height)
{
    int side = width > height ? width : height;
    double by = side > longest ? (double)longest / side : 1;
    *fit_width = (int)fmax(lrint(width * by), 1);
    *fit_height = (int)fmax(lrint(height * by), 1);
}

void picture_paste(struct picture *picture, const struct picture *from, int x, int y)
{
    int left = x < 0 ? -x : 0, right = from->width < picture->width - x ? from->width : picture->width - x;
    if (left >= right)
        return;
    for (int v = y < 0 ? -y : 0; v < from->height && y + v < picture->height; v++)
        memcpy(picture_at(picture, x + left, y + v), picture_at(from, left, v), 3 * (size_t)(right - left));
}

void picture_dim(struct picture *picture, float light)
{
    for (size_t i = 0; i < bytes_of(picture); i += 3) {
        uint8_t *p = picture->pixels + i;
        float luma = 0.299f * p[0] + 0.587f * p[1] + 0.114f * p[2];
        memset(p, (int)lrintf(luma * light), 3);
    }
}
