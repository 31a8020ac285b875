/* Diagnoses one camera's picture: tells while it is frozen, black, blurred, covered, shaken, moved and so on (enum health_kind).
 *
 * Pictures are measured one by one (core/health/measure.h, core/health/displacement.h) and judged once a second of their own
 * time. Each kind has one quantity. A fault opens when its quantity was beyond the opening threshold for some seconds in a row.
 * It closes when that was within the closing threshold for some. Thresholds follow from what the camera is like without a
 * fault, in the same light (core/health/scene.h). The first options.learn_s seconds of pictures are taken to be without a
 * fault, and none opens in them. Later seconds without a fault are learned, too, so that slow changes are followed.
 * A light that is new is learned when it has stayed for a while and the edges are where they were. After minutes it is learned
 * in spite of a fault, which may be the light's own. Colour and stripes are compared with the last minute
 * (core/health/recent.h).
 *
 * A fault that explains others keeps them from opening: a black picture is not blurred as well.
 *
 * One thread (or lock) for each object. Nothing is allocated after health_open(), which takes 1.3 MB and a byte for each pixel.
 * The same pictures give the same results. */
#ifndef MEMAED_CORE_HEALTH_HEALTH_H
#define MEMAED_CORE_HEALTH_HEALTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/health/kind.h"

enum { HEALTH_MIN_SIDE = 32, HEALTH_MAX_SIDE = 1024,
       HEALTH_WIDTH = 256,              /* a good width of the pictures; detail beyond it is not needed */
       HEALTH_BLACK_LEVEL = 24 };       /* a picture is black if the 95th percentile of its gray levels is less */
/* A longer hole between pictures is neither a stutter nor a freeze: the picture behind it is `anew`. */
#define HEALTH_HOLE_US INT64_C(4000000)

struct health;

struct health_options {
    int height, width;          /* of the pictures, HEALTH_MIN_SIDE to HEALTH_MAX_SIDE */
    double learn_s;             /* 10 or more */
    unsigned off;               /* kinds that never open, a set of health_bit(). They keep nothing from being learned, and still
                                 * explain others: a picture that is black is not covered as well */
};

struct health_picture {
    const uint8_t *luma;        /* [height, width], full range; borrowed for the call. Of a damaged picture it may be NULL */
    int64_t time_us;            /* rises from picture to picture, but where it begins anew */
    bool anew;                  /* times begin anew: nothing is compared with the pictures before, but what was learned stays */
    bool damaged;               /* its decoder flagged it: it counts as corrupt, and nothing is measured in it */
    /* Means over the colour picture, in levels of 8 bits. */
    bool has_colour;            /* false: they are not known */
    float saturation;           /* of the length of (u, v) */
    float u, v;                 /* 0: gray */
    bool has_blocks;            /* false: it is not known */
    float blocks;               /* share of the full picture with marks of wrong decoding */
};

/* A kind's quantity as it was last judged. */
struct health_measure {
    bool known;                 /* false: it was not measured, or there is nothing to compare it with; the rest is 0 then */
    double quantity, baseline;
    double on, off;             /* thresholds; beyond them is above, or below where on < off */
    bool open;                  /* the fault holds */
    int64_t since_us;           /* of an open fault: when its quantity went beyond the threshold */
};

struct health_change {
    enum health_kind kind;
    bool opened;                /* false: closed */
    int64_t time_us;            /* when the quantity went beyond the threshold, or came back */
    struct health_measure measure;      /* as of now; of a fault that closed, its quantity is the worst while it was open */
};

/* 0; -EINVAL: a size or a time is out of range; -ENOMEM. *ret is untouched on failure. */
int health_open(struct health **ret, const struct health_options *options);
void health_close(struct health *health);       /* takes NULL */

/* Takes the next picture. Writes what opened and closed with it to ret [HEALTH_KINDS]. Returns how many. */
int health_add(struct health *health, const struct health_picture *picture, struct health_change *ret);

/* true: the quantity is beyond the threshold for opening; or, second function, within the one for closing. */
bool measure_is_bad(const struct health_measure *m);
bool measure_is_good(const struct health_measure *m);

/* The quantity of each kind, ret [HEALTH_KINDS]. */
void health_measures(const struct health *health, struct health_measure *ret);

/* A value beside the quantity of a kind, as of the last second. Jitter has its frequency. A scene that moved has its place: right
 * and down in per cent of the picture's width, the rotation in degrees clockwise, the zoom in per cent. */
enum { HEALTH_DETAILS = 4 };
struct health_detail {
    const char *key;            /* "frequency_hz"; "right", "down", "rotation", "zoom" */
    double value;               /* NAN: not measured */
};
/* Returns how many the kind has. */
int health_details(const struct health *health, enum health_kind kind, struct health_detail ret[HEALTH_DETAILS]);

/* Returns the number of scenes that are known, for display. *known: the camera is in one of them. */
int health_scenes(const struct health *health, bool *known);

/* HEALTH_LIGHT is no fault, but holds while the light changes (core/health/light/light_change.h). No struct health_change tells
 * that: its measure does, after each picture. Returns true if nothing has come into the picture since the light changed, as far
 * as cells tell that lost their texture. */
bool health_light_is_alone(const struct health *health);

/* Pictures from now on are, or are no longer, known to be without a fault: they are learned, and nothing opens. Afterwards
 * options.learn_s counts no more. */
void health_set_clean(struct health *health, bool clean);

/* Returns true while pictures are taken to be without a fault. */
bool health_is_learning(const struct health *health);
/* The number of seconds of pictures that were learned, early and later ones. */
long health_learned(const struct health *health);

/* The baseline is what was learned, as bytes that the same build of this program reads again on the same machine. */
size_t health_baseline_size(const struct health *health);
void health_baseline(const struct health *health, void *ret);   /* ret [health_baseline_size()] */
/* Goes on with a baseline, which may be damaged or hostile. Call it before the first picture. 0; -EBADMSG: it is none of this
 * layout, or a value is out of range, and nothing has changed. Its pictures need not have had the size of these. */
int health_restore(struct health *health, const void *data, size_t size);
/* Learns anew, as after health_open(). Faults that are open are no more, without a change that tells it. */
void health_forget(struct health *health);

#endif
