#include "core/health/field.h"

#include <math.h>
#include <string.h>

void field_roots(struct field_roots *ret)
{
    for (int i = 0; i < FIELD_WIDTH / 2; i++) {
        double angle = -2 * 3.14159265358979323846 * i / FIELD_WIDTH;
        ret->re[i] = (float)cos(angle);
        ret->im[i] = (float)sin(angle);
    }
}

/* Sums and differences of `count` numbers a and b, the differences turned by (re, im): a step of a decimation in frequency. */
static void split(float *restrict a_re, float *restrict a_im, float *restrict b_re, float *restrict b_im, int count, float re,
                   float im)
{
    for (int i = 0; i < count; i++) {
        float d_re = a_re[i] - b_re[i], d_im = a_im[i] - b_im[i];
        a_re[i] += b_re[i];
        a_im[i] += b_im[i];
        b_re[i] = d_re * re - d_im * im;
        b_im[i] = d_re * im + d_im * re;
    }
}

/* The inverse of split(), but for a factor of two. */
static void join(float *restrict a_re, float *restrict a_im, float *restrict b_re, float *restrict b_im, int count, float re,
                  float im)
{
    for (int i = 0; i < count; i++) {
        float t_re = b_re[i] * re + b_im[i] * im, t_im = b_im[i] * re - b_re[i] * im;
        b_re[i] = a_re[i] - t_re;
        b_im[i] = a_im[i] - t_im;
        a_re[i] += t_re;
        a_im[i] += t_im;
    }
}

typedef void (*butterfly)(float *restrict, float *restrict, float *restrict, float *restrict, int, float, float);

/* One step of a transform along n items of `count` numbers each: items that are `half` apart are combined. */
static void step(float *re, float *im, int n, int count, int half, const struct field_roots *roots, butterfly combine)
{
    for (int block = 0; block < n; block += 2 * half)
        for (int j = 0; j < half; j++) {
            int a = (block + j) * count, b = a + half * count, root = j * (FIELD_WIDTH / 2 / half);
            combine(re + a, im + a, re + b, im + b, count, roots->re[root], roots->im[root]);
        }
}

/* Decimation in frequency leaves the numbers in bit-reversed order, and decimation in time takes them so: products of two
 * transforms need no other. */
void field_transform(struct field *field, const struct field_roots *roots)
{
    for (int half = FIELD_HEIGHT / 2; half > 0; half /= 2)
        step(field->re, field->im, FIELD_HEIGHT, FIELD_WIDTH, half, roots, split);
    for (int y = 0; y < FIELD_HEIGHT; y++)
        for (int half = FIELD_WIDTH / 2; half > 0; half /= 2)
            step(field->re + y * FIELD_WIDTH, field->im + y * FIELD_WIDTH, FIELD_WIDTH, 1, half, roots, split);
}

void field_inverse(struct field *field, const struct field_roots *roots)
{
    for (int y = 0; y < FIELD_HEIGHT; y++)
        for (int half = 1; half < FIELD_WIDTH; half *= 2)
            step(field->re + y * FIELD_WIDTH, field->im + y * FIELD_WIDTH, FIELD_WIDTH, 1, half, roots, join);
    for (int half = 1; half < FIELD_HEIGHT; half *= 2)
        step(field->re, field->im, FIELD_HEIGHT, FIELD_WIDTH, half, roots, join);
    for (int i = 0; i < FIELD_SIZE; i++) {
        field->re[i] *= 1.0f / FIELD_SIZE;
        field->im[i] *= 1.0f / FIELD_SIZE;
    }
}

/* The pixels that a value covers, of which the first and the last may count in part. */
struct cover {
    int first, last;
    float of_first, of_last;    /* shares of the mean; a pixel between has `each` */
};

/* The cover of the i-th of n values along `pixels` pixels; *each receives the share of a whole pixel. */
static struct cover cover_of(int i, int n, int pixels, float *each)
{
    int from = i * pixels, to = from + pixels;          /* in n-ths of a pixel */
    struct cover cover = {.first = from / n, .last = (to - 1) / n};
    *each = (float)n / (float)pixels;
    int end = (cover.first + 1) * n < to ? (cover.first + 1) * n : to;
    cover.of_first = (float)(end - from) / (float)pixels;
    cover.of_last = (float)(to - cover.last * n) / (float)pixels;
    return cover;
}

static float share_of(const struct cover *cover, int pixel, float each)
{
    return pixel == cover->first ? cover->of_first : pixel == cover->last ? cover->of_last : each;
}

void field_reduce(float *ret, const uint8_t *luma, int height, int width)
{
    struct cover across[FIELD_WIDTH];
    float each_across, each_down;
    for (int x = 0; x < FIELD_WIDTH; x++)
        across[x] = cover_of(x, FIELD_WIDTH, width, &each_across);
    for (int y = 0; y < FIELD_HEIGHT; y++, ret += FIELD_WIDTH) {
        struct cover down = cover_of(y, FIELD_HEIGHT, height, &each_down);
        memset(ret, 0, FIELD_WIDTH * sizeof *ret);
        for (int i = down.first; i <= down.last; i++) {
            const uint8_t *row = luma + (size_t)i * (size_t)width;
            float share = share_of(&down, i, each_down);
            for (int x = 0; x < FIELD_WIDTH; x++)
                for (int j = across[x].first; j <= across[x].last; j++)
                    ret[x] += share * share_of(&across[x], j, each_across) * (float)row[j];
        }
    }
}
