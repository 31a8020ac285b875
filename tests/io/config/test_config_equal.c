/* Configurations in a reload: changes of cameras and webhooks are noticed, threads share references, and loading many times
 * leaks nothing. */
#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/config/config.h"

#define SECRET "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"       /* 24 bytes in base64 */
#define OTHER_SECRET "AfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#define LONG_SECRET SECRET "MfKQ"

static void print_fault(void *arg, const char *text)
{
    (void)arg;
    fprintf(stderr, "%s\n", text);
}

static void ignore_fault(void *arg, const char *text)
{
    (void)text;
    ++*(int *)arg;
}

static struct config *load(const char *text)
{
    struct config *config = NULL;
    ck_assert_int_eq(config_load_memory(&config, text, strlen(text), "tests/x.yml", print_fault, NULL), 0);
    return config;
}

/* A key of the table with two values that differ. */
struct change {
    const char *key, *one, *other;
};

static const struct change camera_changes[] = {
    {"source", "rtsp://h/x", "rtsp://h/y"},
    {"user", "viewer", "admin"},
    {"password", "hunter2", "hunter3"},
    {"password_file", "clips.h", "clips.h"},        /* not compared by itself: its text becomes the password */
    {"transport", "tcp", "udp"},
    {"tls_verify", "true", "false"},
    {"tls_ca_file", "clips.c", "clips.h"},
    {"tls_host", "gate", "yard"},
    {"model", "clips.c", "clips.h"},
    {"precision", "auto", "fp32"},
    {"static", "auto", "off"},
    {"fps", "10", "10.5"},
    {"fps_force", "false", "true"},
    {"stride", "2", "3"},
    {"loop", "false", "true"},
    {"stall_timeout_s", "10", "10.5"},
    {"backlog", "64", "65"},
    {"masks", "[{points: [[0, 0], [1, 0], [0, 1]]}]", "[]"},
    {"masks[].name", "a", "b"},
    {"masks[].points", "[[0, 0], [1, 0], [0, 1]]", "[[0, 0], [1, 0], [0, 0.5]]"},
    {"masks[].privacy", "false", "true"},
    {"zones", "{a: {points: [[0, 0], [1, 0], [0, 1]]}}", "{b: {points: [[0, 0], [1, 0], [0, 1]]}}"},
    {"zones.ZONE.points", "[[0, 0], [1, 0], [0, 1]]", "[[0, 0], [1, 0], [0, 1], [0, 0.5]]"},
    {"zones.ZONE.per_day", "1", "2"},
    {"alert", "{k: 1}", "{k: 2}"},
    {"alert.threshold", "0.5", "0.25"},
    {"alert.per_day", "1", "2"},
    {"alert.close_threshold", "0.5", "0.25"},
    {"alert.k", "1", "2"},
    {"alert.n", "5", "6"},
    {"alert.smooth_s", "0", "0.5"},
    {"alert.min_duration_s", "0", "1"},
    {"alert.merge_s", "30", "0"},
    {"alert.cooldown_s", "60", "61"},
    {"alert.max_per_hour", "12", "0"},
    {"alert.lasting_h", "6", "7"},
    {"evidence", "{clips: true}", "{clips: false}"},
    {"evidence.source", "rtsp://h/x", "rtsp://h/y"},
    {"evidence.audio", "false", "true"},
    {"evidence.snapshots", "true", "false"},
    {"evidence.clips", "true", "false"},
    {"evidence.masked_clips", "true", "false"},
    {"evidence.unmasked_clips", "true", "false"},
    {"evidence.pre_roll_s", "5", "6"},
    {"evidence.post_roll_s", "5", "6"},
    {"evidence.max_clip_s", "300", "301"},
    {"evidence.ring_mib", "16", "17"},
    {"health", "{off: [blur]}", "{off: []}"},
    {"health.enabled", "true", "false"},
    {"health.off", "[blur]", "[blur, moved]"},
    {"health.learn_s", "60", "61"},
    {"health.hold", "[blur]", "[blur, moved]"},
    {"health.mark", "[blur]", "[blur, moved]"},
};

/* Keys that are not compared: a camera runs on while they change. */
static const char *const not_compared[] = {"armed", "time_zone"};

static const struct change webhook_changes[] = {
    {"name", "alarm", "log"},
    {"url", "http://h/x", "http://h/y"},
    {"ca_file", "clips.c", "clips.h"},
    {"secret", "whsec_" SECRET, "whsec_" OTHER_SECRET},
    {"secret_file", "/nowhere", "/nowhere"},        /* not compared by itself: its text becomes the secret */
    {"old_secret", "whsec_" SECRET, "whsec_" OTHER_SECRET},
    {"old_secret_file", "/nowhere", "/nowhere"},
    {"events", "[camera.lost]", "[camera.restored]"},
    {"cameras", "[gate]", "[gate, yard]"},
    {"zones", "[door]", "[door, lawn]"},
    {"min_score", "0", "2.5"},
    {"snapshot", "url", "inline"},
    {"snapshot_max_kib", "1", "2"},
    {"max_per_minute", "1", "2"},
    {"give_up_h", "1", "2"},
    {"timeout_s", "10", "10.5"},
};

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* A configuration of one camera with key set to value; NULL: without the key. For loop the source is a file, not a stream. */
static struct config *with_camera_key(const char *key, const char *value)
{
    const char *source = strcmp(key, "loop") == 0 ? "/dev/null" : "rtsp://h/x";
    char text[500];
    size_t n = 0;
    n += (size_t)snprintf(text, sizeof text, "cameras:\n  gate:\n");
    if (strcmp(key, "source") != 0)
        n += (size_t)snprintf(text + n, sizeof text - n, "    source: %s\n", source);
    if (strcmp(key, "model") != 0)
        n += (size_t)snprintf(text + n, sizeof text - n, "    model: clips.c\n");
    if (strcmp(key, "password") == 0)
        n += (size_t)snprintf(text + n, sizeof text - n, "    user: u\n");
    const char *name = strrchr(key, '.'), *dot = strchr(key, '.');
    const char *points = name && strcmp(name, ".points") == 0 ? "" : "points: [[0, 0], [1, 0], [0, 1]], ";
    if (value && strncmp(key, "masks[].", 8) == 0)
        snprintf(text + n, sizeof text - n, "    masks: [{%s%s: %s}]\n", points, name + 1, value);
    else if (value && strncmp(key, "zones.", 6) == 0)
        snprintf(text + n, sizeof text - n, "    zones: {a: {%s%s: %s}}\n", points, name + 1, value);
    else if (value && dot)
        snprintf(text + n, sizeof text - n, "    %.*s: {%s: %s}\n", (int)(dot - key), key, dot + 1, value);
    else if (value)
        snprintf(text + n, sizeof text - n, "    %s: %s\n", key, value);
    return load(text);
}

static bool is_compared(const char *key)
{
    for (size_t i = 0; i < COUNT(not_compared); i++)
        if (strcmp(key, not_compared[i]) == 0)
            return false;
    return true;
}

static bool cameras_equal(struct config *a, struct config *b)
{
    bool equal = config_camera_equal(&a->cameras[0], &b->cameras[0]);
    ck_assert(config_camera_equal(&b->cameras[0], &a->cameras[0]) == equal);
    config_unref(a);
    config_unref(b);
    return equal;
}

START_TEST(test_each_key_of_a_camera_counts)
{
    struct config_key key;
    size_t seen = 0;
    for (int i = 0; config_key(i, &key); i++) {
        if (strncmp(key.path, "cameras.NAME.", 13) != 0 || !is_compared(key.path + 13))
            continue;
        const char *name = key.path + 13;
        size_t c = 0;
        while (c < COUNT(camera_changes) && strcmp(camera_changes[c].key, name) != 0)
            c++;
        ck_assert_msg(c < COUNT(camera_changes), "%s is compared by no test", key.path);
        const struct change *change = &camera_changes[c];
        seen++;
        if (strcmp(name, "password_file") == 0)
            continue;
        ck_assert_msg(cameras_equal(with_camera_key(name, change->one), with_camera_key(name, change->one)), "%s", name);
        ck_assert_msg(!cameras_equal(with_camera_key(name, change->one), with_camera_key(name, change->other)), "%s", name);
    }
    ck_assert_uint_eq(seen, COUNT(camera_changes));
    ck_assert(cameras_equal(with_camera_key("armed", "always"), with_camera_key("armed", "never")));
    ck_assert(cameras_equal(with_camera_key("time_zone", "UTC"), with_camera_key("time_zone", "Europe/Berlin")));
}
END_TEST

START_TEST(test_a_key_that_comes_or_goes_counts)
{
    ck_assert(!cameras_equal(with_camera_key("alert.threshold", "0"), with_camera_key("alert.threshold", NULL)));
    ck_assert(!cameras_equal(with_camera_key("alert.close_threshold", "0"), with_camera_key("alert.close_threshold", NULL)));
    ck_assert(!cameras_equal(with_camera_key("alert.per_day", "1"), with_camera_key("alert.per_day", NULL)));
    ck_assert(!cameras_equal(with_camera_key("fps", "10"), with_camera_key("fps", NULL)));
    ck_assert(!cameras_equal(with_camera_key("user", "u"), with_camera_key("user", NULL)));
    ck_assert(!cameras_equal(with_camera_key("password", "p"), with_camera_key("password", NULL)));
    /* A key that a camera does not give has the value that the file gives for all cameras. */
    static const char whole[] = "evidence: {pre_roll_s: 7, clips: false}\n"
                                "cameras: {gate: {source: rtsp://h/x, model: clips.c, evidence: {pre_roll_s: %s}}}\n";
    char text[300];
    snprintf(text, sizeof text, whole, "8");
    struct config *eight = load(text);
    ck_assert(eight->cameras[0].evidence.pre_roll_s == 8 && !eight->cameras[0].evidence.clips);
    ck_assert(eight->evidence.pre_roll_s == 7 && eight->cameras[0].evidence.ring_mib == eight->evidence.ring_mib);
    config_unref(eight);
    /* An explicit default is equal to an absent key. */
    ck_assert(cameras_equal(with_camera_key("stride", "2"), with_camera_key("stride", NULL)));
}
END_TEST

START_TEST(test_names_count_and_places_do_not)
{
    const char *keys = ": {source: rtsp://h/x, model: clips.c, fps: 10, precision: fp32, "
                       "alert: {per_day: 2, close_threshold: 1}}\n";
    char text[500], moved[500];
    snprintf(text, sizeof text, "cameras:\n  gate%s", keys);
    snprintf(moved, sizeof moved, "\n\ncameras:\n  yard: {source: rtsp://h, model: clips.c}\n     # a word\n  gate%s", keys);
    struct config *a = load(text), *b = load(moved);
    ck_assert_int_ne(a->cameras[0].fps_line, b->cameras[1].fps_line);
    ck_assert(config_camera_equal(&a->cameras[0], &b->cameras[1]));
    ck_assert(!config_camera_equal(&a->cameras[0], &b->cameras[0]));
    config_unref(b);
    snprintf(moved, sizeof moved, "cameras:\n  yard%s", keys);
    b = load(moved);
    ck_assert(!config_camera_equal(&a->cameras[0], &b->cameras[0]));
    config_unref(a);
    config_unref(b);
}
END_TEST

static struct config *with_webhooks(const char *list)
{
    char text[1000];
    snprintf(text, sizeof text,
             "cameras: {gate: {source: rtsp://h/x, model: clips.c, zones: {door: {points: [[0, 0], [1, 0], [0, 1]]}, "
             "lawn: {points: [[0, 0], [1, 0], [0, 1]]}}}, yard: {source: rtsp://h/y, model: clips.c}}\n"
             "webhooks: [%s]\n", list);
    return load(text);
}

static bool webhooks_equal(const char *one, const char *other)
{
    struct config *a = with_webhooks(one), *b = with_webhooks(other);
    bool equal = config_webhooks_equal(a, b);
    ck_assert(config_webhooks_equal(b, a) == equal);
    config_unref(a);
    config_unref(b);
    return equal;
}

START_TEST(test_each_key_of_a_webhook_counts)
{
    struct config_key key;
    size_t seen = 0;
    for (int i = 0; config_key(i, &key); i++) {
        if (strncmp(key.path, "webhooks[].", 11) != 0)
            continue;
        const char *name = key.path + 11;
        char one[300], other[300];
        size_t c = 0;
        while (c < COUNT(webhook_changes) && strcmp(webhook_changes[c].key, name) != 0)
            c++;
        ck_assert_msg(c < COUNT(webhook_changes), "%s is compared by no test", key.path);
        seen++;
        if (strcmp(webhook_changes[c].one, webhook_changes[c].other) == 0)
            continue;
        const char *url = strcmp(name, "url") == 0          ? ""
                          : strcmp(name, "old_secret") == 0 ? "url: http://h, secret: whsec_" OTHER_SECRET ", "
                                                            : "url: http://h, ";
        snprintf(one, sizeof one, "{%s%s: %s}", url, name, webhook_changes[c].one);
        snprintf(other, sizeof other, "{%s%s: %s}", url, name, webhook_changes[c].other);
        ck_assert_msg(webhooks_equal(one, one), "%s", name);
        ck_assert_msg(!webhooks_equal(one, other), "%s", name);
    }
    ck_assert_uint_eq(seen, COUNT(webhook_changes));
    ck_assert(!webhooks_equal("{url: http://h, secret: whsec_" SECRET "}", "{url: http://h}"));
    ck_assert(!webhooks_equal("{url: http://h, secret: whsec_" SECRET "}",
                              "{url: http://h, secret: whsec_" LONG_SECRET "}"));
    ck_assert(!webhooks_equal("{url: http://h, min_score: 0}", "{url: http://h}"));
    ck_assert(!webhooks_equal("{url: http://h, zones: [door]}", "{url: http://h, zones: [lawn]}"));
    ck_assert(webhooks_equal("", ""));
    ck_assert(!webhooks_equal("", "{url: http://h}"));
    ck_assert(!webhooks_equal("{url: http://h}", "{url: http://h}, {url: http://h}"));
    ck_assert(!webhooks_equal("{url: http://h}, {url: http://i}", "{url: http://i}, {url: http://h}"));
}
END_TEST

/* ---- references --------------------------------------------------------------------------------------------------- */

static void *use(void *arg)
{
    struct config *config = arg;
    for (int i = 0; i < 10000; i++) {
        struct config *mine = config_ref(config);
        if (strcmp(mine->cameras[0].name, "gate") != 0)
            abort();
        config_unref(mine);
    }
    config_unref(config);
    return NULL;
}

/* The last of five threads frees the configuration. Sanitizers see a use after that. */
START_TEST(test_references_of_threads)
{
    struct config *config = with_camera_key("fps", "10");
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, use, config_ref(config)), 0);
    ck_assert_str_eq(config->cameras[0].source, "rtsp://h/x");
    config_unref(config);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    ck_assert_ptr_null(config_ref(NULL));
    config_unref(NULL);
}
END_TEST

/* ---- memory ------------------------------------------------------------------------------------------------------- */

/* Blocks of the heap in use. Sanitizers have a malloc() of their own: this then stays 0, and they find leaks. */
static atomic_long blocks;

#if !defined __SANITIZE_ADDRESS__ && !defined __SANITIZE_THREAD__
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *block, size_t size);
void __libc_free(void *block);

void *malloc(size_t size)
{
    void *block = __libc_malloc(size);
    blocks += block != NULL;
    return block;
}

void *calloc(size_t n, size_t size)
{
    void *block = __libc_calloc(n, size);
    blocks += block != NULL;
    return block;
}

void *realloc(void *old, size_t size)
{
    void *block = __libc_realloc(old, size);
    blocks += !old && block;
    blocks -= old && !block && size == 0;
    return block;
}

void free(void *block)
{
    blocks -= block != NULL;
    __libc_free(block);
}
#endif

static const char full[] =
    "state_dir: state\n"
    "http: {listen: \"[::1]:0\", public_url: \"http://h/\"}\n"
    "cameras:\n"
    "  gate: {source: \"rtsp://h/x\", user: u, password: p, model: clips.c, alert: {threshold: 1, close_threshold: 0.5}}\n"
    "  file: {source: clips.c, model: clips.c, loop: true}\n"
    "webhooks:\n"
    "  - {name: alarm, url: http://h, ca_file: clips.c, secret: whsec_" SECRET ", old_secret: whsec_" OTHER_SECRET ",\n"
    "     cameras: [gate, file], events: [camera.lost]}\n";
/* Faults that come after values of every type, and keys that are given twice. */
static const char faulty[] =
    "state_dir: state\n"
    "state_dir: again\n"
    "http: {listen: \"[::1]:0\", listen: 127.0.0.1:1}\n"
    "http: {listen: 127.0.0.1:1}\n"
    "cameras:\n"
    "  gate: {source: \"rtsp://u:p@h/x\", source: clips.c, model: clips.c, model: clips.h, fps: fast,\n"
    "         user: u, user: v, password: p, password_file: bad, password: q}\n"
    "  gate: {source: clips.c, model: none, loop: maybe}\n"
    "  list: [1]\n"
    "cameras: {yard: {source: clips.c, model: clips.c}}\n"
    "webhooks:\n"
    "  - {url: http://h, url: http://i, secret: whsec_" SECRET ", secret: whsec_" SECRET ", events: [bogus]}\n"
    "  - {url: http://h, secret: whsec_" SECRET ", secret_file: clips.c, timeout_s: ${MEMAED_TEST_UNSET},\n"
    "     cameras: [gate, gate, none, [1]], old_secret: whsec_" SECRET ", old_secret_file: clips.c}\n"
    "webhooks: [{url: http://h}]\n";
/* A fault of syntax near the end of the file. */
static const char broken[] =
    "cameras:\n"
    "  gate: {source: \"rtsp://u:p@h/x\", model: clips.c\n"
    "webhooks:\n";

/* Loads each of the three once. */
static void load_all(int results[3])
{
    static const char *const texts[] = {full, faulty, broken};
    for (int i = 0; i < 3; i++) {
        struct config *config = NULL;
        int n = 0;
        results[i] = config_load_memory(&config, texts[i], strlen(texts[i]), "tests/x.yml", ignore_fault, &n);
        config_unref(config_ref(config));
        config_unref(config);
    }
}

START_TEST(test_loading_again_and_again_leaks_nothing)
{
    int results[3];
    unsetenv("MEMAED_TEST_UNSET");
    load_all(results);          /* the C library allocates some blocks once, and keeps them */
    long before = blocks;
    for (int i = 0; i < 20; i++)
        load_all(results);
    long after = blocks;
    ck_assert_int_eq(results[0], 0);
    ck_assert_int_eq(results[1], -EINVAL);
    ck_assert_int_eq(results[2], -EINVAL);
    ck_assert_int_eq(after, before);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("config_equal");
    TCase *test = tcase_create("config_equal");
    tcase_set_timeout(test, 120);
    tcase_add_test(test, test_each_key_of_a_camera_counts);
    tcase_add_test(test, test_a_key_that_comes_or_goes_counts);
    tcase_add_test(test, test_names_count_and_places_do_not);
    tcase_add_test(test, test_each_key_of_a_webhook_counts);
    tcase_add_test(test, test_references_of_threads);
    tcase_add_test(test, test_loading_again_and_again_leaks_nothing);
    suite_add_tcase(suite, test);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_FORK);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
