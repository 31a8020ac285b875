/* Events: what the daemon tells the outside world. One type and one list of names serve the log, webhooks, the configuration
 * and every later sink. Plain data; any thread. */
#ifndef MEMAED_CORE_EVENT_H
#define MEMAED_CORE_EVENT_H

#include <stdbool.h>

#include "core/record.h"

enum event_type {
    EVENT_ALERT_OPENED,
    EVENT_ALERT_CLOSED,
    EVENT_CAMERA_LOST,
    EVENT_CAMERA_RESTORED,
    EVENT_CAMERA_FROZEN,        /* pictures flow, but repeat for too long (static_limits.frozen_s) */
    EVENT_CAMERA_UNFROZEN,
    EVENT_CAMERA_SLOW,          /* the stream gives too few frames a second: windows count towards no alert */
    EVENT_CAMERA_SLOW_ENDED,
    EVENT_CAMERA_ARMED,         /* its alerts are sent again */
    EVENT_CAMERA_DISARMED,      /* its alerts are not sent, by its schedule or by somebody's order */
    EVENT_HEALTH_OPENED,        /* the camera's picture is at fault (docs/health.md) */
    EVENT_HEALTH_CLOSED,
    EVENT_DRIFT_BEGAN,          /* the last day's scores no longer follow the model's calibration */
    EVENT_DRIFT_ENDED,
    EVENT_NORMAL_CHANGED,       /* an alert has been open for so long that what it shows may be normal now */
    EVENT_WEBHOOK_DISABLED,     /* an endpoint of webhooks answered 410, and nothing is sent to it any more */
    EVENT_STORAGE_FULL,         /* the disk is short: evidence is deleted before its time, or nothing can be written */
    EVENT_STORAGE_RECOVERED,
    EVENT_TYPES                 /* how many there are */
};

/* The fault of a camera's picture that EVENT_HEALTH_OPENED and EVENT_HEALTH_CLOSED tell of. Texts are static. */
enum { EVENT_DETAILS = 4 };
struct sight;                   /* a picture of the camera (daemon/watch/health/sights.h) */
struct event_health {
    uint64_t id;                /* of the fault: the same as it opens and closes; no alert has it */
    const char *kind, *unit;    /* "moved", "%" (core/health/kind.h) */
    double quantity;            /* opened: its value then; closed: the worst value while the fault was open */
    double baseline, opens_at, closes_at;
    int64_t since_us;           /* UTC; when it began */
    struct sight *before;       /* of a fault that opened: the camera before it; borrowed; NULL: not known */
    struct sight *now;          /* the camera as the fault opened, or closed; borrowed; NULL: not known */
    int n_details;              /* further values of the kind, as it opened: the frequency of jitter, the place of a scene */
    struct {
        const char *key;        /* "frequency_hz" */
        double value;           /* NAN: not measured */
    } detail[EVENT_DETAILS];
};

struct event {
    enum event_type type;
    int64_t time_us;            /* UTC */
    const char *camera;         /* its name; borrowed; NULL for webhook disabled and storage */
    const char *webhook;        /* webhook disabled alone: the endpoint's key (io/sinks/webhook_config.h); borrowed; else NULL */
    const char *reason;         /* one sentence; borrowed; NULL for alerts */
    double quantity;            /* frozen, unfrozen: seconds; slow, slow ended: frames a second of the stream; drift: distance
                                 * (core/score/drift.h); normal changed: hours; storage: free bytes; else 0 */
    const struct alert_record *alert;   /* alerts alone; borrowed */
    const struct event_health *health;  /* health opened and closed alone; borrowed */
};

/* "msg_" and 128 random bits in hexadecimal: the id of an event, the same for all who are told of it. */
enum { EVENT_ID_SIZE = sizeof "msg_" + 32 };

/* An event as the database keeps it and receivers get it. */
struct event_record {
    uint64_t seq;               /* its number; from 1 on; numbers rise, also over restarts */
    enum event_type type;
    int64_t time_us;            /* UTC; when it happened */
    char *body;                 /* JSON, as webhooks carry it; by malloc() */
};

/* "alert.opened", "camera.lost" and so on. */
const char *event_type_name(enum event_type type);
/* Finds the type of that name. Returns false, ret untouched, if there is none. */
bool event_type_find(enum event_type *ret, const char *name);

/* The name of the event that tests a sink (`memaed check --connect`). It is not a type, so no set of types holds it. Nothing has
 * happened at any camera. */
#define EVENT_TEST_NAME "webhook.test"

/* A set of types, as a sink asks for them. */
static inline unsigned event_bit(enum event_type type) { return 1u << type; }
enum { EVENT_ALL = (1u << EVENT_TYPES) - 1 };

#endif
