/* Jitter: how far and how fast a picture swings about its place, from its displacement over the last seconds. A single knock
 * that dies down, and a movement in one direction, are none. Plain memory; one thread. */
#ifndef MEMAED_CORE_HEALTH_SHAKE_H
#define MEMAED_CORE_HEALTH_SHAKE_H

#include <stdbool.h>
#include <stdint.h>

enum { SHAKE_SAMPLES = 160 };
#define SHAKE_WINDOW_US INT64_C(4000000)

struct shake {
    int64_t at_us[SHAKE_SAMPLES];       /* a ring */
    float x[SHAKE_SAMPLES], y[SHAKE_SAMPLES];
    int n, next;
};

struct shake_swing {
    float amplitude;            /* of a sine with the same mean square, in widths of the picture */
    float steady;               /* the same of the quietest quarter of the window about its own mean: after a knock, and before or
                                 * after a step, it is quiet */
    float frequency;            /* hertz, of the strongest sine; 0: not measured */
};

void shake_clear(struct shake *shake);
/* A displacement in widths of the picture; times rise. */
void shake_add(struct shake *shake, int64_t at_us, float x, float y);
/* Measures the swing of the samples since now_us - SHAKE_WINDOW_US. false: there are too few, *ret untouched. */
bool shake_measure(const struct shake *shake, int64_t now_us, struct shake_swing *ret);

#endif
