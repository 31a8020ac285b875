/* The configuration: the values read from good files, and files whose models are still to be learned. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/health/kind.h"
#include "tests/io/config/config_fixture.h"

/* Returns true if the camera of that name has n spans, the first on those days from and to those minutes. */
static bool is_armed(const struct config *config, int camera, int n, int days, int from_min, int to_min)
{
    const struct schedule *armed = &config->cameras[camera].armed;
    const struct schedule_span *span = &armed->spans[0];
    return armed->n == n && (n == 0 || (span->days == days && span->from_min == from_min && span->to_min == to_min));
}

START_TEST(test_times)
{
    struct config *config = good("time_zone: Europe/Berlin\n"
                                 "cameras:\n"
                                 "  a: {source: rtsp://h/x, model: tests/clips.c}\n"
                                 "  b: {source: rtsp://h/x, model: tests/clips.c, armed: never, time_zone: Asia/Tokyo}\n"
                                 "  c: {source: rtsp://h/x, model: tests/clips.c, armed: mon-fri 18:00-07:00}\n"
                                 "  d: {source: rtsp://h/x, model: tests/clips.c, armed: [\"sat,sun\", 22:00-06:00]}\n", "x.yml");
    ck_assert_str_eq(config->time_zone, "Europe/Berlin");
    ck_assert_ptr_null(config->cameras[0].time_zone);
    ck_assert_str_eq(config->cameras[1].time_zone, "Asia/Tokyo");
    ck_assert(is_armed(config, 0, 1, 127, 0, 1440) && is_armed(config, 1, 0, 0, 0, 0) && is_armed(config, 2, 1, 31, 1080, 1860) &&
              is_armed(config, 3, 2, 96, 0, 1440));
    ck_assert_int_eq(config->cameras[3].armed.spans[1].from_min, 1320);
    config_unref(config);
}
END_TEST

START_TEST(test_defaults)
{
    struct config *config = good(camera(""), "tests/x.yml");
    const struct config_camera *c = &config->cameras[0];
    ck_assert_str_eq(config->path, "tests/x.yml");
    ck_assert_str_eq(config->state_dir, "/var/lib/memaed");
    ck_assert_int_eq(config->state_dir_line, 0);
    ck_assert_int_eq(config->alerts_keep_days, 365);
    ck_assert_double_eq(config->scores_raw_h, 24);
    ck_assert_int_eq(config->scores_minutes_days, 90);
    const struct config_retention *retention = &config->evidence.retention;
    ck_assert(retention->keep_days == 30 && retention->max_gib == 10 && retention->free_mib == 0 && !retention->has_free_mib);
    ck_assert_str_eq(config->listen_address, "127.0.0.1");
    ck_assert_int_eq(config->listen_port, 8787);
    ck_assert_uint_eq(config->n_host_names, 0);
    ck_assert_int_eq(config->workers, 0);
    ck_assert_int_eq(config->max_model_mib, 1024);
    ck_assert(!config->in_thread);
    ck_assert_int_eq(config->max_decoder_mib, 512);
    ck_assert_uint_eq(config->n_cameras, 1);
    ck_assert_uint_eq(config->n_webhooks, 0);
    ck_assert_ptr_null(config->time_zone);
    ck_assert_str_eq(c->name, "gate");
    ck_assert_str_eq(c->source, "rtsp://h/x");
    ck_assert_str_eq(c->model, "tests/clips.c");
    ck_assert(!c->udp && !c->fps_force && !c->loop && !c->alert.has_threshold && !c->alert.has_close_threshold);
    ck_assert_int_eq(c->precision, PRECISION_AUTO);
    ck_assert_double_eq(c->fps, 0);
    ck_assert_int_eq(c->stride, 2);
    ck_assert_double_eq(c->stall_timeout_s, 10);
    ck_assert_int_eq(c->backlog, 64);
    ck_assert_int_eq(c->alert.k, 3);
    ck_assert_int_eq(c->alert.n, 5);
    ck_assert_double_eq(c->alert.cooldown_s, 60);
    ck_assert_double_eq(c->alert.lasting_h, 6);
    ck_assert_int_eq(c->line, 2);
    ck_assert_int_eq(c->column, 3);
    ck_assert_int_eq(c->model_line, 4);
    ck_assert_int_eq(c->model_column, 12);
    ck_assert_int_eq(c->fps_line, 0);
    config_unref(config);
}
END_TEST

START_TEST(test_every_key)
{
    write_file("gate.safetensors", "");
    write_file("secret", "whsec_" SECRET "\r\n\n");
    write_file("100%.mp4", "");
    setenv("MEMAED_TEST_FOLDER", folder, 1);
    setenv("MEMAED_TEST_NUMBER", "7", 1);
    struct config *config = good(
        "state_dir: state\n"
        "http: {listen: \"[::1]:0\", names: [cams.example, Proxy-1], public_url: \"https://cams.example/memaed//\"}\n"
        "workers: ${MEMAED_TEST_NUMBER}\n"
        "cameras:\n"
        "  gate_1-a:\n"
        "    source: rtsp://u:${MEMAED_TEST_SECRET}@h/$${x}$y\n"
        "    transport: udp\n"
        "    model: '${MEMAED_TEST_FOLDER}/gate.safetensors'\n"
        "    fps: 12.5\n"
        "    precision: int8\n"
        "    fps_force: true\n"
        "    stride: 64\n"
        "    loop: false\n"
        "    stall_timeout_s: 1.5\n"
        "    backlog: 4096\n"
        "    alert: {threshold: \"0.${MEMAED_TEST_NUMBER}\", close_threshold: -5e-1, k: 64, n: 64, cooldown_s: 0, lasting_h: "
        "0.5}\n"
        "  looped:\n"
        "    source: 100%.mp4\n"
        "    model: gate.safetensors\n"
        "    loop: true\n"
        "  file: {source: \"file:100%.mp4\", model: gate.safetensors, loop: true}\n"
        "  url: {source: \"file:///dev/null\", model: gate.safetensors, zones: {door: {points: [[0, 0], [1, 0], [0, 1]]}}}\n"
        "  sequence: {source: frames/%03d.jpg, model: gate.safetensors, loop: true}\n"
        "max_model_mib: 64\n"
        "isolation: thread\n"
        "max_decoder_mib: 65\n"
        "alerts: {keep_days: 0}\n"
        "scores: {raw_h: 1.5, minutes_days: 3}\n"
        "evidence: {keep_days: 0, max_gib: 0.5, free_mib: 0}\n"
        "webhooks:\n"
        "  - url: https://h/x\n"
        "    secret_file: secret\n"
        "    events: [camera.lost, alert.opened]\n"
        "    cameras: [url, sequence]\n"
        "    zones: [door]\n"
        "    min_score: -2.5\n"
        "    snapshot: inline\n"
        "    snapshot_max_kib: 16384\n"
        "    old_secret: whsec_" SECRET SECRET "MfKQ9r8GKYqrTwjUPD8ILA==\n"
        "    max_per_minute: 10000\n"
        "    give_up_h: 0.1\n"
        "    timeout_s: 0.5\n"
        "  - {url: HTTP://h, secret: \"whsec_//////////////////////////////////////////8=\"}\n"
        "  - url: http://h\n"
        "    secret: whsec_" SECRET SECRET "MfKQ9r8GKYqrTwjUPD8ILA==\n",
        in_folder("x.yml"));
    const struct config_camera *c = config->cameras;
    ck_assert_str_eq(config->state_dir, in_folder("state"));
    ck_assert_int_eq(config->state_dir_line, 1);
    ck_assert_int_eq(config->alerts_keep_days, 0);
    ck_assert_int_eq(config->alerts_keep_days_line, 27);
    ck_assert_double_eq(config->scores_raw_h, 1.5);
    ck_assert_int_eq(config->scores_minutes_days, 3);
    const struct config_retention *retention = &config->evidence.retention;
    ck_assert(retention->keep_days == 0 && retention->max_gib == 0.5 && retention->free_mib == 0 && retention->has_free_mib);
    ck_assert(retention->keep_days_line == 29 && retention->max_gib_line == 29 && retention->free_mib_column == 50);
    ck_assert_str_eq(config->listen_address, "::1");
    ck_assert_int_eq(config->listen_port, 0);
    ck_assert_str_eq(config->public_url, "https://cams.example/memaed");
    ck_assert_uint_eq(config->n_host_names, 2);
    ck_assert_str_eq(config->host_names[0], "cams.example");
    ck_assert_str_eq(config->host_names[1], "Proxy-1");
    ck_assert_int_eq(config->workers, 7);
    ck_assert_int_eq(config->max_model_mib, 64);
    ck_assert(config->in_thread);
    ck_assert_int_eq(config->max_decoder_mib, 65);
    ck_assert_uint_eq(config->n_cameras, 5);
    ck_assert_str_eq(c->source, "rtsp://u:s3cr3t-value@h/${x}$y");
    ck_assert(c->udp && c->fps_force && !c->loop);
    ck_assert_int_eq(c->precision, PRECISION_INT8);
    ck_assert_int_eq(c->precision_line, 10);
    ck_assert_int_eq(c->precision_column, 16);
    ck_assert_str_eq(c->model, in_folder("gate.safetensors"));
    ck_assert_double_eq(c->fps, 12.5);
    ck_assert_int_eq(c->fps_line, 9);
    ck_assert_int_eq(c->fps_column, 10);
    ck_assert_int_eq(c->stride, 64);
    ck_assert_double_eq(c->stall_timeout_s, 1.5);
    ck_assert_int_eq(c->backlog, 4096);
    ck_assert(c->alert.has_threshold && c->alert.has_close_threshold);
    ck_assert_double_eq(c->alert.threshold, 0.7);
    ck_assert_double_eq(c->alert.close_threshold, -0.5);
    ck_assert_int_eq(c->alert.close_threshold_line, 16);
    ck_assert_int_eq(c->alert.k, 64);
    ck_assert_int_eq(c->alert.n, 64);
    ck_assert_double_eq(c->alert.cooldown_s, 0);
    ck_assert_double_eq(c->alert.lasting_h, 0.5);
    ck_assert_str_eq(c[1].source, in_folder("100%.mp4"));
    ck_assert(c[1].loop);
    ck_assert_str_eq(c[2].source, in_folder("100%.mp4"));
    ck_assert_str_eq(c[3].source, "/dev/null");
    ck_assert_str_eq(c[4].source, in_folder("frames/%03d.jpg"));
    ck_assert_uint_eq(config->n_webhooks, 3);
    ck_assert_str_eq(config->webhooks[0].url, "https://h/x");
    ck_assert_uint_eq(config->webhooks[0].secret_size, 24);
    ck_assert_mem_eq(config->webhooks[0].secret, "\x31\xf2\x90\xf6\xbf\x06\x29\x8a\xab\x4f\x08\xd4", 12);
    ck_assert_uint_eq(config->webhooks[0].filter.types, event_bit(EVENT_CAMERA_LOST) | event_bit(EVENT_ALERT_OPENED));
    ck_assert_double_eq(config->webhooks[0].timeout_s, 0.5);
    ck_assert_uint_eq(config->webhooks[0].filter.n_cameras, 2);
    ck_assert_str_eq(config->webhooks[0].filter.cameras[1], "sequence");
    ck_assert_int_eq(config->webhooks[0].snapshot, CONFIG_SNAPSHOT_INLINE);
    ck_assert_int_eq(config->webhooks[0].snapshot_max_kib, 16384);
    ck_assert(config->webhooks[1].snapshot == CONFIG_SNAPSHOT_URL && config->webhooks[1].snapshot_max_kib == 512);
    ck_assert_str_eq(config->webhooks[1].public_url, "https://cams.example/memaed");
    ck_assert_uint_eq(config->webhooks[0].filter.alerts.n_zones, 1);
    ck_assert_str_eq(config->webhooks[0].filter.alerts.zones[0], "door");
    ck_assert(config->webhooks[0].filter.alerts.has_min_score && !config->webhooks[1].filter.alerts.has_min_score);
    ck_assert_double_eq(config->webhooks[0].filter.alerts.min_score, -2.5);
    ck_assert_uint_eq(config->webhooks[0].old_secret_size, 64);
    ck_assert_mem_eq(config->webhooks[0].old_secret, "\x31\xf2\x90\xf6\xbf\x06\x29\x8a\xab\x4f\x08\xd4", 12);
    ck_assert_int_eq(config->webhooks[0].max_per_minute, 10000);
    ck_assert_double_eq(config->webhooks[0].give_up_h, 0.1);
    ck_assert_uint_eq(config->webhooks[1].filter.n_cameras + config->webhooks[1].old_secret_size, 0);
    ck_assert_int_eq(config->webhooks[1].max_per_minute, 0);
    ck_assert_double_eq(config->webhooks[1].give_up_h, 24);
    ck_assert_uint_eq(config->webhooks[1].secret_size, 32);
    ck_assert_uint_eq(config->webhooks[1].secret[31], 0xff);
    ck_assert_uint_eq(config->webhooks[1].filter.types, EVENT_ALL);
    ck_assert_double_eq(config->webhooks[1].timeout_s, 10);
    ck_assert_uint_eq(config->webhooks[2].secret_size, 64);
    config_unref(config);
}
END_TEST

/* A password counts as held by the file if its text is in the file itself, not in a variable. */
START_TEST(test_passwords_in_the_file)
{
    static const struct {
        const char *source;
        bool inside;
    } cases[] = {
        {"rtsp://h/x", false}, {"rtsp://viewer@h/x", false}, {"rtsp://viewer:hunter2@h/x", true}, {"rtsp://:hunter2@h/x", true},
        {"rtsp://viewer:${MEMAED_TEST_SECRET}@h/x", false}, {"rtsp://${MEMAED_TEST_SECRET}@h/x", false},
        {"rtsp://viewer:a${MEMAED_TEST_SECRET}@h/x", true}, {"rtsp://viewer:@h/x", false}, {"http://h/x?token=abc", true},
        {"http://h/x?token=${MEMAED_TEST_SECRET}", false}, {"http://h/x?token=${MEMAED_TEST_SECRET}&channel=1", false},
        {"http://h/x?token=&pwd=abc", true}, {"http://h/x?channel=1", false}, {"http://v:${MEMAED_TEST_SECRET}@h/x?key=k", true},
    };
    char text[800];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        snprintf(text, sizeof text, "cameras:\n  gate:\n    source: %s\n    model: gate.safetensors\n", cases[i].source);
        write_file("gate.safetensors", "");
        struct config *config = good(text, in_folder("x.yml"));
        ck_assert_msg(config->cameras[0].source_holds_password == cases[i].inside, "%s", cases[i].source);
        ck_assert_int_eq(config->cameras[0].source_line, 3);
        config_unref(config);
    }
    write_file("secret", "whsec_" SECRET "\n");
    snprintf(text, sizeof text,
             "cameras:\n  gate: {source: rtsp://h/x, model: gate.safetensors}\n\n\nwebhooks:\n"
             "  - {url: https://h/x, secret: whsec_" SECRET "}\n  - {url: https://h/x, secret_file: secret}\n"
             "  - {url: \"https://a:b@h/x\"}\n  - {url: https://h/x}\n  - {url: https://h/x, secret_file: secret, "
             "old_secret_file: secret}\n  - {url: https://h/x, secret_file: secret, old_secret: whsec_" SECRET "}\n");
    for (int open = 0; open < 2; open++) {
        ck_assert_int_eq(chmod(in_folder("secret"), open ? 0604 : 0640), 0);
        struct config *config = good(text, in_folder("x.yml"));
        ck_assert_int_eq(config->webhooks[0].password_line, 6);
        ck_assert_int_eq(config->webhooks[1].password_line, 0);
        ck_assert_int_eq(config->webhooks[1].secret_file_is_open, open);
        ck_assert_int_eq(config->webhooks[1].secret_file_line, 7);
        ck_assert_int_eq(config->webhooks[2].password_line, 8);
        ck_assert_int_eq(config->webhooks[3].password_line, 0);
        ck_assert_int_eq(config->webhooks[3].old_secret_file_is_open, 0);
        ck_assert_int_eq(config->webhooks[4].old_secret_file_is_open, open);
        ck_assert_int_eq(config->webhooks[4].old_secret_file_line, 10);
        ck_assert_int_eq(config->webhooks[5].password_line, 11);
        config_unref(config);
    }
}
END_TEST

START_TEST(test_signing_in)
{
    write_file("gate.safetensors", "");
    write_file("password", "p@ss/w:rd#?%\u00e9 \r\n\n");
    ck_assert_int_eq(chmod(in_folder("password"), 0604), 0);
    struct config *config = good("cameras:\n"
                                 "  a: {source: rtsp://h/x, model: gate.safetensors}\n"
                                 "  b:\n"
                                 "    source: rtsp://h/x\n"
                                 "    model: gate.safetensors\n"
                                 "    user: view er@x\n"
                                 "    password: 'p@ss/w:rd#?%\u00e9'\n"
                                 "  c: {source: rtsp://h/x, model: gate.safetensors, user: 12, password: "
                                 "\"${MEMAED_TEST_SECRET}\"}\n"
                                 "  d: {source: rtsp://h/x, model: gate.safetensors, user: u, password_file: password}\n"
                                 "  e: {source: rtsp://h/x, model: gate.safetensors, user: u}\n", in_folder("x.yml"));
    const struct config_camera *c = config->cameras;
    ck_assert(!c[0].user && !c[0].password && c[0].user_line == 0 && c[0].password_line == 0);
    ck_assert_str_eq(c[1].user, "view er@x");
    ck_assert_str_eq(c[1].password, "p@ss/w:rd#?%\u00e9");
    ck_assert_int_eq(c[1].user_line, 6);
    ck_assert_int_eq(c[1].password_line, 7);
    ck_assert_int_eq(c[1].password_column, 15);
    ck_assert_str_eq(c[2].user, "12");
    ck_assert_str_eq(c[2].password, "s3cr3t-value");
    ck_assert_int_eq(c[2].password_line, 0);
    ck_assert_str_eq(c[3].password, "p@ss/w:rd#?%\u00e9 ");
    ck_assert(c[3].password_file_is_open && c[3].password_line == 0);
    ck_assert_int_eq(c[3].password_file_line, 9);
    ck_assert(c[4].user && !c[4].password);
    config_unref(config);
}
END_TEST

START_TEST(test_empty_mappings_mean_defaults)
{
    struct config *config = good(camera("    alert:\nhttp:\nwebhooks: ~\n"), "tests/x.yml");
    ck_assert_int_eq(config->listen_port, 8787);
    ck_assert_int_eq(config->cameras[0].alert.n, 5);
    ck_assert_uint_eq(config->n_webhooks, 0);
    config_unref(config);
    config = good(camera("webhooks: []\n"), "tests/x.yml");
    config_unref(config);
}
END_TEST

static const char *event_name(int i)
{
    return event_type_name((enum event_type)i);
}

static const char *kind_name(int i)
{
    return health_kind_info((enum health_kind)i)->name;
}

/* Checks that the key takes a list of exactly those names. */
static void check_names(const char *path, int n, const char *(*name)(int i))
{
    struct config_key key;
    char expected[400] = "a list of ";
    int i = 0;
    while (config_key(i, &key) && strcmp(key.path, path) != 0)
        i++;
    for (int k = 0; k < n; k++) {
        strcat(expected, k == 0 ? "" : k < n - 1 ? ", " : " or ");
        strcat(expected, name(k));
    }
    ck_assert_str_eq(key.expected, expected);
}

/* The table of keys names the events and kinds of core/event.h and core/health/kind.h. */
START_TEST(test_names)
{
    check_names("webhooks[].events", EVENT_TYPES, event_name);
    check_names("health.off", HEALTH_KINDS, kind_name);
    check_names("cameras.NAME.health.mark", HEALTH_KINDS, kind_name);
}
END_TEST

/* A key that a camera gives holds for it. A key that it does not give is taken from the file's own health. */
START_TEST(test_health)
{
    struct config *config = good(camera(""), "tests/x.yml");
    ck_assert(config->cameras[0].health.enabled && config->cameras[0].health.learn_s == 60);
    ck_assert_uint_eq(config->cameras[0].health.off, 0);
    config_unref(config);
    config = good(camera("health: {off: [colour_cast, stripes]}\n"), "tests/x.yml");
    ck_assert_uint_eq(config->cameras[0].health.off, health_bit(HEALTH_COLOUR_CAST) | health_bit(HEALTH_STRIPES));
    config_unref(config);
    config = good(camera("health: {off: []}\n"), "tests/x.yml");
    ck_assert_uint_eq(config->cameras[0].health.off, 0);
    config_unref(config);
    const unsigned off = health_bit(HEALTH_FROZEN) | health_bit(HEALTH_MOVED);
    config = good(camera("health: {enabled: false, off: [frozen, moved], learn_s: 10}\n"), "tests/x.yml");
    const struct config_health *h = &config->cameras[0].health;
    ck_assert(!h->enabled && h->off == off && h->learn_s == 10);
    config_unref(config);
    config = good(camera("    health: {enabled: true, off: [], learn_s: 600.5}\n"
                         "health: {enabled: false, off: [frozen, moved], learn_s: 10}\n"), "tests/x.yml");
    h = &config->cameras[0].health;
    ck_assert(h->enabled && h->off == 0 && h->learn_s == 600.5);
    config_unref(config);
}
END_TEST

/* A kind that a camera names in one list is not in its other list. A kind in no list is marked, unless mark is given. */
START_TEST(test_hold_and_mark)
{
    const unsigned blur = health_bit(HEALTH_BLUR), moved = health_bit(HEALTH_MOVED), covered = health_bit(HEALTH_COVERED);
    const unsigned usual = covered | moved | health_bit(HEALTH_JITTER) | health_bit(HEALTH_LIGHT);
    const struct {
        const char *of_camera, *of_all;
        unsigned hold, mark;
    } rows[] = {
        {"{}", "{}", usual, HEALTH_ALL & ~usual},
        {"{}", "{hold: [blur]}", blur, HEALTH_ALL & ~blur},
        {"{}", "{hold: []}", 0, HEALTH_ALL},
        {"{}", "{mark: [moved, blur]}", usual & ~moved, moved | blur},
        {"{}", "{hold: [covered], mark: [blur]}", covered, blur},
        {"{hold: [blur]}", "{}", blur, HEALTH_ALL & ~blur},
        {"{hold: [blur]}", "{mark: [blur, moved]}", blur, moved},
        {"{mark: [covered]}", "{}", usual & ~covered, covered},
        {"{hold: [], mark: []}", "{}", 0, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[200];
        snprintf(text, sizeof text, "    health: %s\nhealth: %s\n", rows[i].of_camera, rows[i].of_all);
        struct config *config = good(camera(text), "tests/x.yml");
        const struct config_health *h = &config->cameras[0].health;
        ck_assert_msg(h->hold == rows[i].hold && h->mark == rows[i].mark, "%s: 0x%x, 0x%x", text, h->hold, h->mark);
        config_unref(config);
    }
}
END_TEST

START_TEST(test_listen)
{
    static const struct {
        const char *text, *cause;
    } wrong[] = {
        {"8787", "without a port"}, {"127.0.0.1", "without a port"}, {"\"[::1]\"", "without a port"}, {"\"[::1]8787\"",
                                                                                                       "without a port"},
        {"\"[:1\"", "without a port"}, {"\"127.0.0.1:\"", "without a port from 0 to 65535"}, {"127.0.0.1:65536",
                                                                                          "without a port from 0 to 65535"},
        {"127.0.0.1:+1", "without a port from 0 to 65535"}, {"127.0.0.1:1x",
                                     "without a port from 0 to 65535"}, {"127.0.0.1:1.0", "without a port from 0 to 65535"},
        {"127.0.0.1:99999999999999999999", "without a port from 0 to 65535"}, {"\"::1:8787\"", "without a numeric address"},
        {"\"[127.0.0.1]:1\"", "without a numeric address"}, {"\"[]:1\"", "without a numeric address"},
        {"256.0.0.1:1", "without a numeric address"}, {"127.1:1", "without a numeric address"},
        {"\":8787\"", "without a numeric address"}, {"localhost:1", "without a numeric address"},
        {"00000000000000000000000000000000000000000000000000000127.0.0.1:1", "without a numeric address"},
    };
    char text[200];
    struct config *config;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        snprintf(text, sizeof text, "%shttp:\n  listen: %s\n", camera(""), wrong[i].text);
        ck_assert_int_eq(load(&config, text, "tests/x.yml"), -EINVAL);
        ck_assert_int_eq(faults.n, 1);
        ck_assert_msg(strncmp(faults.text, "tests/x.yml:6:11: http.listen: expected ADDRESS:PORT such as 127.0.0.1:8787 or "
                              "\"[::1]:8787\", got \"", 95) == 0 && strstr(faults.text, wrong[i].cause),
                      "%s gives %s", wrong[i].text, faults.text);
    }
    snprintf(text, sizeof text, "%shttp:\n  listen: 0.0.0.0:65535\n", camera(""));
    config = good(text, "tests/x.yml");
    ck_assert_int_eq(config->listen_port, 65535);
    config_unref(config);
}
END_TEST

START_TEST(test_numbers)
{
    static const char *const wrong[] = {"1,5", "1.", "1e", "1e+", "0x1", "nan", ".nan", ".inf", "inf", "1 2", "1_0", "--1",
                                        "+",
                                        ".", "e1", "1.5.5", "1f", "true", "\"10\"", "'10'", "1e999", "-1", "0", "0.09",
                                        "120.1"};
    static const char *const right[] = {"0.1", "120", "1.5", ".5", "+2", "1e1", "1.2E+2", "1000e-1", "010"};
    char text[200];
    struct config *config;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        snprintf(text, sizeof text, "%s    fps: %s\n", camera(""), wrong[i]);
        ck_assert_msg(load(&config, text, "tests/x.yml") == -EINVAL && faults.n == 1, "%s passes", wrong[i]);
        ck_assert_msg(strncmp(faults.text, "tests/x.yml:5:10: cameras.gate.fps: expected a number from 0.1 to 120, got ",
                              75) == 0,
                      "%s", faults.text);
    }
    for (size_t i = 0; i < sizeof right / sizeof right[0]; i++) {
        snprintf(text, sizeof text, "%s    fps: %s\n", camera(""), right[i]);
        config = good(text, "tests/x.yml");
        ck_assert_double_eq(config->cameras[0].fps, strtod(right[i], NULL));
        config_unref(config);
    }
}
END_TEST

/* Learning accepts a configuration whose models are absent, and reports every other fault. */
START_TEST(test_models_yet_to_be_learned)
{
    struct config *config = NULL;
    const char *path = write_file("unlearned.yml", "cameras: {gate: {source: rtsp://h, model: to-come.safetensors}}\n");
    faults = (struct lines){0};
    ck_assert_int_eq(config_load(&config, path, on_fault, NULL), -EINVAL);
    ck_assert_ptr_nonnull(strstr(faults.text, "to-come.safetensors"));
    faults = (struct lines){0};
    ck_assert_msg(config_load_unlearned(&config, path, on_fault, NULL) == 0, "%s", faults.text);
    ck_assert_ptr_nonnull(strstr(config->cameras[0].model, "to-come.safetensors"));
    config_unref(config);
    path = write_file("unlearned.yml", "cameras: {gate: {source: rtsp://h, model: .}}\n");
    faults = (struct lines){0};
    ck_assert_int_eq(config_load_unlearned(&config, path, on_fault, NULL), -EINVAL);
    ck_assert_ptr_nonnull(strstr(faults.text, "(not a regular file)\n"));
}
END_TEST

int main(void)
{
    TCase *test = tcase_create("config");
    tcase_add_test(test, test_defaults);
    tcase_add_test(test, test_times);
    tcase_add_test(test, test_every_key);
    tcase_add_test(test, test_passwords_in_the_file);
    tcase_add_test(test, test_signing_in);
    tcase_add_test(test, test_empty_mappings_mean_defaults);
    tcase_add_test(test, test_names);
    tcase_add_test(test, test_health);
    tcase_add_test(test, test_hold_and_mark);
    tcase_add_test(test, test_listen);
    tcase_add_test(test, test_numbers);
    tcase_add_test(test, test_models_yet_to_be_learned);
    return config_run("config", test);
}
