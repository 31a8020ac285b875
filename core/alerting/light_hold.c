#include "core/alerting/light_hold.h"

#include <math.h>

void light_hold_init(struct light_hold *hold, double margin)
{
    *hold = (struct light_hold){.margin = margin, .level = -INFINITY};
}

void light_hold_light(struct light_hold *hold, bool changes, bool alone)
{
    if (changes && !hold->changes)
        hold->level = -INFINITY;
    hold->own = !changes && alone && (hold->own || hold->changes);
    hold->changes = changes;
}

void light_hold_score(struct light_hold *hold, double score, int64_t time_us)
{
    if (!isfinite(score))
        return;
    if (!hold->changes) {
        hold->own = hold->own && !(score > hold->level + hold->margin);
        return;
    }
    double passed_s = 1e-6 * fmax(0, (double)time_us - (double)hold->level_us);
    hold->level = fmax(score, hold->level - hold->margin * passed_s);
    hold->level_us = time_us;
}

bool light_hold_holds(const struct light_hold *hold)
{
    return hold->own;
}
