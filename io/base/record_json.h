/* Records and events as JSON (core/record.h, core/event.h), the same for REST, webhooks and `memaed score`. A function of type
 * json_t gives a new reference that the caller owns, or NULL where memory is short. json_pack() with "o" fails if it gets such a
 * NULL. Times are RFC 3339 in UTC with milliseconds. Any thread. */
#ifndef MEMAED_IO_BASE_RECORD_JSON_H
#define MEMAED_IO_BASE_RECORD_JSON_H

#include <jansson.h>

#include "core/event.h"
#include "core/record.h"

/* A number with as few digits as it needs: a float reads 0.1, not 0.100000001. NaN and infinity become null. */
json_t *record_json_number(double x);
json_t *record_json_count(uint64_t n);
json_t *record_json_time(int64_t utc_us);
/* Text as a string; null if it is empty. If it is not UTF-8, as a file's name may be, each byte beyond ASCII becomes "?". */
json_t *record_json_text(const char *text);

json_t *boxes_json(const struct boxes *boxes);
json_t *zones_json(const struct zone_names *zones);
/* The names of a set of kinds of faults (core/health/kind.h). */
json_t *kinds_json(unsigned kinds);
/* The name of the loudest voice, or null; and an object with the value of each voice, null for one that the model does not
 * have. */
json_t *loudest_json(const struct voices *voices);
json_t *voices_json(const struct voices *voices);
json_t *score_json(const struct score_record *score);
json_t *alert_json(const struct alert_record *alert);
/* The "data" of an event: the alert, or an object. The object has "camera" ("webhook" for an event of a webhook), "reason" and,
 * if the event has one, its quantity: "seconds", "fps_in", "distance", "hours" or "free_bytes". A fault of the picture has the
 * members of struct event_health but for its pictures, with "since" as a time. The reason is redacted. */
json_t *event_json(const struct event *event);

/* The "data" of EVENT_TEST_NAME: "test" is true, and "reason" says in words that nothing has happened. */
json_t *event_test_json(void);

/* The body of an event as every sink gets it: {"type": type, "timestamp": …, "data": data}, compact. Takes the reference of data;
 * free() the text. NULL: data was NULL, or memory is short. */
char *event_body(const char *type, int64_t time_us, json_t *data);
/* Writes a new id. 0, or -EIO without random numbers. */
int event_new_id(char ret[EVENT_ID_SIZE]);

/* Compact text of root, whose reference it takes; free() it. NULL: root was NULL, or memory is short. */
char *record_json_dump(json_t *root);

#endif
