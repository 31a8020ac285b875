/* The scenes of a camera: its picture without a fault, one for each light, such as day, lamp and infrared. A scene is found again
 * by the gray levels of its cells, which blur, noise, lost colour and small movements leave as they are. What blur,
 * noise, covers and movements are told by is then compared with that scene.
 *
 * Plain memory, without allocation; one thread. */
#ifndef MEMAED_CORE_HEALTH_SCENE_H
#define MEMAED_CORE_HEALTH_SCENE_H

#include <stdbool.h>

#include "core/health/displacement.h"
#include "core/health/measure.h"

enum { SCENES = 8 };

/* The means of a second of pictures, or of all seconds of a scene. */
struct look {
    float low, high, clipped, noise;    /* as of struct measure; noise as a standard deviation */
    float level[CELLS], detail[CELLS];
    float stir;                         /* median difference of the levels from the second before; < 0: not known. Of a scene it
                                         * is what nearly every second reaches */
    float saturation, u, v;             /* chroma, in levels; saturation < 0: not known */
    float blocks;                       /* as of struct health_picture; < 0: not known */
};

struct scene {
    struct look look;
    float least_detail[CELLS];          /* that nearly every second reaches, so without that of passers-by */
    float picture[FIELD_SIZE];          /* the mean of reduced pictures */
    float normalised[FIELD_SIZE];       /* and of the same with normalised contrast */
    struct field edges;                 /* the mean transform of their edges */
    int seconds;                        /* of pictures in it; 0: no scene */
    long last;                          /* when it was seen last, in seconds of pictures of the camera */
};

struct scenes {
    struct scene scene[SCENES];
};

/* The distance of a look from a scene, in gray levels. It is the mean over the nearest 60 % of the cells, so that what is
 * covered or stands in front does not count. */
float scene_distance(const struct scene *scene, const struct look *look);

/* The nearest scene, where it is near enough; else -1. */
int scenes_find(const struct scenes *scenes, const struct look *look);

/* A picture of a second, in the forms that a scene keeps means of. Borrowed. */
struct view {
    const float *picture, *normalised;  /* [FIELD_SIZE] */
    const struct field *edges;
};

/* Adds a second to a scene: the first ones count evenly, later ones as a mean of the last ten minutes. */
void scene_add(struct scene *scene, const struct look *look, const struct view *view, long now);

/* The bytes of a struct scene may be damaged. Returns true if all values are finite, and the counts in range. */
bool scene_is_sound(const void *bytes);

/* Begins a new scene, in place of the one that was not seen for longest. Returns which. */
int scenes_begin(struct scenes *scenes, const struct look *look, const struct view *view, long now);

#endif
