/* The last minute of a camera's pictures, while their light stays: what colour and stripes are compared with.
 *
 * Light that changes does so in a pattern: it falls on some places more than on others. What a camera does to its picture as a
 * whole, such as its exposure or a colour cast, changes each gray level alike, wherever it is. So the light is the same if one
 * gain and one offset turn the gray levels of the cells into those of now. White balance, which follows the light, is then no
 * colour cast, and a colour cast is no other light.
 *
 * Within core/health alone. Plain memory, without allocation; one thread. */
#ifndef MEMAED_CORE_HEALTH_RECENT_H
#define MEMAED_CORE_HEALTH_RECENT_H

#include <stdbool.h>

#include "core/health/scene.h"

struct recent {
    float level[CELLS];
    float saturation, u, v;             /* as of struct look */
    float picture[FIELD_SIZE];          /* the mean of reduced pictures */
    int seconds;                        /* in those means; 0: there are none */
};

/* Gray levels against those of a reference. */
struct light {
    float gain, offset;                 /* they turn the reference's levels into those of now */
    float off;                          /* the mean difference that is left, in gray levels, in the nearest 60 % of the cells */
};

/* Compares the gray levels of cells, both [CELLS]. Cells that something stands in front of count little. */
struct light light_compare(const float *reference, const float *level);
/* One pattern of light may differ in brightness; the same light differs little. */
bool light_has_same_pattern(const struct light *light);
bool light_is_same(const struct light *light);

/* Begins with a second, or with a scene that is known. picture [FIELD_SIZE] is of that second. */
void recent_begin(struct recent *recent, const struct look *look, const float *picture);
void recent_recall(struct recent *recent, const struct scene *scene);
/* Adds a second of the same light. */
void recent_follow(struct recent *recent, const struct look *look, const float *picture);

/* true: recent, which a file may have given, has finite numbers and a possible count of seconds. */
bool recent_is_sound(const struct recent *recent);

/* Subtracts the recent pictures, with the gain and offset of the light, from a reduced picture. ret and picture [FIELD_SIZE]. */
void recent_difference(float *ret, const struct recent *recent, const struct light *light, const float *picture);

#endif
