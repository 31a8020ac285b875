#include "core/health/stillness.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { RECENT = STILLNESS_SECONDS / 2,  /* seconds that noise is measured in */
       CLOCK = CELLS / 8,               /* cells of a clock at most, with its neighbours */
       DIGITS = 2,                      /* cells to each side of those that change every second */
       CLOCK_S = 8 };                   /* seconds after which a clock is told from other changes */
#define FINE 256.0f                     /* of struct stillness's levels in a gray level */
#define BUSY 0.7f                       /* the least share of the seconds in which a clock's cell changes */
#define NOISE 6.5f                      /* median differences that noise hardly exceeds: 4.4 standard deviations */
#define MOST_NOISE 0.1f                 /* gray levels; noise averages out in a cell, so a larger median difference is light */

void stillness_clear(struct stillness *stillness)
{
    stillness->n = stillness->next = 0;
}

static int place_of(const struct stillness *stillness, int seconds_ago)
{
    return (stillness->next - 1 - seconds_ago + STILLNESS_SECONDS) % STILLNESS_SECONDS;
}

/* The median of the last seconds' median differences. */
static float usual_stir(const struct stillness *stillness)
{
    float stir[RECENT];
    for (int i = 0; i < RECENT; i++)
        stir[i] = stillness->stir[place_of(stillness, i)];
    return measure_quantile(stir, RECENT, 0.5f);
}

/* Marks the cells of a clock: those that changed in nearly all of the seconds, and their neighbours. Too many are no clock. */
static void find_clock(bool *ret, const int *changes, int seconds)
{
    bool busy[CELLS];
    int n = 0, with_neighbours = 0;
    memset(ret, 0, CELLS * sizeof *ret);
    if (seconds < CLOCK_S)
        return;
    for (int i = 0; i < CELLS; i++) {
        int column = i % CELLS_ACROSS;
        busy[i] = (float)changes[i] > BUSY * (float)seconds;
        n += busy[i];
        for (int k = -DIGITS; busy[i] && k <= DIGITS; k++)
            if (column + k >= 0 && column + k < CELLS_ACROSS) {
                with_neighbours += !ret[i + k];
                ret[i + k] = true;
            }
    }
    if (with_neighbours <= CLOCK)
        return;
    for (int i = 0; i < CELLS; i++)
        ret[i] = busy[i] && n <= CLOCK;
}

/* Returns for how many seconds before the last one the picture has stood still. */
static int count_still(const struct stillness *stillness, const struct stillness_terms *terms)
{
    const uint16_t *now = stillness->level[place_of(stillness, 0)];
    int changes[CELLS] = {0}, still = 0;
    bool differs[CELLS] = {false}, clock[CELLS];
    float least = terms->least;
    float noise = terms->beyond_noise && stillness->n > RECENT ? usual_stir(stillness) : 0;
    if (noise < MOST_NOISE)
        least = fmaxf(least, NOISE * noise);
    least *= FINE;
    for (int ago = 1; ago < stillness->n; ago++) {
        const uint16_t *before = stillness->level[place_of(stillness, ago)];
        const uint16_t *after = stillness->level[place_of(stillness, ago - 1)];
        int different = 0;
        for (int i = 0; i < CELLS; i++) {
            differs[i] = differs[i] || (float)abs(before[i] - now[i]) > least;
            changes[i] += (float)abs(before[i] - after[i]) > least;
        }
        find_clock(clock, changes, ago);
        for (int i = 0; i < CELLS; i++)
            different += differs[i] && !clock[i];
        if (different <= terms->few)
            still = ago;
    }
    return still;
}

float stillness_add(struct stillness *stillness, const float *level, const struct stillness_terms *terms, int64_t now_us)
{
    float differences[CELLS], stir = -1;
    for (int i = 0; i < CELLS; i++) {
        differences[i] = fabsf(level[i] - stillness->before[i]);
        stillness->level[stillness->next][i] = (uint16_t)lroundf(FINE * level[i]);
    }
    if (stillness->n > 0)
        stir = measure_quantile(differences, CELLS, 0.5f);
    memcpy(stillness->before, level, sizeof stillness->before);
    stillness->stir[stillness->next] = stir;
    stillness->end_us[stillness->next] = now_us;
    stillness->next = (stillness->next + 1) % STILLNESS_SECONDS;
    stillness->n += stillness->n < STILLNESS_SECONDS;
    int still = count_still(stillness, terms);
    if (still < STILLNESS_SECONDS - 1)          /* else it has stood still since before what is kept */
        stillness->since_us = stillness->end_us[place_of(stillness, still)];
    return stir;
}
