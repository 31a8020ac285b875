#include "core/health/shake.h"

#include <math.h>

#include "core/health/measure.h"

enum { QUARTERS = 4, FEWEST = 3 };      /* samples of a quarter */
#define SLOWEST_HZ 0.5f
#define STEP_HZ 0.0625f

void shake_clear(struct shake *shake)
{
    shake->n = shake->next = 0;
}

void shake_add(struct shake *shake, int64_t at_us, float x, float y)
{
    shake->at_us[shake->next] = at_us;
    shake->x[shake->next] = x;
    shake->y[shake->next] = y;
    shake->next = (shake->next + 1) % SHAKE_SAMPLES;
    shake->n += shake->n < SHAKE_SAMPLES;
}

struct window {
    float at[SHAKE_SAMPLES], x[SHAKE_SAMPLES], y[SHAKE_SAMPLES];     /* seconds from the window's middle; widths */
    int n;
};

/* Takes a steady movement from the values, so that a camera that turns does not swing. Its speed is the median of how the mean
 * goes on from quarter to quarter: a single step has none. */
static void level(const struct window *w, float *value, const int *end)
{
    float mean[QUARTERS], at[QUARTERS], speed[QUARTERS - 1];
    for (int q = 0; q < QUARTERS; q++) {
        int from = q > 0 ? end[q - 1] : 0;
        mean[q] = at[q] = 0;
        for (int i = from; i < end[q]; i++) {
            mean[q] += value[i] / (float)(end[q] - from);
            at[q] += w->at[i] / (float)(end[q] - from);
        }
        if (q > 0)
            speed[q - 1] = (mean[q] - mean[q - 1]) / (at[q] - at[q - 1]);
    }
    float usual = measure_quantile(speed, QUARTERS - 1, 0.5f);
    for (int i = 0; i < w->n; i++)
        value[i] -= usual * w->at[i];
}

static void centre(float *value, int n)
{
    float mean = 0;
    for (int i = 0; i < n; i++)
        mean += value[i] / (float)n;
    for (int i = 0; i < n; i++)
        value[i] -= mean;
}

/* The amplitude of a sine with the mean square of the samples from … to - 1, about their mean. */
static float amplitude(const struct window *w, int from, int to)
{
    double x = 0, y = 0, squares = 0, n = to - from;
    for (int i = from; i < to; i++) {
        x += (double)w->x[i] / n;
        y += (double)w->y[i] / n;
        squares += (double)(w->x[i] * w->x[i] + w->y[i] * w->y[i]) / n;
    }
    return (float)sqrt(2 * fmax(squares - x * x - y * y, 0));
}

/* The squared length of the projection on a sine, both axes together. */
static float power(const struct window *w, float hz)
{
    float c_x = 0, s_x = 0, c_y = 0, s_y = 0, cc = 1e-6f, ss = 1e-6f;
    for (int i = 0; i < w->n; i++) {
        float c = cosf(6.2831853f * hz * w->at[i]), s = sinf(6.2831853f * hz * w->at[i]);
        c_x += c * w->x[i];
        s_x += s * w->x[i];
        c_y += c * w->y[i];
        s_y += s * w->y[i];
        cc += c * c;
        ss += s * s;
    }
    return (c_x * c_x + c_y * c_y) / cc + (s_x * s_x + s_y * s_y) / ss;
}

/* The frequency of the strongest sine, up to half of the pictures' rate: a periodogram of samples at uneven times (Lomb,
 * 1976). */
static float frequency(const struct window *w)
{
    float seconds = w->at[w->n - 1] - w->at[0], best = 0, most = 0;
    float fastest = seconds > 0 ? 0.5f * (float)(w->n - 1) / seconds : 0;
    for (float hz = SLOWEST_HZ; hz <= fastest; hz += STEP_HZ) {
        float p = power(w, hz);
        if (p > most) {
            most = p;
            best = hz;
        }
    }
    return best;
}

bool shake_measure(const struct shake *shake, int64_t now_us, struct shake_swing *ret)
{
    struct window w = {.n = 0};
    int end[QUARTERS] = {0};
    for (int i = 0; i < shake->n; i++) {
        int k = (shake->next - shake->n + i + SHAKE_SAMPLES) % SHAKE_SAMPLES;
        int64_t before_us = now_us - shake->at_us[k];
        if (before_us >= SHAKE_WINDOW_US)
            continue;
        w.at[w.n] = 1e-6f * (float)(SHAKE_WINDOW_US / 2 - before_us);
        w.x[w.n] = shake->x[k];
        w.y[w.n] = shake->y[k];
        w.n++;
        for (int q = (int)((SHAKE_WINDOW_US - 1 - before_us) * QUARTERS / SHAKE_WINDOW_US); q < QUARTERS; q++)
            end[q] = w.n;
    }
    for (int q = 0; q < QUARTERS; q++)
        if (end[q] - (q > 0 ? end[q - 1] : 0) < FEWEST)
            return false;
    level(&w, w.x, end);
    level(&w, w.y, end);
    centre(w.x, w.n);
    centre(w.y, w.n);
    struct shake_swing swing = {.amplitude = amplitude(&w, 0, w.n), .steady = INFINITY, .frequency = frequency(&w)};
    for (int q = 0; q < QUARTERS; q++)
        swing.steady = fminf(swing.steady, amplitude(&w, q > 0 ? end[q - 1] : 0, end[q]));
    *ret = swing;
    return true;
}
