/* io/sinks/snapshot: what events carry of the snapshot of an alert and of the pictures of a fault, and that the sender adds it
 * anew for each attempt, signed. */
#include <errno.h>

#include "io/sinks/snapshot.h"
#include "tests/io/sinks/webhook_fixture.h"

/* ---- the store of the test ------------------------------------------------------------------------------------------- */

enum { JPEG_SIZE = 1000 };

static struct {
    int status, calls;
    bool is_gone_after_first;
    struct snapshot_place asked;
} store;

static int read_picture(void *arg, const struct snapshot_place *place, size_t most, void **ret, size_t *size)
{
    (void)arg;
    store.asked = *place;
    if (store.status < 0 || (store.is_gone_after_first && store.calls > 0))
        return store.status < 0 ? store.status : -ENOENT;
    store.calls++;
    *size = JPEG_SIZE;
    if (ret && most >= JPEG_SIZE) {
        *ret = malloc(JPEG_SIZE);
        for (int i = 0; i < JPEG_SIZE; i++)
            ((unsigned char *)*ret)[i] = (unsigned char)(i * 7);
    }
    return 0;
}

static const struct snapshot_store pictures = {.read = read_picture};

#define ALERT "\"id\":1795832005702,\"camera\":\"gate\",\"opened\":\"2026-11-28T23:59:59.999Z\",\"peak_score\":-0.50622931"
#define BODY(type, more) "{\"type\":\"" type "\",\"timestamp\":\"2026-11-28T23:59:59.999Z\",\"data\":{" ALERT more "}}"
static const char opened[] = BODY("alert.opened", ",\"test\":false,\"zones\":[]");

static char *add(const char *body, enum config_snapshot wanted, size_t most, const char *public_url, size_t *size)
{
    char *text = NULL;
    int r = snapshot_add(&text, size, body, strlen(body), wanted, most, public_url, &pictures);
    ck_assert_int_eq(r, 0);
    ck_assert_uint_eq(strlen(text), *size);
    return text;
}

/* Returns the member that holds the snapshot. Checks that the rest of the body is the same to the letter. */
static json_t *member(const char *body, enum config_snapshot wanted, size_t most, const char *public_url)
{
    size_t size;
    char *text = add(body, wanted, most, public_url, &size);
    size_t same = strlen(body) - 2;
    ck_assert_int_eq(strncmp(text, body, same), 0);
    ck_assert_int_eq(strncmp(text + same, ",\"snapshot\":{", 13), 0);
    json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    ck_assert_ptr_nonnull(root);
    json_t *snapshot = json_incref(json_object_get(json_object_get(root, "data"), "snapshot"));
    ck_assert_ptr_nonnull(snapshot);
    json_decref(root);
    free(text);
    return snapshot;
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static void set_up(void)
{
    memset(&store, 0, sizeof store);
}

START_TEST(by_url)
{
    json_t *snapshot = member(opened, CONFIG_SNAPSHOT_URL, 0, "https://cams.example/memaed");
    ck_assert_str_eq(text_of(snapshot, "url"), "https://cams.example/memaed/api/v1/alerts/1795832005702/snapshot");
    ck_assert_uint_eq(json_object_size(snapshot), 1);
    json_decref(snapshot);
    ck_assert(store.asked.id == 1795832005702 && store.asked.opened_us == 1795910399999000);
    ck_assert_str_eq(store.asked.camera, "gate");
    snapshot = member(opened, CONFIG_SNAPSHOT_URL, 0, NULL);
    ck_assert_str_eq(text_of(snapshot, "url"), "/api/v1/alerts/1795832005702/snapshot");
    json_decref(snapshot);
}
END_TEST

START_TEST(in_line)
{
    json_t *snapshot = member(opened, CONFIG_SNAPSHOT_INLINE, JPEG_SIZE, NULL);
    ck_assert_uint_eq(json_object_size(snapshot), 4);
    ck_assert_str_eq(text_of(snapshot, "type"), "image/jpeg");
    ck_assert_int_eq(json_integer_value(json_object_get(snapshot, "bytes")), JPEG_SIZE);
    gnutls_datum_t raw, text = {(unsigned char *)(uintptr_t)text_of(snapshot, "base64"),
                                (unsigned)strlen(text_of(snapshot, "base64"))};
    ck_assert_uint_eq(text.size, (JPEG_SIZE + 2) / 3 * 4);              /* base64 without line breaks */
    ck_assert_int_eq(gnutls_base64_decode2(&text, &raw), 0);
    ck_assert_uint_eq(raw.size, JPEG_SIZE);
    for (int i = 0; i < JPEG_SIZE; i++)
        ck_assert_uint_eq(raw.data[i], (unsigned char)(i * 7));
    gnutls_free(raw.data);
    json_decref(snapshot);
}
END_TEST

START_TEST(what_is_missing_is_told)
{
    json_t *snapshot = member(opened, CONFIG_SNAPSHOT_INLINE, JPEG_SIZE - 1, NULL);
    ck_assert_str_eq(text_of(snapshot, "reason"),
                     "the snapshot has 1000 bytes, expected at most 999 (snapshot_max_kib): fetch it by its url");
    ck_assert_str_eq(text_of(snapshot, "url"), "/api/v1/alerts/1795832005702/snapshot");
    ck_assert_uint_eq(json_object_size(snapshot), 2);
    json_decref(snapshot);
    static const struct { int status; const char *reason; } rows[] = {
        {-ENOENT, "the alert has no snapshot, or it is no longer kept"},
        {-EIO, "the snapshot cannot be read: Input/output error"}};
    for (size_t i = 0; i < 4; i++) {
        store.status = rows[i / 2].status;
        snapshot = member(opened, i % 2 ? CONFIG_SNAPSHOT_INLINE : CONFIG_SNAPSHOT_URL, JPEG_SIZE, NULL);
        ck_assert_str_eq(text_of(snapshot, "reason"), rows[i / 2].reason);
        ck_assert_uint_eq(json_object_size(snapshot), 1);
        json_decref(snapshot);
    }
    char *text = NULL;
    size_t size = 0;
    store.status = -ENOMEM;
    ck_assert_int_eq(snapshot_add(&text, &size, opened, strlen(opened), CONFIG_SNAPSHOT_URL, 9, NULL, &pictures), -ENOMEM);
    ck_assert(!text && size == 0);
}
END_TEST

START_TEST(other_bodies_stay)
{
    static const char *const others[] = {
        BODY("camera.lost", ""), BODY("health.changed", ""), BODY("alert.opened", ",\"test\":true"),
        "{\"type\":\"alert.opened\",\"data\":{}}", "{}", "",
        "}}", "{\"type\":\"alert.opened\",\"data\":{\"id\":1,\"camera\":\"gate\",\"opened\":\"yesterday\"}}",
        "{\"type\":\"alert.opened\",\"data\":{\"id\":\"1\",\"camera\":\"gate\",\"opened\":\"2026-11-28T23:59:59Z\"}}"};
    char *text = NULL;
    size_t size = 0;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        ck_assert_int_eq(snapshot_add(&text, &size, others[i], strlen(others[i]), CONFIG_SNAPSHOT_URL, 9, NULL, &pictures), 1);
    ck_assert_int_eq(snapshot_add(&text, &size, opened, strlen(opened), CONFIG_SNAPSHOT_NONE, 9, NULL, &pictures), 1);
    ck_assert_int_eq(snapshot_add(&text, &size, opened, strlen(opened), CONFIG_SNAPSHOT_URL, 9, NULL,
                                  &(struct snapshot_store){0}), 1);
    ck_assert(!text && size == 0 && store.calls == 0);
}
END_TEST

/* Pictures of a fault: two in each event. */
START_TEST(before_and_after_a_fault)
{
    static const struct { const char *type, *before, *after; } rows[] = {
        {"health.opened", "before", "fault"}, {"health.closed", "fault", "after"}};
    for (size_t i = 0; i < 2; i++) {
        char body[256], url[128];
        size_t size;
        snprintf(body, sizeof body, "{\"type\":\"%s\",\"timestamp\":\"2026-11-28T23:59:59.999Z\",\"data\":{\"camera\":\"gate\","
                 "\"id\":1795832005702,\"kind\":\"black\"}}", rows[i].type);
        char *text = add(body, CONFIG_SNAPSHOT_URL, 0, "https://cams.example", &size);
        ck_assert_int_eq(strncmp(text, body, strlen(body) - 2), 0);
        json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
        ck_assert_ptr_nonnull(root);
        const json_t *data = json_object_get(root, "data");
        ck_assert_uint_eq(json_object_size(data), 5);
        for (int after = 0; after < 2; after++) {
            snprintf(url, sizeof url, "https://cams.example/api/v1/cameras/gate/faults/1795832005702/%s",
                     after ? rows[i].after : rows[i].before);
            ck_assert_str_eq(text_of(json_object_get(data, after ? "after" : "before"), "url"), url);
        }
        ck_assert(store.asked.id == 1795832005702 && store.asked.opened_us == 1795832005702000);
        ck_assert_str_eq(store.asked.camera, "gate");
        ck_assert_str_eq(store.asked.file, rows[i].after);
        json_decref(root);
        free(text);
        text = add(body, CONFIG_SNAPSHOT_INLINE, JPEG_SIZE, NULL, &size);
        char inlined[128];
        snprintf(inlined, sizeof inlined, "/%s\",\"type\":\"image/jpeg\",\"bytes\":1000,\"base64\":\"AAcOFRwj", rows[i].after);
        ck_assert_ptr_nonnull(strstr(text, inlined));
        free(text);
        store.status = -ENOENT;
        text = add(body, CONFIG_SNAPSHOT_URL, 0, NULL, &size);
        ck_assert_ptr_nonnull(strstr(text, ",\"before\":{\"reason\":\"the fault has no picture, or it is no longer kept\"}"
                                     ",\"after\":{\"reason\":\"the fault has no picture, or it is no longer kept\"}}}"));
        free(text);
        store.status = 0;
    }
}
END_TEST

static struct reply refuse_first(struct receiver *receiver, size_t i)
{
    (void)receiver;
    return (struct reply){.status = i == 0 ? 500 : 200};
}

/* The first attempt carries the picture. By the second it is deleted, and the event is delivered all the same. */
START_TEST(each_attempt_is_made_anew)
{
    struct receiver receiver;
    receiver_open(&receiver, refuse_first);
    struct config_webhook hook = hook_to(&receiver, "/");
    char base[] = "https://cams.example";
    hook.snapshot = CONFIG_SNAPSHOT_URL;
    hook.public_url = base;
    store.is_gone_after_first = true;
    struct webhook_options options = fast;
    options.snapshots = pictures;
    struct webhooks *webhooks = open_with(&hook, 1, &options);
    const struct event event = {.type = EVENT_ALERT_CLOSED, .time_us = 1709210096789123, .camera = "gate"};
    memory_post(webhooks, &event, "{" ALERT "}");
    await(&receiver, 2);
    AWAIT(stats_of(webhooks).delivered == 1);
    webhooks_close(webhooks, 0);
    ck_assert_ptr_nonnull(strstr(receiver.received[0].body,
                                 "\"snapshot\":{\"url\":\"https://cams.example/api/v1/alerts/1795832005702/snapshot\"}}}"));
    ck_assert_ptr_nonnull(strstr(receiver.received[1].body,
                                 "\"snapshot\":{\"reason\":\"the alert has no snapshot, or it is no longer kept\"}}}"));
    ck_assert_str_eq(receiver.received[0].id, receiver.received[1].id);
    for (int i = 0; i < 2; i++)
        check_signature_by(&receiver.received[i], secret, 0);
    receiver_close(&receiver);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("snapshot");
    tcase_add_checked_fixture(tests, set_up, NULL);
    tcase_add_test(tests, by_url);
    tcase_add_test(tests, in_line);
    tcase_add_test(tests, what_is_missing_is_told);
    tcase_add_test(tests, before_and_after_a_fault);
    tcase_add_test(tests, other_bodies_stay);
    tcase_add_test(tests, each_attempt_is_made_anew);
    return webhook_run("snapshot", tests);
}
