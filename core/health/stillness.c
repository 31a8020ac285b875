#include "core/health/stillness.h"

#include <math.h>
#include <string.h>

enum { DIFFERENT = CELLS / 8 };

void stillness_clear(struct stillness *stillness)
{
    stillness->begun = false;
}

float stillness_add(struct stillness *stillness, const float *level, float least, int64_t now_us)
{
    float differences[CELLS], stir = -1;
    int different = 0;
    for (int i = 0; i < CELLS; i++) {
        different += fabsf(level[i] - stillness->anchor[i]) > least;
        differences[i] = fabsf(level[i] - stillness->before[i]);
    }
    if (stillness->begun)
        stir = measure_quantile(differences, CELLS, 0.5f);
    if (!stillness->begun || different > DIFFERENT) {
        memcpy(stillness->anchor, level, sizeof stillness->anchor);
        stillness->anchor_us = now_us;
    }
    memcpy(stillness->before, level, sizeof stillness->before);
    stillness->begun = true;
    return stir;
}
