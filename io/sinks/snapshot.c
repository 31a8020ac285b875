#include "io/sinks/snapshot.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gnutls/gnutls.h>
#include <jansson.h>

#include "core/utc.h"

/* Reads the alert of an event's body. false: the event tells of none, or of a test. */
static bool read_alert(struct snapshot_alert *ret, const char *body)
{
    json_t *root = json_loads(body, 0, NULL);
    const json_t *data = json_object_get(root, "data");
    const char *type = json_string_value(json_object_get(root, "type"));
    const char *camera = json_string_value(json_object_get(data, "camera"));
    const char *opened = json_string_value(json_object_get(data, "opened"));
    const json_t *id = json_object_get(data, "id");
    bool found = type && strncmp(type, "alert.", 6) == 0 && camera && json_is_integer(id) && opened &&
                 utc_parse(opened, &ret->opened_us) == 0 && !json_is_true(json_object_get(data, "test"));
    if (found) {
        ret->id = (uint64_t)json_integer_value(id);
        snprintf(ret->camera, sizeof ret->camera, "%s", camera);
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

static json_t *to_json(const struct found *found, const struct snapshot_alert *alert, enum config_snapshot wanted, size_t most,
                       const char *public_url)
{
    if (found->status == -ENOENT)
        return json_pack("{s:s}", "reason", "the alert has no snapshot, or it is no longer kept");
    if (found->status < 0)
        return json_pack("{s:o}", "reason", json_sprintf("the snapshot cannot be read: %s", strerror(-found->status)));
    json_t *url = json_sprintf("%s/api/v1/alerts/%" PRIu64 "/snapshot", public_url ? public_url : "", alert->id);
    if (wanted != CONFIG_SNAPSHOT_INLINE)
        return json_pack("{s:o}", "url", url);
    if (!found->jpeg)
        return json_pack("{s:o, s:o}", "url", url, "reason",
                         json_sprintf("the snapshot has %zu bytes, expected at most %zu (snapshot_max_kib): fetch it by its url",
                                      found->size, most));
    return json_pack("{s:o, s:s, s:I, s:o}", "url", url, "type", "image/jpeg", "bytes", (json_int_t)found->size, "base64",
                     to_base64(found));
}

int snapshot_add(char **ret, size_t *ret_size, const char *body, size_t size, enum config_snapshot wanted, size_t most,
                 const char *public_url, const struct snapshot_store *store)
{
    static const char begin[] = ",\"snapshot\":", end[] = "}}";
    struct snapshot_alert alert;
    if (wanted == CONFIG_SNAPSHOT_NONE || !store->read || size < sizeof end - 1 || strcmp(body + size - 2, end) != 0 ||
        !read_alert(&alert, body))
        return 1;
    struct found found = {.jpeg = NULL};
    found.status = store->read(store->arg, &alert, most, wanted == CONFIG_SNAPSHOT_INLINE ? &found.jpeg : NULL, &found.size);
    if (found.status == -ENOMEM)
        return -ENOMEM;
    json_t *object = to_json(&found, &alert, wanted, most, public_url);
    char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;
    json_decref(object);
    free(found.jpeg);
    /* The body's own text stays as it is: numbers keep their digits. */
    char *whole = NULL;
    int n = text ? asprintf(&whole, "%.*s%s%s%s", (int)(size - 2), body, begin, text, end) : -1;
    free(text);
    if (n < 0)
        return -ENOMEM;
    *ret = whole;
    *ret_size = (size_t)n;
    return 0;
}
