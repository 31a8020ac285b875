#include "core/health/rate.h"

#include <math.h>
#include <string.h>

#include "core/health/measure.h"

void rate_clear(struct rate *rate)
{
    rate->n = rate->next = 0;
}

void rate_add(struct rate *rate, int64_t at_us)
{
    rate->at_us[rate->next] = at_us;
    rate->next = (rate->next + 1) % RATE_PICTURES;
    rate->n += rate->n < RATE_PICTURES;
}

void rate_measure(const struct rate *rate, int64_t now_us, float *per_s, float *late)
{
    float interval[RATE_PICTURES], sorted[RATE_PICTURES], seconds = 0, exceeding = 0;
    int n = 0;
    for (int i = 1; i < rate->n; i++) {
        int at = (rate->next - i + RATE_PICTURES) % RATE_PICTURES, before = (at - 1 + RATE_PICTURES) % RATE_PICTURES;
        if (now_us - rate->at_us[before] > RATE_S * INT64_C(1000000))
            break;
        interval[n++] = 1e-6f * (float)(rate->at_us[at] - rate->at_us[before]);
    }
    *per_s = *late = NAN;
    if (n < 2)
        return;
    memcpy(sorted, interval, sizeof *sorted * (size_t)n);
    float median = measure_quantile(sorted, n, 0.5f);
    for (int i = 0; i < n; i++) {
        seconds += interval[i];
        exceeding += interval[i] > 2.5f * median ? interval[i] - median : 0;
    }
    if (seconds < RATE_S / 2)
        return;
    *per_s = 1 / median;
    *late = exceeding / seconds;
}

float damage_second(struct damage *damage, int damaged, int pictures)
{
    float sum = 0;
    damage->share[damage->next] = (float)damaged / (float)pictures;
    damage->next = (damage->next + 1) % DAMAGE_S;
    damage->sound_s = damaged > 0 ? 0 : damage->sound_s + 1;
    if (damage->sound_s >= DAMAGE_OVER_S) {
        memset(damage->share, 0, sizeof damage->share);
        damage->sound_s = DAMAGE_OVER_S;
    }
    for (int i = 0; i < DAMAGE_S; i++)
        sum += damage->share[i];
    return sum / DAMAGE_S;
}
