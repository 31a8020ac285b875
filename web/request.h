/* A request: the target of its request line ("/path?name=value&…", percent-encoded) taken apart. Pure functions over text that
 * anyone may have sent (tests/fuzz/fuzz_query.c); any thread. */
#ifndef MEMAED_WEB_REQUEST_H
#define MEMAED_WEB_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/error.h"
#include "core/filter.h"
#include "core/record.h"
#include "web/cursor.h"

enum { WEB_TARGET_MAX = 2048, WEB_LIMIT_DEFAULT = 100, WEB_LIMIT_MAX = 1000 };
enum { WEB_SEGMENTS_MAX = 8, WEB_SEGMENT_SIZE = 128 };

/* The path, cut at each '/' and decoded. */
struct web_path {
    size_t n;
    char segments[WEB_SEGMENTS_MAX][WEB_SEGMENT_SIZE];
};

/* Parameters of a query, as bits. A new one is a row of the table in web/request.c. */
enum {
    WEB_SINCE = 1,
    WEB_LIMIT = 2,
    WEB_CAMERA = 4, WEB_STATE = 8, WEB_KIND = 16, WEB_FROM = 32, WEB_TO = 64, WEB_ACKNOWLEDGED = 4096, WEB_MARKED = 8192,
    WEB_SUPPRESSED = 65536,
    WEB_ALERT_FILTER = WEB_CAMERA | WEB_STATE | WEB_KIND | WEB_FROM | WEB_TO | WEB_ACKNOWLEDGED | WEB_MARKED | WEB_SUPPRESSED,
    WEB_CAMERAS = 128, WEB_TYPES = 256, WEB_ZONES = 131072, WEB_MIN_SCORE = 262144,
    WEB_EVENT_FILTER = WEB_CAMERAS | WEB_TYPES | WEB_ZONES | WEB_MIN_SCORE,
    WEB_LAST_EVENT_ID = 512,
    WEB_MINUTES = 1024, WEB_BY = 2048,
    WEB_STEP = 16384,
    WEB_NOTE = 32768,
};
enum { WEB_MINUTES_MAX = 527040 /* a year */, WEB_NOTE_SIZE = 1025 };

struct web_streams;

/* Header fields that handlers look at. NULL: not sent. Borrowed for the call of the handler. */
struct web_fields {
    const char *range, *if_range, *if_none_match, *if_modified_since, *last_event_id;
};

/* Values of the path, the query and the header. Which of them a request can have depends on its route (web/routes.h). */
struct web_request {
    char camera[RECORD_NAME_SIZE];  /* NAME of the path, which may be a webhook's id; or the parameter camera; "": none */
    uint64_t alert;                 /* ID of the path; 0: none */
    bool has_since;
    struct web_cursor since;
    bool latest;                    /* since=latest: the latest `limit` entries; has_since is false */
    size_t limit;                   /* WEB_LIMIT_DEFAULT where none is given */
    int minutes;                    /* 0: not given */
    char by[RECORD_NAME_SIZE];      /* who asks; "": not given */
    bool has_from, has_to;
    int64_t from_us, to_us;         /* UTC */
    bool by_minute;                 /* step=minute */
    bool has_note;
    char note[WEB_NOTE_SIZE];
    struct alert_filter alerts;     /* without its times */
    struct event_filter events;
    bool has_last_event_id;
    uint64_t last_event_id;         /* of the query */
    bool is_head;
    struct web_fields fields;
    struct web_streams *streams;    /* of the server (web/streams.h) */
};

/* 0; -EINVAL with the cause in err: the percent-encoding is broken or decodes to a byte 0. -ENOENT: the path does not begin
 * with '/', or has more or longer segments than any route. ret is written on success only. */
int web_parse_path(const char *target, size_t size, struct web_path *ret, struct error *err);

/* Reads the parameters in `known` into ret and leaves its other fields as they are. Other parameters are ignored. A parameter
 * with a list of values has commas between them, or is given several times. Any other known one must not be given twice. 0, or
 * -EINVAL with the cause in err. *parameter is the name of the wrong parameter (static), or NULL if the encoding of a name is
 * broken. It is always written, ret on success only. */
int web_parse_query(const char *target, size_t size, unsigned known, struct web_request *ret, const char **parameter,
                    struct error *err);

/* Values of a path's variables. 0, or -EINVAL (ret untouched). */
int web_parse_name(const char *text, char ret[RECORD_NAME_SIZE]);  /* a camera's: 1 to 64 of a-z, 0-9, _ and - */
int web_parse_number(const char *text, uint64_t max, uint64_t *ret);    /* 1 to max, no sign, blank or leading zero */
/* The id of an event: 0 to UINT64_MAX - 1, so that the next one exists. */
int web_parse_event_id(const char *text, uint64_t *ret);

#endif
