#include "core/explanation.h"

#include <math.h>
#include <stdio.h>

/* The longest time between two events that is told: this many times the footage, and this many hours. */
static const double most_beyond = 1000, most_hours = 1000 * 24 * 365.25;

void rarity_words(char out[RARITY_SIZE], double hours, double footage_hours)
{
    static const struct {
        double hours;
        const char *name;
    } units[] = {{24 * 365.25, "year"}, {24, "day"}, {1, "hour"}};
    enum { UNITS = sizeof units / sizeof *units };
    double most = fmin(most_hours, most_beyond * footage_hours);        /* fmin() ignores NAN */
    const char *less = hours > most ? "less than " : "";
    out[0] = 0;
    if (isnan(hours) || hours <= 0)
        return;
    hours = fmin(hours, most);
    /* Take the largest unit of which the time has one or more, rounded to the nearest whole number. */
    for (int i = 0; i < UNITS; i++) {
        double n = hours / units[i].hours;
        if (n < 0.995)
            continue;
        if (round(n) < 2)
            snprintf(out, RARITY_SIZE, "%sonce %s %s", less, i == UNITS - 1 ? "an" : "a", units[i].name);
        else
            snprintf(out, RARITY_SIZE, "%sonce in %.0f %ss", less, n, units[i].name);
        return;
    }
    if (round(1 / hours) < 1000)
        snprintf(out, RARITY_SIZE, "%s%.0f times an hour", less, fmax(1 / hours, 2));
    else
        snprintf(out, RARITY_SIZE, "all the time");
}
