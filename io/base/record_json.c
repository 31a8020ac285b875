#include "io/base/record_json.h"

#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "core/health/kind.h"
#include "core/utc.h"
#include "io/base/json.h"
#include "io/base/redact.h"

json_t *record_json_number(double x)
{
    if (!isfinite(x))
        return json_null();
    return fabs(x) <= (double)FLT_MAX && (double)(float)x == x ? float_to_json((float)x) : json_real(x);
}

json_t *record_json_count(uint64_t n)
{
    return json_integer((json_int_t)n);
}

json_t *record_json_time(int64_t utc_us)
{
    char text[UTC_SIZE];
    utc_format(text, utc_us);
    return json_string(text);
}

json_t *record_json_text(const char *text)
{
    if (!*text)
        return json_null();
    json_t *whole = json_string(text);
    if (whole)
        return whole;
    char clean[512];
    size_t n = 0;
    for (; text[n] && n < sizeof clean - 1; n++)
        clean[n] = (unsigned char)text[n] < 0x80 ? text[n] : '?';
    clean[n] = '\0';
    return json_string(clean);
}

json_t *boxes_json(const struct boxes *boxes)
{
    json_t *list = json_array();
    for (int i = 0; i < boxes->n && list; i++) {
        const struct box *b = &boxes->box[i];
        json_t *box = json_pack("{s:o, s:o, s:o, s:o, s:o}", "x", record_json_number(b->x), "y", record_json_number(b->y),
                                "width", record_json_number(b->width), "height", record_json_number(b->height), "score",
                                record_json_number(b->score));
        if (json_array_append_new(list, box) < 0) {
            json_decref(list);
            list = NULL;
        }
    }
    return list;
}

json_t *zones_json(const struct zone_names *zones)
{
    json_t *list = json_array();
    for (int i = 0; i < zones->n && list; i++)
        if (json_array_append_new(list, json_string(zones->name[i])) < 0) {
            json_decref(list);
            list = NULL;
        }
    return list;
}

json_t *kinds_json(unsigned kinds)
{
    json_t *list = json_array();
    for (int kind = 0; kind < HEALTH_KINDS && list; kind++)
        if (kinds >> kind & 1 && json_array_append_new(list, json_string(health_kind_info((enum health_kind)kind)->name)) < 0) {
            json_decref(list);
            list = NULL;
        }
    return list;
}

json_t *loudest_json(const struct voices *voices)
{
    enum voice loudest = voices_loudest(voices);
    return loudest == VOICES ? json_null() : json_string(voice_name(loudest));
}

json_t *voices_json(const struct voices *voices)
{
    json_t *object = json_object();
    for (int v = 0; v < VOICES && object; v++)
        if (json_object_set_new(object, voice_name((enum voice)v), record_json_number(voices->score[v])) < 0) {
            json_decref(object);
            object = NULL;
        }
    return object;
}

json_t *score_json(const struct score_record *s)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:b, s:o}",
                     "window", record_json_count(s->window), "time", record_json_time(s->time_us),
                     "pts_s", record_json_number((double)s->pts_us / 1e6), "frame", record_json_count(s->frame),
                     "reference", record_json_number(s->reference), "score", record_json_number(s->score),
                     "p_value", record_json_number(s->p_value), "voice", loudest_json(&s->voices),
                     "voices", voices_json(&s->voices), "static", s->is_static, "slow", s->is_slow,
                     "boxes", boxes_json(&s->boxes));
}

json_t *alert_json(const struct alert_record *a)
{
    bool closed = a->closed_us != 0;
    double closed_pts_s = closed && !a->interrupted ? (double)a->closed_pts_us / 1e6 : (double)NAN;
    return json_pack("{s:o, s:s, s:s, s:s, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
                     "id", record_json_count(a->id), "camera", a->camera, "kind", alert_kind_name(a->kind),
                     "state", alert_state_name(a), "test", a->test,
                     "suppressed", record_json_text(alert_suppressed_name(a->suppressed)),
                     "opened", record_json_time(a->opened_us), "closed", closed ? record_json_time(a->closed_us) : json_null(),
                     "peak_score", record_json_number(a->peak_score), "peak_time", record_json_time(a->peak_us),
                     "pts_s", record_json_number((double)a->opened_pts_us / 1e6),
                     "closed_pts_s", record_json_number(closed_pts_s),
                     "peak_pts_s", record_json_number((double)a->peak_pts_us / 1e6), "voice", loudest_json(&a->voices),
                     "voices", voices_json(&a->voices), "boxes", boxes_json(&a->boxes), "zones", zones_json(&a->zones),
                     "opened_by_zone", record_json_text(a->opened_by), "health", kinds_json(a->health));
}

/* Adds what is known of a fault to the data of its event. 0 or -1. */
static int add_health(json_t *data, const struct event_health *h)
{
    json_t *fault = json_pack("{s:o, s:s, s:o, s:s, s:o, s:o, s:o, s:o}", "id", record_json_count(h->id), "kind", h->kind,
                              "quantity", record_json_number(h->quantity), "unit", h->unit, "baseline",
                              record_json_number(h->baseline), "opens_at", record_json_number(h->opens_at), "closes_at",
                              record_json_number(h->closes_at), "since", record_json_time(h->since_us));
    int r = fault ? json_object_update(data, fault) : -1;
    json_decref(fault);
    for (int i = 0; i < h->n_details && r == 0; i++)
        r = json_object_set_new(data, h->detail[i].key, record_json_number(h->detail[i].value));
    return r;
}

json_t *event_json(const struct event *event)
{
    if (event->alert)
        return alert_json(event->alert);
    char reason[512];
    redact(reason, sizeof reason, event->reason);
    /* redact() may have cut a character in two: such a text is not UTF-8, and is left out. */
    json_t *text = json_string(reason);
    json_t *data = json_pack("{s:s*, s:o}", event->webhook ? "webhook" : "camera",
                             event->webhook ? event->webhook : event->camera, "reason", text ? text : json_string(""));
    const char *key = NULL;
    if (event->type == EVENT_CAMERA_FROZEN || event->type == EVENT_CAMERA_UNFROZEN)
        key = "seconds";
    else if (event->type == EVENT_CAMERA_SLOW || event->type == EVENT_CAMERA_SLOW_ENDED)
        key = "fps_in";
    else if (event->type == EVENT_DRIFT_BEGAN || event->type == EVENT_DRIFT_ENDED)
        key = "distance";
    else if (event->type == EVENT_NORMAL_CHANGED)
        key = "hours";
    else if (event->type == EVENT_STORAGE_FULL || event->type == EVENT_STORAGE_RECOVERED)
        key = "free_bytes";
    if (data && ((key && json_object_set_new(data, key, record_json_number(event->quantity)) < 0) ||
                 (event->health && add_health(data, event->health) < 0))) {
        json_decref(data);
        data = NULL;
    }
    return data;
}

json_t *event_test_json(void)
{
    return json_pack("{s:b, s:s}", "test", 1, "reason", "a test by memaed check --connect: nothing has happened at any camera");
}

char *record_json_dump(json_t *root)
{
    char *text = root ? json_dumps(root, JSON_COMPACT | JSON_REAL_PRECISION(15)) : NULL;
    json_decref(root);
    return text;
}

char *event_body(const char *type, int64_t time_us, json_t *data)
{
    return record_json_dump(json_pack("{s:s, s:o, s:o}", "type", type, "timestamp", record_json_time(time_us), "data", data));
}

int event_new_id(char ret[EVENT_ID_SIZE])
{
    unsigned char random[16];
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        return -EIO;
    memcpy(ret, "msg_", sizeof "msg_");
    for (size_t i = 0; i < sizeof random; i++)
        snprintf(ret + 4 + 2 * i, 3, "%02x", random[i]);
    return 0;
}
