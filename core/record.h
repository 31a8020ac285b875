/* Records as plain data: a box, a score, an alert. A camera produces them, logs keep them, and REST and webhooks carry them
 * as JSON (io/base/record_json.h). Times are microseconds: UTC since 1970, or the stream's own time stamps (pts). */
#ifndef MEMAED_CORE_RECORD_H
#define MEMAED_CORE_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/voice.h"

enum { BOXES_MAX = 8, RECORD_NAME_SIZE = 65, ZONES_MOST = 16 /* of a camera */, ZONE_NAME_SIZE = 33 };

/* A rectangle of the picture as the network sees it, which is the whole picture of the camera whatever its size. */
struct box {
    float x, y, width, height;  /* fractions of the picture, 0 to 1, four decimals; (x, y) is the upper left corner */
    float score;                /* of its highest cell */
};

struct boxes {
    int n;
    struct box box[BOXES_MAX];  /* highest score first; equal scores go from top to bottom, then from left to right */
};

/* One window's score. */
struct score_record {
    uint64_t window, frame;     /* numbers; frame is the window's centre, first + length / 2 */
    int64_t time_us;            /* UTC of the centre frame */
    int64_t pts_us;             /* time stamp of the centre frame */
    bool is_static;             /* not computed: the numbers below and the boxes are those of the last computed window */
    bool is_slow;               /* its frames came too slowly: the numbers below are higher than those of the calibration */
    float reference, score;
    struct voices voices;
    float p_value;              /* share of normal windows that score as much or more; NAN: the model has no calibration, or
                                 * is_slow */
    struct boxes boxes;         /* empty while the score is low, or where the model cannot tell */
};

/* Names of zones (core/zones/zones.h), in the order of the configuration. */
struct zone_names {
    int n;
    char name[ZONES_MOST][ZONE_NAME_SIZE];
};

/* The kind says what an alert is made from. A camera has at most one open alert of each kind. */
enum alert_kind {
    ALERT_ANOMALY,              /* the scores of windows */
    ALERT_STILL,                /* what was left, taken or moved, or stays where nothing does (VOICE_STILL) */
    ALERT_KINDS                 /* how many there are */
};
const char *alert_kind_name(enum alert_kind kind);      /* "anomaly" */
/* Finds the kind of that name. Returns false, ret untouched, if there is none. */
bool alert_kind_find(enum alert_kind *ret, const char *name);

/* The reasons why an alert is suppressed, that is, not told: it goes to no sink, and lists leave it out unless asked. */
enum alert_suppressed {
    SUPPRESSED_NOT,
    SUPPRESSED_COOLDOWN,        /* a told alert closed a short time before */
    SUPPRESSED_RATE,            /* enough alerts were told within an hour */
    SUPPRESSED_DISARMED,        /* somebody had disarmed the camera (core/alerting/arming.h) */
    SUPPRESSED_SNOOZED,         /* somebody had snoozed it */
    SUPPRESSED_SCHEDULE,        /* the camera's schedule had no span */
    SUPPRESSED_HEALTH,          /* the camera's picture had a fault of a kind that holds alerts back */
    SUPPRESSED_REASONS          /* how many there are, with SUPPRESSED_NOT */
};
const char *alert_suppressed_name(enum alert_suppressed suppressed);    /* "cooldown"; "" of SUPPRESSED_NOT */
/* Finds the reason of that name. Returns false, *ret untouched, if there is none. */
bool alert_suppressed_find(enum alert_suppressed *ret, const char *name);

struct alert_record {
    uint64_t id;                /* rises from alert to alert; the milliseconds of opened_us, or more (daemon/watch/alertlog.h) */
    uint64_t entry;             /* its place in the order of openings and closings (io/database/alert_rows.h) */
    bool interrupted;           /* memaed ended while the alert was open: closed_us is the last known time;
                                 * closed_pts_us has no meaning */
    enum alert_kind kind;
    bool test;                  /* asked for to test the sinks; nothing has happened */
    enum alert_suppressed suppressed;
    char camera[RECORD_NAME_SIZE];
    int64_t opened_us, closed_us;       /* UTC; closed_us is 0 while the alert is open */
    double peak_score;
    int64_t peak_us;            /* UTC of the window, or of the tick of VOICE_STILL, with the peak score */
    int64_t opened_pts_us, closed_pts_us, peak_pts_us;      /* the same as time stamps */
    struct voices voices;       /* at the peak, those that the alert is made from; others are NAN */
    struct boxes boxes;         /* at the peak */
    struct zone_names zones;    /* those that its boxes have touched so far */
    unsigned health;            /* kinds of faults that the picture had as the alert opened or while it was open: a set of
                                 * health_bit() (core/health/kind.h) */
    char opened_by[ZONE_NAME_SIZE];     /* the zone whose own budget opened it; "": the camera's */
};

/* "open", "closed" or "interrupted". */
const char *alert_state_name(const struct alert_record *alert);

/* The labels that people give an alert, with who gave them and when. */
enum { ALERT_NOTE_SIZE = 2048, ALERT_WHO_SIZE = 128 };
struct alert_labels {
    bool marked;                        /* retention keeps the alert and its evidence */
    char note[ALERT_NOTE_SIZE];         /* "": none */
    int64_t acknowledged_us, normal_us;         /* UTC; 0: not acknowledged, not called normal */
    char acknowledged_by[ALERT_WHO_SIZE], normal_by[ALERT_WHO_SIZE];
};

/* An order to change the labels of an alert. */
enum alert_action { ALERT_ACKNOWLEDGE, ALERT_MARK, ALERT_UNMARK, ALERT_NOTE, ALERT_NORMAL, ALERT_NORMAL_UNDO };
struct alert_order {
    uint64_t alert;                     /* its id */
    enum alert_action action;
    int64_t time_us;                    /* UTC */
    char by[RECORD_NAME_SIZE];          /* "": not said */
    char note[ALERT_NOTE_SIZE];         /* of ALERT_NOTE; "": removes it */
};

/* A log numbers its records from 0 without gaps and keeps those in [oldest, next). */
struct record_range {
    uint64_t oldest, next;
};

#endif
