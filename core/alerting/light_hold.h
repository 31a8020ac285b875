/* Decides which alerts are those of a change of light alone. An alert that opens while the light changes is held back. Afterwards
 * the model may not know the new light, so that the score stays high. Alerts of that light are held back, too, until
 *
 *   - something has come into the picture, during the change or since, as far as the pictures tell; or
 *   - a score exceeds the light's own by the margin; or
 *   - the light changes again, and it gives a score of its own.
 *
 * The light's own score is the highest one during the change. An older one counts less, by a margin a second. The moment of a
 * switch may score much higher than the light that follows; so it soon counts no more.
 *
 * Pure state machine, driven by the times of the footage; one thread (or lock). */
#ifndef MEMAED_CORE_ALERTING_LIGHT_HOLD_H
#define MEMAED_CORE_ALERTING_LIGHT_HOLD_H

#include <stdbool.h>
#include <stdint.h>

struct light_hold {
    double margin;              /* > 0, in units of the score */
    bool changes;               /* the light, now */
    bool own;                   /* alerts are the light's: it has changed, nothing has come, and no score exceeded its own */
    double level;               /* the light's own score */
    int64_t level_us;           /* of the last score that counts in it */
};

void light_hold_init(struct light_hold *hold, double margin);

/* The light changes, or not. alone: nothing has come into the picture. Call it whenever either may have changed. */
void light_hold_light(struct light_hold *hold, bool changes, bool alone);
/* Takes the score of each window. Those that are not finite do not count. */
void light_hold_score(struct light_hold *hold, double score, int64_t time_us);
/* Returns true if alerts are the light's now that it has changed. */
bool light_hold_holds(const struct light_hold *hold);

#endif
