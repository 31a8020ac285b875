#include "core/health/scene.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

enum { MEMORY = 600 };
#define NEAR 8.0f                       /* gray levels */
#define PASSING 4.0f                    /* gray levels that a cell may differ by, to count in full */
#define FOLLOW 0.02f                    /* the least share of a new value in a cell's */

float scene_distance(const struct scene *scene, const struct look *look)
{
    float off[CELLS];
    for (int i = 0; i < CELLS; i++)
        off[i] = fabsf(look->level[i] - scene->look.level[i]);
    return measure_nearest(off);
}

int scenes_find(const struct scenes *scenes, const struct look *look)
{
    int best = -1;
    float least = NEAR;
    for (int i = 0; i < SCENES; i++) {
        float distance = scenes->scene[i].seconds > 0 ? scene_distance(&scenes->scene[i], look) : INFINITY;
        if (distance < least) {
            least = distance;
            best = i;
        }
    }
    return best;
}

static void blend(float *into, const float *from, int n, float share)
{
    for (int i = 0; i < n; i++)
        into[i] += share * (from[i] - into[i]);
}

/* As blend(), but a value goes no further at a time than as if it differed by `most`: a passer-by changes little. */
static void blend_bounded(float *into, float from, float most, float share)
{
    *into += share * fminf(fmaxf(from - *into, -most), most);
}

/* Moves `low` towards a value: slowly upwards, so that it becomes a low quantile of the values. */
static float follow_low(float low, float value, float share)
{
    return low + share * (value < low ? value - low : 0.1f * fminf(value - low, low + 0.01f));
}

/* Likewise for detail, in seconds: what is there 19 seconds of 20 stays. Detail that passers-by bring goes with them. */
static float follow_detail(float low, float detail)
{
    return low + (detail < low ? 0.2f * (detail - low) : 0.01f * fminf(detail - low, low + 1));
}

void scene_add(struct scene *scene, const struct look *look, const struct view *view, long now)
{
    struct look *mean = &scene->look;
    scene->seconds += scene->seconds < MEMORY;
    scene->last = now;
    float share = 1 / (float)scene->seconds;
    bool colour = look->saturation >= 0, coloured = mean->saturation >= 0;
    blend(&mean->low, &look->low, 1, share);
    blend(&mean->high, &look->high, 1, share);
    blend(&mean->clipped, &look->clipped, 1, share);
    blend(&mean->noise, &look->noise, 1, share);
    for (int i = 0; i < CELLS; i++) {
        bool first = scene->seconds == 1;
        blend_bounded(&mean->level[i], look->level[i], first ? INFINITY : PASSING, fmaxf(share, FOLLOW));
        blend_bounded(&mean->detail[i], look->detail[i], first ? INFINITY : 0.3f * mean->detail[i] + 1, fmaxf(share, FOLLOW));
        scene->least_detail[i] = first ? look->detail[i] : follow_detail(scene->least_detail[i], look->detail[i]);
    }
    if (look->stir >= 0)
        mean->stir = mean->stir < 0 ? look->stir : follow_low(mean->stir, look->stir, share);
    if (colour) {
        blend(&mean->saturation, &look->saturation, 1, coloured ? share : 1);
        blend(&mean->u, &look->u, 1, coloured ? share : 1);
        blend(&mean->v, &look->v, 1, coloured ? share : 1);
    }
    if (look->blocks >= 0)
        blend(&mean->blocks, &look->blocks, 1, mean->blocks < 0 ? 1 : share);
    blend(scene->picture, view->picture, FIELD_SIZE, share);
    blend(scene->normalised, view->normalised, FIELD_SIZE, share);
    blend(scene->edges.re, view->edges->re, FIELD_SIZE, share);
    blend(scene->edges.im, view->edges->im, FIELD_SIZE, share);
}

int scenes_begin(struct scenes *scenes, const struct look *look, const struct view *view, long now)
{
    int oldest = 0;
    for (int i = 1; i < SCENES; i++) {
        const struct scene *a = &scenes->scene[i], *b = &scenes->scene[oldest];
        if (b->seconds > 0 && (a->seconds == 0 || a->last < b->last))
            oldest = i;
    }
    struct scene *scene = &scenes->scene[oldest];
    memset(scene, 0, sizeof *scene);
    scene->look.saturation = scene->look.blocks = scene->look.stir = -1;
    scene_add(scene, look, view, now);
    return oldest;
}

/* All values before the counts are floats. */
_Static_assert(offsetof(struct scene, seconds) == sizeof(struct look) + (CELLS + 2 * FIELD_SIZE) * sizeof(float) +
                                                      sizeof(struct field),
               "floats without a hole");
_Static_assert(sizeof(struct look) % sizeof(float) == 0 && sizeof(struct field) == 2 * FIELD_SIZE * sizeof(float),
               "floats alone");

bool scene_is_sound(const void *bytes)
{
    const char *at = bytes;
    int seconds;
    long last;
    memcpy(&seconds, at + offsetof(struct scene, seconds), sizeof seconds);
    memcpy(&last, at + offsetof(struct scene, last), sizeof last);
    bool sound = seconds > 0 && seconds <= MEMORY && last >= 0;
    for (size_t i = 0; sound && i < offsetof(struct scene, seconds); i += sizeof(float)) {
        float value;
        memcpy(&value, at + i, sizeof value);
        sound = isfinite(value);
    }
    return sound;
}
