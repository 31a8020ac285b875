#include "core/health/displacement.h"

#include <math.h>
#include <string.h>

enum { UNKNOWNS = 4, STEPS = 6,                 /* shift x and y, rotation, zoom */
       AROUND = 4 };                            /* values to each side that contrast is normalised by */
#define FADE 0.15f                              /* the share of the picture over which the window rises, at each side */
#define WEAK_GRADIENT 4.0f                      /* gray levels over two pixels; weaker ones count less, as noise does */
#define FLAT 4.0f                               /* gray levels; a standard deviation of this is noise */
#define ROBUST 0.7f                             /* a residual of this counts half */
#define EXPLAINED 0.12                          /* the share of the residuals that a displacement has to take away */
#define WHITEN 0.3f                             /* the share of the mean magnitude below which frequencies count less */

static float fade(int i, int n)
{
    float at = ((float)i + 0.5f) / (float)n;
    at = (at < 0.5f ? at : 1 - at) / FADE;
    return at >= 1 ? 1 : 0.5f - 0.5f * cosf(3.14159265f * at);
}

void displacement_tables(struct displacement_tables *ret, int height, int width)
{
    field_roots(&ret->roots);
    for (int x = 0; x < FIELD_WIDTH; x++)
        ret->fade_x[x] = fade(x, FIELD_WIDTH);
    for (int y = 0; y < FIELD_HEIGHT; y++)
        ret->fade_y[y] = fade(y, FIELD_HEIGHT);
    ret->across = 1.0f / FIELD_WIDTH;
    ret->down = (float)height / (float)width / FIELD_HEIGHT;
}

void displacement_edges(struct field *ret, const float *picture, const struct displacement_tables *tables)
{
    memset(ret, 0, sizeof *ret);
    for (int y = 1; y < FIELD_HEIGHT - 1; y++)
        for (int x = 1; x < FIELD_WIDTH - 1; x++) {
            int i = y * FIELD_WIDTH + x;
            float gx = picture[i + 1] - picture[i - 1], gy = picture[i + FIELD_WIDTH] - picture[i - FIELD_WIDTH];
            float scale = tables->fade_y[y] * tables->fade_x[x] / (gx * gx + gy * gy + WEAK_GRADIENT * WEAK_GRADIENT);
            ret->re[i] = scale * (gx * gx - gy * gy);
            ret->im[i] = scale * 2 * gx * gy;
        }
    field_transform(ret, &tables->roots);
}

/* Sums of 2 * AROUND + 1 values along n values, step apart, cut at the ends; and how many each has. */
static void sum_along(float *ret, const float *from, int n, int step)
{
    float sum = 0;
    for (int i = 0; i < AROUND; i++)
        sum += from[i * step];
    for (int i = 0; i < n; i++) {
        if (i + AROUND < n)
            sum += from[(i + AROUND) * step];
        if (i - AROUND > 0)
            sum -= from[(i - AROUND - 1) * step];
        ret[i * step] = sum;
    }
}

static int count_around(int i, int n)
{
    int from = i - AROUND, to = i + AROUND;
    return (to < n ? to : n - 1) - (from > 0 ? from : 0) + 1;
}

/* The sums of the values around each, in place; scratch [FIELD_SIZE]. */
static void sum_around(float *values, float *scratch)
{
    for (int y = 0; y < FIELD_HEIGHT; y++)
        sum_along(scratch + y * FIELD_WIDTH, values + y * FIELD_WIDTH, FIELD_WIDTH, 1);
    for (int x = 0; x < FIELD_WIDTH; x++)
        sum_along(values + x, scratch + x, FIELD_HEIGHT, FIELD_WIDTH);
}

void displacement_normalise(float *ret, const float *picture)
{
    float sums[FIELD_SIZE], squares[FIELD_SIZE];
    for (int i = 0; i < FIELD_SIZE; i++) {
        sums[i] = picture[i];
        squares[i] = picture[i] * picture[i];
    }
    sum_around(sums, ret);
    sum_around(squares, ret);
    for (int i = 0; i < FIELD_SIZE; i++) {
        int n = count_around(i % FIELD_WIDTH, FIELD_WIDTH) * count_around(i / FIELD_WIDTH, FIELD_HEIGHT);
        float mean = sums[i] / (float)n, variance = fmaxf(squares[i] / (float)n - mean * mean, 0);
        ret[i] = (picture[i] - mean) / (sqrtf(variance) + FLAT);
    }
}

/* The place of a parabola's top through three values, from -0.5 to 0.5. */
static float top(float before, float at, float after)
{
    float bend = before - 2 * at + after;
    float place = bend < 0 ? 0.5f * (before - after) / bend : 0;
    return fminf(fmaxf(place, -0.5f), 0.5f);
}

void displacement_correlate(struct displacement *ret, const struct field *edges, const struct field *reference,
                            struct field *scratch, const struct displacement_tables *tables)
{
    float sum = 0;
    for (int i = 0; i < FIELD_SIZE; i++) {
        scratch->re[i] = edges->re[i] * reference->re[i] + edges->im[i] * reference->im[i];
        scratch->im[i] = edges->im[i] * reference->re[i] - edges->re[i] * reference->im[i];
        sum += fabsf(scratch->re[i]) + fabsf(scratch->im[i]);
    }
    float floor = WHITEN * sum / FIELD_SIZE + 1e-12f;
    for (int i = 0; i < FIELD_SIZE; i++) {
        float scale = 1 / (sqrtf(scratch->re[i] * scratch->re[i] + scratch->im[i] * scratch->im[i]) + floor);
        scratch->re[i] *= scale;
        scratch->im[i] *= scale;
    }
    field_inverse(scratch, &tables->roots);
    int best = 0;
    for (int i = 1; i < FIELD_SIZE; i++)
        if (scratch->re[i] > scratch->re[best])
            best = i;
    int x = best % FIELD_WIDTH, y = best / FIELD_WIDTH, row = y * FIELD_WIDTH;
    float dx = top(scratch->re[row + (x + FIELD_WIDTH - 1) % FIELD_WIDTH], scratch->re[best],
                   scratch->re[row + (x + 1) % FIELD_WIDTH]);
    float dy = top(scratch->re[(y + FIELD_HEIGHT - 1) % FIELD_HEIGHT * FIELD_WIDTH + x], scratch->re[best],
                   scratch->re[(y + 1) % FIELD_HEIGHT * FIELD_WIDTH + x]);
    *ret = (struct displacement){.here = scratch->re[0], .peak = scratch->re[best],
                                 .x = ((float)(x < FIELD_WIDTH / 2 ? x : x - FIELD_WIDTH) + dx) * tables->across,
                                 .y = ((float)(y < FIELD_HEIGHT / 2 ? y : y - FIELD_HEIGHT) + dy) * tables->down};
}

/* Solves a x = b, both overwritten, by elimination; the result is in b. false: a has no inverse. */
static bool solve(double a[UNKNOWNS][UNKNOWNS], double b[UNKNOWNS])
{
    for (int i = 0; i < UNKNOWNS; i++) {
        if (a[i][i] < 1e-9)     /* a is symmetric and not negative: no rows are exchanged */
            return false;
        for (int j = i + 1; j < UNKNOWNS; j++) {
            double f = a[j][i] / a[i][i];
            for (int k = i; k < UNKNOWNS; k++)
                a[j][k] -= f * a[i][k];
            b[j] -= f * b[i];
        }
    }
    for (int i = UNKNOWNS - 1; i >= 0; i--) {
        for (int k = i + 1; k < UNKNOWNS; k++)
            b[i] -= a[i][k] * b[k];
        b[i] /= a[i][i];
    }
    return true;
}

/* The picture at a place between pixels. false: outside. */
static bool sample(float *ret, const float *picture, float x, float y)
{
    if (!(x >= 0 && y >= 0 && x < FIELD_WIDTH - 1 && y < FIELD_HEIGHT - 1))
        return false;
    int left = (int)x, above = (int)y;
    const float *at = picture + above * FIELD_WIDTH + left;
    float fx = x - (float)left, fy = y - (float)above;
    *ret = (1 - fy) * (at[0] + fx * (at[1] - at[0])) + fy * (at[FIELD_WIDTH] + fx * (at[FIELD_WIDTH + 1] - at[FIELD_WIDTH]));
    return true;
}

/* Returns the sum of the residuals: how far the pictures differ at d, each value as far as it counts. INFINITY: fewer than a
 * fifth of the values overlap. Writes the normal equations to a and b unless they are NULL. */
static double differ(const struct displacement *d, const float *picture, const float *reference,
                     const struct displacement_tables *tables, double a[UNKNOWNS][UNKNOWNS], double b[UNKNOWNS])
{
    double weights = 0, residuals = 0;
    for (int y = 2; y < FIELD_HEIGHT - 2; y++)
        for (int x = 2 + y % 2; x < FIELD_WIDTH - 2; x += 2) {  /* every second value, as on a chessboard */
            int i = y * FIELD_WIDTH + x;
            float across = ((float)x - FIELD_WIDTH / 2.0f) * tables->across;
            float down = ((float)y - FIELD_HEIGHT / 2.0f) * tables->down;
            float to_x = d->x - d->rotation * down + d->zoom * across, to_y = d->y + d->rotation * across + d->zoom * down, value;
            if (!sample(&value, picture, (float)x + to_x / tables->across, (float)y + to_y / tables->down))
                continue;
            float weight = tables->fade_y[y] * tables->fade_x[x];
            float r = value - reference[i], count = weight * ROBUST / (ROBUST + fabsf(r));
            weights += (double)weight;
            residuals += (double)(count * fabsf(r));
            if (!a)
                continue;
            float gx = 0.5f * (reference[i + 1] - reference[i - 1]) / tables->across;
            float gy = 0.5f * (reference[i + FIELD_WIDTH] - reference[i - FIELD_WIDTH]) / tables->down;
            const float j[UNKNOWNS] = {gx, gy, gy * across - gx * down, gx * across + gy * down};
            for (int k = 0; k < UNKNOWNS; k++) {
                for (int l = 0; l < UNKNOWNS; l++)
                    a[k][l] += (double)(count * j[k] * j[l]);
                b[k] -= (double)(count * j[k] * r);
            }
        }
    return weights < 0.1 * FIELD_SIZE ? (double)INFINITY : residuals / weights;
}

/* One step of least squares. Returns how far it went, in values, or -1: there is none. */
static float refine_step(struct displacement *d, const float *picture, const float *reference,
                         const struct displacement_tables *tables)
{
    double a[UNKNOWNS][UNKNOWNS] = {{0}}, b[UNKNOWNS] = {0};
    if (isinf(differ(d, picture, reference, tables, a, b)) || !solve(a, b))
        return -1;
    d->x += (float)b[0];
    d->y += (float)b[1];
    d->rotation += (float)b[2];
    d->zoom += (float)b[3];
    return fabsf((float)b[0]) / tables->across + fabsf((float)b[1]) / tables->down +
           FIELD_WIDTH / 2.0f * (fabsf((float)b[2]) + fabsf((float)b[3]));
}

void displacement_refine(struct displacement *ret, const float *picture, const float *reference,
                         const struct displacement_tables *tables)
{
    struct displacement d = *ret, none = {.here = ret->here, .peak = ret->peak, .refined = true};
    float moved = 0;
    for (int i = 0; i < STEPS && moved >= 0; i++) {
        moved = refine_step(&d, picture, reference, tables);
        if (moved >= 0 && moved < 0.02f)
            break;
    }
    bool converged = moved >= 0 && moved < 0.5f && fabsf(d.x - ret->x) < 2 * tables->across &&
                     fabsf(d.y - ret->y) < 2 * tables->down && fabsf(d.rotation) < 0.2f && fabsf(d.zoom) < 0.2f;
    bool explains = converged && differ(&d, picture, reference, tables, NULL, NULL) <
                                 (1 - EXPLAINED) * differ(&none, picture, reference, tables, NULL, NULL);
    d.refined = true;
    if (explains)
        *ret = d;
    else if (fabsf(ret->x) < 1.5f * tables->across && fabsf(ret->y) < 1.5f * tables->down)
        *ret = none;
}

float displacement_length(const struct displacement *d, const struct displacement_tables *tables)
{
    float height = tables->down * FIELD_HEIGHT;
    return sqrtf(d->x * d->x + d->y * d->y + (d->rotation * d->rotation + d->zoom * d->zoom) * (1 + height * height) / 12);
}
