/* A second of a camera's pictures, and what is judged of it. Within core/health alone. */
#ifndef MEMAED_CORE_HEALTH_SECOND_H
#define MEMAED_CORE_HEALTH_SECOND_H

#include "core/health/displacement.h"
#include "core/health/health.h"
#include "core/health/recent.h"
#include "core/health/scene.h"
#include "core/health/shake.h"
#include "core/health/stillness.h"

struct second {
    struct look look;           /* the means */
    float lit_level[CELLS];     /* the levels of the last second that was in the scene's light */
    bool light_changes;
    float stripes;              /* against the last minute; NAN: there is none */
    struct light light;         /* against the last minute; off is infinite where there is none */
    float turned;               /* how far the mean colour went since the second before */
    float here, peak;           /* correlation with the scene, as of struct displacement; NAN: there is none */
    bool placed;                /* place is known */
    struct displacement place;  /* the median of the second's displacements */
    bool swings;                /* swing is known */
    struct shake_swing swing;
    float unchanged_s, same_s;  /* since more than few cells changed (stillness.h); since any pixel did */
    float rate;                 /* pictures a second, from the median interval of the last seconds; NAN: not known */
    float late;                 /* share of those seconds that late pictures took */
    float damaged;              /* share of the pictures of the last seconds that their decoder flagged */
};

/* Values that were learned in every light. */
struct usual {
    float contrast, high, clipped;      /* the least contrast and 95th percentile, and the most clipped pixels, of all scenes */
    float unchanged_s, same_s, rate, late, swing;
};

/* Returns by how much a cell's level differs when it has changed, and how many cells may. scene may be NULL; lit: the second
 * before was in its light. */
struct stillness_terms second_terms(const struct scene *scene, bool lit);

/* Judges a second. ret [HEALTH_KINDS] receives the quantity, baseline and thresholds of each kind; open and since_us are left.
 * scene: what the second is compared with; NULL: none. lit: its light is the scene's. recent counts in the same light alone. */
void second_judge(struct health_measure *ret, const struct second *second, const struct scene *scene, bool lit,
                  const struct recent *recent, const struct usual *usual, const struct displacement_tables *tables);

/* The same of a second of which all pictures were damaged, so that only rate, late and damaged are known of it. */
void second_judge_damaged(struct health_measure *ret, const struct second *second, const struct usual *usual);

#endif
