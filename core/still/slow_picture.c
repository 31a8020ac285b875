#include "core/still/slow_picture.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { AROUND = 2,              /* pixels to each side of a pixel that count as around it */
       CELL = 2 * SLOW_BLOCK,   /* pixels of a cell of the contrast */
       FLOATS = 5,
       CHUNK = 64 };            /* pixels whose medians are found at once */
/* The floor of the root mean square, gray levels a pixel. Gradients far below it count as none. */
#define NOISE 6.0f
#define LEAST_SQUARE 1e-3f      /* keeps the logarithm of a blank picture's contrast finite */

struct slow_picture {
    struct slow_shape shape;
    int height, width;          /* of the reduced picture: whole blocks */
    uint8_t *samples;           /* [SLOW_SAMPLES, height, width], a ring */
    int n, next, since_tick;    /* samples held; where the next one goes; samples since the last tick */
    int64_t sampled_us, last_us;        /* time stamps of the last sample and of the last frame */
    bool begun;
    uint8_t *median;            /* [height, width] */
    float *floats;              /* [FLOATS, height, width]: */
    float *gradients[2];        /*   across and down */
    float *squares, *rows, *sums;       /* scratch */
    int8_t *blocks;
    float contrast, brightness;
    bool left_out[SLOW_BLOCKS_MAX];     /* cells of the contrast */
};

bool slow_shape_of(struct slow_shape *ret, int height, int width)
{
    int by = 1;
    while ((long)(height / by / SLOW_BLOCK) * (width / by / SLOW_BLOCK) > SLOW_BLOCKS_MAX)
        by++;
    struct slow_shape shape = {height, width, by, height / by / SLOW_BLOCK, width / by / SLOW_BLOCK};
    if (shape.rows < 4 || shape.columns < 4)
        return false;
    *ret = shape;
    return true;
}

int slow_picture_open(struct slow_picture **ret, int height, int width)
{
    struct slow_shape shape;
    if (!slow_shape_of(&shape, height, width))
        return -EINVAL;
    struct slow_picture *slow = calloc(1, sizeof *slow);
    if (!slow)
        return -ENOMEM;
    slow->shape = shape;
    slow->height = shape.rows * SLOW_BLOCK;
    slow->width = shape.columns * SLOW_BLOCK;
    size_t pixels = (size_t)slow->height * (size_t)slow->width;
    slow->samples = malloc(SLOW_SAMPLES * pixels);
    slow->median = malloc(pixels);
    slow->floats = malloc(FLOATS * pixels * sizeof *slow->floats);
    for (int i = 0; slow->floats && i < 2; i++)
        slow->gradients[i] = slow->floats + (size_t)i * pixels;
    slow->squares = slow->floats ? slow->floats + 2 * pixels : NULL;
    slow->rows = slow->floats ? slow->floats + 3 * pixels : NULL;
    slow->sums = slow->floats ? slow->floats + 4 * pixels : NULL;
    slow->blocks = malloc(pixels / (SLOW_BLOCK * SLOW_BLOCK) * SLOW_VALUES);
    if (!slow->samples || !slow->median || !slow->floats || !slow->blocks) {
        slow_picture_close(slow);
        return -ENOMEM;
    }
    *ret = slow;
    return 0;
}

void slow_picture_close(struct slow_picture *slow)
{
    if (!slow)
        return;
    free(slow->samples);
    free(slow->median);
    free(slow->floats);
    free(slow->blocks);
    free(slow);
}

void slow_picture_leave_out(struct slow_picture *slow, const uint8_t *covered)
{
    int size = CELL * slow->shape.reduced, n = 0;
    for (int y = 0; y + CELL <= slow->height; y += CELL)
        for (int x = 0; x + CELL <= slow->width; x += CELL) {
            int hidden = 0;
            for (int i = 0; i < size * size; i++)
                hidden += covered[(y * slow->shape.reduced + i / size) * slow->shape.width + x * slow->shape.reduced + i % size];
            slow->left_out[n++] = 2 * hidden > size * size;
        }
}

/* Writes a frame, reduced, to a sample: each pixel is the rounded mean of reduced x reduced pixels. */
static void reduce(const struct slow_picture *slow, const uint8_t *frame, uint8_t *sample)
{
    int by = slow->shape.reduced, area = by * by;
    for (int y = 0; y < slow->height; y++)
        for (int x = 0; x < slow->width; x++) {
            const uint8_t *from = frame + (size_t)(y * by) * (size_t)slow->shape.width + (size_t)(x * by);
            int sum = area / 2;
            for (int v = 0; v < by; v++, from += slow->shape.width)
                for (int u = 0; u < by; u++)
                    sum += from[u];
            *sample++ = (uint8_t)(sum / area);
        }
}

/* Sorts a and b, element by element. */
static void order(uint8_t *restrict a, uint8_t *restrict b)
{
    for (int i = 0; i < CHUNK; i++) {
        uint8_t low = a[i] < b[i] ? a[i] : b[i], high = a[i] < b[i] ? b[i] : a[i];
        a[i] = low;
        b[i] = high;
    }
}

/* Writes the medians. Batcher's odd-even merge sort (1968) sorts the samples of CHUNK pixels at a time. */
static void find_median(struct slow_picture *slow)
{
    size_t pixels = (size_t)slow->height * (size_t)slow->width;
    uint8_t rows[SLOW_SAMPLES][CHUNK] = {{0}};
    for (size_t at = 0; at < pixels; at += CHUNK) {
        size_t size = pixels - at < CHUNK ? pixels - at : CHUNK;
        for (int s = 0; s < SLOW_SAMPLES; s++)
            memcpy(rows[s], slow->samples + (size_t)s * pixels + at, size);
        for (int p = 1; p < SLOW_SAMPLES; p *= 2)
            for (int k = p; k >= 1; k /= 2)
                for (int j = k % p; j + k < SLOW_SAMPLES; j += 2 * k)
                    for (int i = 0; i < k && i + j + k < SLOW_SAMPLES; i++)
                        if ((i + j) / (2 * p) == (i + j + k) / (2 * p))
                            order(rows[i + j], rows[i + j + k]);
        for (size_t i = 0; i < size; i++)
            slow->median[at + i] = (uint8_t)((rows[SLOW_SAMPLES / 2 - 1][i] + rows[SLOW_SAMPLES / 2][i] + 1) / 2);
    }
}

static int clamp(int i, int n)
{
    return i < 0 ? 0 : i < n ? i : n - 1;
}

/* Writes the gradient of each pixel, in gray levels a pixel. The border's pixels are repeated outside of it. */
static void find_gradients(struct slow_picture *slow)
{
    int h = slow->height, w = slow->width;
    const uint8_t *from = slow->median;
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++) {
            int across = from[y * w + clamp(x + 1, w)] - from[y * w + clamp(x - 1, w)],
                down = from[clamp(y + 1, h) * w + x] - from[clamp(y - 1, h) * w + x];
            slow->gradients[0][y * w + x] = (float)across / 2;
            slow->gradients[1][y * w + x] = (float)down / 2;
        }
}

/* Writes, for each pixel, the mean of the values around it, itself included. rows: scratch. Nothing may alias. */
static void mean_around(const struct slow_picture *slow, const float *from, float *rows, float *ret)
{
    const float area = (2 * AROUND + 1) * (2 * AROUND + 1);
    int h = slow->height, w = slow->width;
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++) {
            float sum = 0;
            for (int k = -AROUND; k <= AROUND; k++)
                sum += from[y * w + clamp(x + k, w)];
            rows[y * w + x] = sum;
        }
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++) {
            float sum = 0;
            for (int k = -AROUND; k <= AROUND; k++)
                sum += rows[clamp(y + k, h) * w + x];
            ret[y * w + x] = sum / area;
        }
}

/* Subtracts from each gradient the mean gradient around it, then divides by the root mean square of the differences around it. */
static void normalise(struct slow_picture *slow)
{
    int pixels = slow->height * slow->width;
    float *across = slow->gradients[0], *down = slow->gradients[1];
    for (int d = 0; d < 2; d++) {
        mean_around(slow, slow->gradients[d], slow->rows, slow->sums);
        for (int i = 0; i < pixels; i++)
            slow->gradients[d][i] -= slow->sums[i];
    }
    for (int i = 0; i < pixels; i++)
        slow->squares[i] = across[i] * across[i] + down[i] * down[i];
    mean_around(slow, slow->squares, slow->rows, slow->sums);
    for (int i = 0; i < pixels; i++) {
        float by = 1 / sqrtf(slow->sums[i] + NOISE * NOISE);
        across[i] *= by;
        down[i] *= by;
    }
}

static void describe(struct slow_picture *slow)
{
    int8_t *block = slow->blocks;
    for (int r = 0; r < slow->shape.rows; r++)
        for (int c = 0; c < slow->shape.columns; c++, block += SLOW_VALUES) {
            float values[SLOW_VALUES] = {0};
            for (int y = 0; y < SLOW_BLOCK; y++)
                for (int x = 0; x < SLOW_BLOCK; x++) {
                    int at = (r * SLOW_BLOCK + y) * slow->width + c * SLOW_BLOCK + x, part = y / 2 * 2 + x / 2;
                    values[part] += slow->gradients[0][at];
                    values[SLOW_VALUES / 2 + part] += slow->gradients[1][at];
                }
            for (int i = 0; i < SLOW_VALUES; i++)
                block[i] = (int8_t)lrintf(fmaxf(-127, fminf(SLOW_SCALE / 4 * values[i], 127)));
        }
}

static int compare(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* Measures the logarithm of the cells' median squared gradient. Call it before the gradients are normalised. */
static void measure_contrast(struct slow_picture *slow)
{
    size_t n = 0, cell = 0;
    slow->squares[0] = 0;
    for (int y = 0; y + CELL <= slow->height; y += CELL)
        for (int x = 0; x + CELL <= slow->width; x += CELL) {
            float sum = 0;
            if (slow->left_out[cell++])
                continue;
            for (int i = 0; i < CELL * CELL; i++) {
                int at = (y + i / CELL) * slow->width + x + i % CELL;
                sum += slow->gradients[0][at] * slow->gradients[0][at] + slow->gradients[1][at] * slow->gradients[1][at];
            }
            slow->squares[n++] = sum / (CELL * CELL);
        }
    qsort(slow->squares, n, sizeof *slow->squares, compare);
    slow->contrast = logf(slow->squares[n / 2] + LEAST_SQUARE);
}

static void measure_brightness(struct slow_picture *slow)
{
    int pixels = slow->height * slow->width, count[256] = {0}, level = 0;
    for (int i = 0; i < pixels; i++)
        count[slow->median[i]]++;
    for (int below = count[0]; below <= pixels / 2; below += count[level])
        level++;
    slow->brightness = logf((float)level + 1);
}

enum slow_event slow_picture_add(struct slow_picture *slow, const uint8_t *frame, int64_t pts_us, bool gap)
{
    bool broken = slow->begun && (gap || pts_us < slow->last_us || pts_us - slow->last_us > SLOW_LONGEST_US);
    if (broken)
        slow->n = slow->next = slow->since_tick = 0;
    slow->last_us = pts_us;
    if (slow->begun && !broken && pts_us - slow->sampled_us < SLOW_PERIOD_US)
        return SLOW_NOTHING;
    reduce(slow, frame, slow->samples + (size_t)slow->next * (size_t)slow->height * (size_t)slow->width);
    slow->begun = true;
    slow->sampled_us = pts_us;
    slow->next = (slow->next + 1) % SLOW_SAMPLES;
    slow->n += slow->n < SLOW_SAMPLES;
    slow->since_tick++;
    if (broken)
        return SLOW_BROKEN;
    if (slow->n < SLOW_SAMPLES || slow->since_tick < SLOW_STEP)
        return SLOW_NOTHING;
    slow->since_tick = 0;
    find_median(slow);
    find_gradients(slow);
    measure_brightness(slow);
    measure_contrast(slow);
    normalise(slow);
    describe(slow);
    return SLOW_TICK;
}

const int8_t *slow_picture_blocks(const struct slow_picture *slow)
{
    return slow->blocks;
}

float slow_picture_contrast(const struct slow_picture *slow)
{
    return slow->contrast;
}

float slow_picture_brightness(const struct slow_picture *slow)
{
    return slow->brightness;
}
