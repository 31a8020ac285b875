#include "core/score/places.h"

#include <assert.h>
#include <math.h>

#include "core/score/largest.h"

enum { CODES_PER_UNIT = 2048, CODE_OF_0 = 32768,
       RARE = 1000,             /* a value that one window in so many exceeds is still usual */
       ROWS_AROUND = 2,         /* rows above and below that share their usual speed */
       SHARE = 120 };           /* the feature is the mean over one cell in so many */
/* Logarithm of 16: a row has a usual speed of its own if its fastest was at least a quarter of the fastest of all rows. */
#define SLOWEST_ROW 2.77f

uint16_t places_encode(float log)
{
    float code = roundf(log * CODES_PER_UNIT) + CODE_OF_0;
    return (uint16_t)fminf(fmaxf(code, 0), UINT16_MAX);
}

float places_decode(uint16_t code)
{
    return (float)(code - CODE_OF_0) / CODES_PER_UNIT;
}

/* Writes a cell's logarithms in the windows that are used, minus the windows' shifts. Returns their number. */
static size_t gather(float *values, const uint16_t *codes, const float *shifts, size_t n, const uint8_t *use)
{
    size_t m = 0;
    for (size_t i = 0; i < n; i++)
        if (use[i])
            values[m++] = places_decode(codes[i]) - (shifts ? shifts[i] : 0);
    assert(m > 0);
    return m;
}

static float highest_usual(float *values, size_t n)
{
    largest_select(values, n, n / RARE + 1);
    return values[n / RARE];
}

static int most(int a, int b)
{
    return a > b ? a : b;
}

static int least(int a, int b)
{
    return a < b ? a : b;
}

/* Writes to each cell the maximum over the cells up to `above` rows and `beside` columns away. */
static void take_neighbours(float *to, const float *from, int rows, int columns, int above, int beside)
{
    for (int r = 0; r < rows; r++)
        for (int c = 0; c < columns; c++) {
            float top = -INFINITY;
            for (int i = most(r - above, 0); i <= least(r + above, rows - 1); i++)
                for (int j = most(c - beside, 0); j <= least(c + beside, columns - 1); j++)
                    top = fmaxf(top, from[i * columns + j]);
            to[r * columns + c] = top;
        }
}

static void fit_pace(float *usual, int rows, int columns, const uint16_t *codes, size_t n, const uint8_t *use, float *values,
                     float *own)
{
    float fastest = -INFINITY;
    for (int i = 0; i < rows * columns; i++) {
        own[i] = highest_usual(values, gather(values, codes + (size_t)i * n, NULL, n, use));
        fastest = fmaxf(fastest, own[i]);
    }
    take_neighbours(usual, own, rows, columns, 0, columns);
    for (int i = 0; i < rows * columns; i++)
        own[i] = usual[i] < fastest - SLOWEST_ROW ? fastest : usual[i];
    take_neighbours(usual, own, rows, columns, ROWS_AROUND, 0);
}

float places_shared_rise(const struct places *places, enum places_map map, const float *logs, int cells,
                         const struct regions *regions, float *scratch)
{
    size_t n = 0;
    for (int i = 0; map == PLACES_APPEARANCE && i < cells; i++)
        if (regions_hold(regions, REGIONS_ALL, i))
            scratch[n++] = logs[i] - places->typical_error[i];
    return n > 0 ? fmaxf(largest_median(scratch, n), 0) : 0;
}

static void fit_appearance(struct places *places, int rows, int columns, const uint16_t *codes, size_t n, const uint8_t *use,
                           float *values, float *shifts, float *own)
{
    int cells = rows * columns;
    float *usual = places->usual[PLACES_APPEARANCE], rise = -INFINITY;
    for (int i = 0; i < cells; i++)
        places->typical_error[i] = largest_median(values, gather(values, codes + (size_t)i * n, NULL, n, use));
    for (size_t w = 0; w < n; w++) {
        for (int i = 0; use[w] && i < cells; i++)
            usual[i] = places_decode(codes[(size_t)i * n + w]);
        if (use[w])
            shifts[w] = places_shared_rise(places, PLACES_APPEARANCE, usual, cells, NULL, own);
    }
    for (int i = 0; i < cells; i++) {
        size_t m = gather(values, codes + (size_t)i * n, shifts, n, use);
        own[i] = largest_median(values, m);
        rise = fmaxf(rise, highest_usual(values, m) - own[i]);
    }
    for (int i = 0; i < cells; i++)
        own[i] += rise;
    take_neighbours(usual, own, rows, columns, 1, 1);
}

void places_fit(struct places *ret, int rows, int columns, const uint16_t *codes, size_t n, const uint8_t *use,
                float *scratch)
{
    size_t cells = (size_t)rows * (size_t)columns;
    float *values = scratch, *shifts = scratch + n, *own = scratch + 2 * n;
    fit_pace(ret->usual[PLACES_PACE], rows, columns, codes + PLACES_PACE * cells * n, n, use, values, own);
    fit_appearance(ret, rows, columns, codes + PLACES_APPEARANCE * cells * n, n, use, values, shifts, own);
}

float places_excess(const struct places *places, enum places_map map, const float *logs, int cells,
                    const struct regions *regions, uint32_t which, float shared_rise, float *scratch)
{
    size_t n = 0, k = largest_share((size_t)cells, SHARE);
    for (int i = 0; i < cells; i++)
        if (regions_hold(regions, which, i))
            scratch[n++] = logs[i] - places->usual[map][i];
    return n > 0 ? largest_mean(scratch, n, n < k ? n : k) - shared_rise : -INFINITY;
}
