#include "io/sinks/snapshot.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gnutls/gnutls.h>
#include <jansson.h>

#include "core/utc.h"

/* The pictures of an event. */
enum { MEMBERS_MOST = 2 };
static const struct { const char *type; struct { const char *name, *file; } members[MEMBERS_MOST]; } events[] = {
    {"alert.opened", {{"snapshot", "snapshot"}}},
    {"alert.closed", {{"snapshot", "snapshot"}}},
    {"health.opened", {{"before", "before"}, {"after", "fault"}}},
    {"health.closed", {{"before", "fault"}, {"after", "after"}}},
};
enum { EVENTS = sizeof events / sizeof events[0] };

/* An alert or a fault. */
struct told {
    int event;                  /* its place in events[] */
    bool is_fault;
    struct snapshot_place place;
};

/* Reads what an event's body tells of. false: the event has no pictures, or it is of a test. */
static bool read_body(struct told *ret, const char *body)
{
    json_t *root = json_loads(body, 0, NULL);
    const json_t *data = json_object_get(root, "data");
    const char *type = json_string_value(json_object_get(root, "type"));
    const char *camera = json_string_value(json_object_get(data, "camera"));
    const char *opened = json_string_value(json_object_get(data, "opened"));
    const json_t *id = json_object_get(data, "id");
    int event = 0;
    while (event < EVENTS && !(type && strcmp(type, events[event].type) == 0))
        event++;
    bool found = event < EVENTS && camera && json_is_integer(id) && !json_is_true(json_object_get(data, "test"));
    if (found) {
        *ret = (struct told){.event = event, .is_fault = strncmp(type, "health.", 7) == 0,
                             .place = {.id = (uint64_t)json_integer_value(id)}};
        ret->place.opened_us = (int64_t)ret->place.id * 1000;
        snprintf(ret->place.camera, sizeof ret->place.camera, "%s", camera);
        found = ret->is_fault || (opened && utc_parse(opened, &ret->place.opened_us) == 0);
    }
    json_decref(root);
    return found;
}

/* The result of looking for a picture. */
struct found {
    int status;                 /* of the store's read() */
    size_t size;
    void *jpeg;                 /* NULL: it was not read */
};

static json_t *to_base64(const struct found *found)
{
    const gnutls_datum_t raw = {found->jpeg, (unsigned)found->size};
    gnutls_datum_t text;
    if (gnutls_base64_encode2(&raw, &text) < 0)
        return NULL;
    json_t *string = json_stringn((const char *)text.data, text.size);
    gnutls_free(text.data);
    return string;
}

/* Where the picture can be had. */
static json_t *to_url(const struct told *told, const char *public_url)
{
    const struct snapshot_place *place = &told->place;
    const char *base = public_url ? public_url : "";
    return told->is_fault
        ? json_sprintf("%s/api/v1/cameras/%s/faults/%" PRIu64 "/%s", base, place->camera, place->id, place->file)
        : json_sprintf("%s/api/v1/alerts/%" PRIu64 "/%s", base, place->id, place->file);
}

static json_t *to_json(const struct found *found, const struct told *told, enum config_snapshot wanted, size_t most,
                       const char *public_url)
{
    const char *what = told->is_fault ? "picture" : "snapshot";
    if (found->status == -ENOENT)
        return json_pack("{s:o}", "reason", json_sprintf("the %s has no %s, or it is no longer kept",
                                                         told->is_fault ? "fault" : "alert", what));
    if (found->status < 0)
        return json_pack("{s:o}", "reason", json_sprintf("the %s cannot be read: %s", what, strerror(-found->status)));
    json_t *url = to_url(told, public_url);
    if (wanted != CONFIG_SNAPSHOT_INLINE)
        return json_pack("{s:o}", "url", url);
    if (!found->jpeg)
        return json_pack("{s:o, s:o}", "url", url, "reason",
                         json_sprintf("the %s has %zu bytes, expected at most %zu (snapshot_max_kib): fetch it by its url",
                                      what, found->size, most));
    return json_pack("{s:o, s:s, s:I, s:o}", "url", url, "type", "image/jpeg", "bytes", (json_int_t)found->size, "base64",
                     to_base64(found));
}

/* Adds a picture's object to an object. 0 or -ENOMEM. */
static int add_picture(json_t *object, const char *name, const struct told *told, enum config_snapshot wanted, size_t most,
                       const char *public_url, const struct snapshot_store *store)
{
    struct found found = {.jpeg = NULL};
    void **jpeg = wanted == CONFIG_SNAPSHOT_INLINE ? &found.jpeg : NULL;
    found.status = store->read(store->arg, &told->place, most, jpeg, &found.size);
    int r = found.status == -ENOMEM || json_object_set_new(object, name, to_json(&found, told, wanted, most, public_url)) < 0;
    free(found.jpeg);
    return r ? -ENOMEM : 0;
}

int snapshot_add(char **ret, size_t *ret_size, const char *body, size_t size, enum config_snapshot wanted, size_t most,
                 const char *public_url, const struct snapshot_store *store)
{
    static const char end[] = "}}";
    struct told told;
    if (wanted == CONFIG_SNAPSHOT_NONE || !store->read || size < sizeof end - 1 || strcmp(body + size - 2, end) != 0 ||
        !read_body(&told, body))
        return 1;
    json_t *object = json_object();
    int r = object ? 0 : -ENOMEM;
    for (int i = 0; i < MEMBERS_MOST && events[told.event].members[i].name && r == 0; i++) {
        told.place.file = events[told.event].members[i].file;
        r = add_picture(object, events[told.event].members[i].name, &told, wanted, most, public_url, store);
    }
    char *text = r == 0 ? json_dumps(object, JSON_COMPACT) : NULL;
    json_decref(object);
    /* The body's own text stays as it is: numbers keep their digits. The object's members go on with its own. */
    char *whole = NULL;
    int n = text ? asprintf(&whole, "%.*s,%s}", (int)(size - 2), body, text + 1) : -1;
    free(text);
    if (n < 0)
        return -ENOMEM;
    *ret = whole;
    *ret_size = (size_t)n;
    return 0;
}
