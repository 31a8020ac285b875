#include "core/health/measure.h"

#include <math.h>
#include <string.h>

#include "core/health/field.h"
#include "core/score/largest.h"

enum { CLIPPED = 250, THIRDS = 3, QUARTERS = 4, LONGEST = FIELD_WIDTH, NEAREST = CELLS * 6 / 10 };
#define EXPLAINED 0.7f                  /* the least share of a difference that stripes explain */

float measure_quantile(float *values, int n, float q)
{
    int below = (int)(q * (float)(n - 1) + 0.5f), rank = n - below;
    largest_select(values, (size_t)n, (size_t)rank);
    return values[rank - 1];
}

float measure_nearest(float *values)
{
    float sum = 0;
    largest_select(values, CELLS, CELLS - NEAREST);
    for (int i = CELLS - NEAREST; i < CELLS; i++)
        sum += values[i];
    return sum / NEAREST;
}

static float percentile(const uint32_t *histogram, uint32_t pixels, float q)
{
    uint32_t sum = 0, until = (uint32_t)(q * (float)pixels);
    int level = 0;
    while (level < 255 && (sum += histogram[level]) <= until)
        level++;
    return (float)level;
}

static void measure_levels(struct measure *ret, const uint8_t *luma, int height, int width)
{
    uint32_t histogram[256] = {0}, pixels = (uint32_t)height * (uint32_t)width, clipped = 0;
    for (uint32_t i = 0; i < pixels; i++)
        histogram[luma[i]]++;
    ret->low = percentile(histogram, pixels, 0.05f);
    ret->high = percentile(histogram, pixels, 0.95f);
    for (int i = CLIPPED; i < 256; i++)
        clipped += histogram[i];
    ret->clipped = (float)clipped / (float)pixels;
}

struct sums {
    uint32_t pixels, level, detail, noise;
};

/* The pixels left … right - 1 of a row that has one below. `before` NULL: nothing is compared. */
static void add_row(struct sums *sums, const uint8_t *restrict row, const uint8_t *restrict before, int width, int left,
                    int right)
{
    uint32_t level = 0, detail = 0, noise = 0;
    for (int x = left; x < right; x++) {
        int across = row[x + 1] - row[x], down = row[x + width] - row[x];
        level += row[x];
        detail += (uint32_t)(across * across + down * down);
    }
    for (int x = left; before && x < right; x++) {
        int d = row[x] - before[x], next = row[x + 1] - before[x + 1];
        noise += (uint32_t)((next - d) * (next - d));
    }
    sums->pixels += (uint32_t)(right - left);
    sums->level += level;
    sums->detail += detail;
    sums->noise += noise;
}

/* A cell leaves out the picture's last row and column, which have no neighbour. */
static void measure_cell(struct sums *sums, const uint8_t *luma, const uint8_t *before, int height, int width, int row,
                         int column)
{
    int left = column * (width - 1) / CELLS_ACROSS, right = (column + 1) * (width - 1) / CELLS_ACROSS;
    int bottom = (row + 1) * (height - 1) / CELLS_DOWN;
    for (int y = row * (height - 1) / CELLS_DOWN; y < bottom; y++)
        add_row(sums, luma + (long)y * width, before ? before + (long)y * width : NULL, width, left, right);
}

void measure_picture(struct measure *ret, const uint8_t *luma, const uint8_t *before, int height, int width)
{
    float noise[CELLS];
    measure_levels(ret, luma, height, width);
    ret->changed = before && memcmp(luma, before, (size_t)height * (size_t)width) != 0;
    for (int i = 0; i < CELLS; i++) {
        struct sums sums = {0};
        measure_cell(&sums, luma, before, height, width, i / CELLS_ACROSS, i % CELLS_ACROSS);
        float n = sums.pixels > 0 ? (float)sums.pixels : 1;
        ret->level[i] = (float)sums.level / n;
        ret->detail[i] = (float)sums.detail / n;
        noise[i] = (float)sums.noise / n;
    }
    ret->noise = measure_quantile(noise, CELLS, 0.25f);
}

/* ---- stripes -------------------------------------------------------------------------------------------------------------- */

/* Takes the mean of a quarter of the profile to each side from each value, so that light that changes smoothly goes. */
static void flatten(float *profile, int n)
{
    float sums[LONGEST + 1] = {0};
    for (int i = 0; i < n; i++)
        sums[i + 1] = sums[i] + profile[i];
    for (int i = 0; i < n; i++) {
        int reach = n / 4, from = i - reach, to = i + reach + 1;
        from = from > 0 ? from : 0;
        to = to < n ? to : n;
        profile[i] -= (sums[to] - sums[from]) / (float)(to - from);
    }
}

/* Rows of `along` values, stride `step` from value to value, n rows `next` apart. */
struct rows {
    int n, next, along, step;
};

/* The means of the three thirds of each row, profile [THIRDS, LONGEST]. */
static void profile_thirds(float profile[THIRDS][LONGEST], const float *difference, const struct rows *rows)
{
    for (int third = 0; third < THIRDS; third++) {
        int from = third * rows->along / THIRDS, to = (third + 1) * rows->along / THIRDS;
        for (int i = 0; i < rows->n; i++) {
            float sum = 0;
            for (int k = from; k < to; k++)
                sum += difference[i * rows->next + k * rows->step];
            profile[third][i] = sum / (float)(to - from);
        }
    }
}

/* Stripes go through all three thirds of a row, objects do not: what each two thirds have in common counts. Stripes are
 * everywhere, a shadow's straight edge is not: of four quarters of the rows, the second weakest counts. */
static float stripes_amplitude(float profile[THIRDS][LONGEST], int n)
{
    float power[QUARTERS];
    for (int third = 0; third < THIRDS; third++)
        flatten(profile[third], n);
    for (int quarter = 0; quarter < QUARTERS; quarter++) {
        power[quarter] = INFINITY;
        for (int third = 0; third < THIRDS; third++) {
            float sum = 0;
            for (int i = quarter * n / QUARTERS; i < (quarter + 1) * n / QUARTERS; i++)
                sum += profile[third][i] * profile[(third + 1) % THIRDS][i];
            power[quarter] = fminf(power[quarter], sum * QUARTERS / (float)n);
        }
    }
    return sqrtf(2 * fmaxf(measure_quantile(power, QUARTERS, 1.0f / (QUARTERS - 1)), 0));
}

static float median3(float a, float b, float c)
{
    return fmaxf(fminf(a, b), fminf(fmaxf(a, b), c));
}

/* The share of the difference that a value for each row explains: in blocks of 8 x 8, by medians, because objects fill some. */
static float share_explained(const float *difference, float thirds[THIRDS][LONGEST], const struct rows *rows)
{
    enum { SIDE = 8, BLOCKS = FIELD_SIZE / SIDE / SIDE };
    float all[BLOCKS], rest[BLOCKS];
    int n = 0;
    for (int top = 0; top < rows->n; top += SIDE)
        for (int left = 0; left < rows->along; left += SIDE, n++) {
            all[n] = rest[n] = 0;
            for (int i = top; i < top + SIDE; i++) {
                float row = median3(thirds[0][i], thirds[1][i], thirds[2][i]);
                for (int k = left; k < left + SIDE; k++) {
                    float d = difference[i * rows->next + k * rows->step];
                    all[n] += d * d;
                    rest[n] += (d - row) * (d - row);
                }
            }
        }
    float differs = measure_quantile(all, BLOCKS, 0.5f);
    return differs > 0 ? 1 - measure_quantile(rest, BLOCKS, 0.5f) / differs : 0;
}

float measure_stripes(const float *difference)
{
    static const struct rows ways[] = {{FIELD_HEIGHT, FIELD_WIDTH, FIELD_WIDTH, 1}, {FIELD_WIDTH, 1, FIELD_HEIGHT, FIELD_WIDTH}};
    float strongest = 0;
    for (int way = 0; way < 2; way++) {
        float thirds[THIRDS][LONGEST], flat[THIRDS][LONGEST];
        profile_thirds(thirds, difference, &ways[way]);
        memcpy(flat, thirds, sizeof flat);
        float amplitude = stripes_amplitude(flat, ways[way].n);
        if (amplitude > strongest && share_explained(difference, thirds, &ways[way]) >= EXPLAINED)
            strongest = amplitude;
    }
    return strongest;
}
