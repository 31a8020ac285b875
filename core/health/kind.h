/* The kinds of faults of a camera's picture. Plain data; any thread. */
#ifndef MEMAED_CORE_HEALTH_KIND_H
#define MEMAED_CORE_HEALTH_KIND_H

#include <stdbool.h>

enum health_kind {
    HEALTH_FROZEN,              /* nothing changes but in few places, such as a clock; else a sensor's noise goes on */
    HEALTH_SLOW,                /* fewer pictures a second than the camera's own rate */
    HEALTH_STUTTER,             /* pictures come late, again and again */
    HEALTH_BLACK,
    HEALTH_BRIGHT,              /* much of the picture is clipped to white */
    HEALTH_LOW_CONTRAST,
    HEALTH_COLOUR_LOST,         /* the colour went, the light did not: not what infrared light does */
    HEALTH_COLOUR_CAST,
    HEALTH_BLUR,
    HEALTH_COVERED,             /* part of the picture lost its detail and its gray level, or all of it did */
    HEALTH_NOISE,
    HEALTH_STRIPES,
    HEALTH_CORRUPT,             /* decoding, here or before, went wrong: blocks do not fit each other, rows were lost,
                                 * or many pictures are flagged as damaged */
    HEALTH_JITTER,
    HEALTH_MOVED,               /* the scene lies elsewhere in the picture, or is another */
    HEALTH_LIGHT,               /* no fault: the light changes */
    HEALTH_KINDS,
    HEALTH_FAULTS = HEALTH_LIGHT        /* the kinds before are faults */
};

/* The words for a kind in names, documents and messages. */
struct health_kind_info {
    const char *name;           /* "low_contrast" */
    const char *quantity;       /* what is measured, such as "gray levels from the 5th to the 95th percentile" */
    const char *unit;
    const char *says;           /* what is wrong: "the picture has little contrast" */
};
const struct health_kind_info *health_kind_info(enum health_kind kind);
/* The kind of that name. false, and *ret untouched, where there is none. */
bool health_kind_find(enum health_kind *ret, const char *name);

/* A set of kinds. */
static inline unsigned health_bit(enum health_kind kind) { return 1u << kind; }
enum { HEALTH_ALL = (1u << HEALTH_KINDS) - 1 };
/* Returns true if a camera with that fault does not see its scene. */
bool health_kind_blinds(enum health_kind kind);

#endif
