#include "core/health/recent.h"

#include <math.h>
#include <string.h>

enum { MINUTE = 60, ROUNDS = 6 };
#define SAME 2.0f                       /* gray levels */
#define LEAST_GAIN 0.5f
#define MOST_GAIN 2.0f

/* Least squares, each time with less weight for the cells that fitted badly before. */
struct light light_compare(const float *reference, const float *level)
{
    float rest[CELLS], weight[CELLS];
    struct light light = {.gain = 1};
    for (int i = 0; i < CELLS; i++)
        weight[i] = 1;
    for (int round = 0; round < ROUNDS; round++) {
        float n = 0, x = 0, y = 0, xx = 0, xy = 0;
        for (int i = 0; i < CELLS; i++) {
            n += weight[i];
            x += weight[i] * reference[i];
            y += weight[i] * level[i];
        }
        x /= n;
        y /= n;
        for (int i = 0; i < CELLS; i++) {
            xx += weight[i] * (reference[i] - x) * (reference[i] - x);
            xy += weight[i] * (reference[i] - x) * (level[i] - y);
        }
        light.gain = xx > n ? xy / xx : 1;
        light.offset = y - light.gain * x;
        for (int i = 0; i < CELLS; i++) {
            weight[i] = level[i] - light.gain * reference[i] - light.offset;
            rest[i] = fabsf(weight[i]);
        }
        light.off = measure_nearest(rest);
        float usual = 2 * light.off + 1;
        for (int i = 0; i < CELLS; i++)
            weight[i] = 1 / (1 + weight[i] * weight[i] / (usual * usual));
    }
    return light;
}

bool light_has_same_pattern(const struct light *light)
{
    return light->off < SAME;
}

bool light_is_same(const struct light *light)
{
    return light_has_same_pattern(light) && light->gain > LEAST_GAIN && light->gain < MOST_GAIN;
}

void recent_begin(struct recent *recent, const struct look *look, const float *picture)
{
    memcpy(recent->level, look->level, sizeof recent->level);
    memcpy(recent->picture, picture, sizeof recent->picture);
    recent->saturation = look->saturation;
    recent->u = look->u;
    recent->v = look->v;
    recent->seconds = 1;
}

void recent_recall(struct recent *recent, const struct scene *scene)
{
    recent_begin(recent, &scene->look, scene->picture);
    recent->seconds = MINUTE;
}

void recent_follow(struct recent *recent, const struct look *look, const float *picture)
{
    recent->seconds += recent->seconds < MINUTE;
    float share = 1 / (float)recent->seconds;
    for (int i = 0; i < CELLS; i++)
        recent->level[i] += share * (look->level[i] - recent->level[i]);
    for (int i = 0; i < FIELD_SIZE; i++)
        recent->picture[i] += share * (picture[i] - recent->picture[i]);
    if (look->saturation < 0)
        return;
    if (recent->saturation < 0)
        share = 1;
    recent->saturation += share * (look->saturation - recent->saturation);
    recent->u += share * (look->u - recent->u);
    recent->v += share * (look->v - recent->v);
}

bool recent_is_sound(const struct recent *recent)
{
    bool sound = recent->seconds >= 0 && recent->seconds <= MINUTE && isfinite(recent->saturation) && isfinite(recent->u) &&
                 isfinite(recent->v);
    for (int i = 0; i < CELLS; i++)
        sound = sound && isfinite(recent->level[i]);
    for (int i = 0; i < FIELD_SIZE; i++)
        sound = sound && isfinite(recent->picture[i]);
    return sound;
}

void recent_difference(float *ret, const struct recent *recent, const struct light *light, const float *picture)
{
    for (int i = 0; i < FIELD_SIZE; i++)
        ret[i] = picture[i] - light->gain * recent->picture[i] - light->offset;
}
