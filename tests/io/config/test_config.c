/* The configuration: what is read, every kind of fault with its place and words (tests/bad/config/), the example, and
 * what models and configuration must agree on. */
#include <check.h>
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/kernels/kernels.h"
#include "daemon/commands.h"
#include "daemon/watch/check.h"
#include "io/config/config.h"
#include "io/config/config_yaml.h"

#define SECRET "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"       /* 24 bytes in base64 */

/* ---- helpers ------------------------------------------------------------------------------------------------------ */

struct lines {
    char text[1 << 18];
    size_t size;
    int n;
};
static struct lines faults, warnings;

static void take(struct lines *lines, const char *text)
{
    ck_assert_msg(!strpbrk(text, "\n\r\x1b"), "a fault of more than a line: %s", text);
    if (lines->size + strlen(text) + 2 < sizeof lines->text)
        lines->size += (size_t)sprintf(lines->text + lines->size, "%s\n", text);
    lines->n++;
}

static void on_fault(void *arg, const char *text)
{
    (void)arg;
    take(&faults, text);
}

static void on_warning(void *arg, const char *text)
{
    (void)arg;
    take(&warnings, text);
}

static int load(struct config **ret, const char *text, const char *path)
{
    faults = (struct lines){0};
    return config_load_memory(ret, text, strlen(text), path, on_fault, NULL);
}

static struct config *good(const char *text, const char *path)
{
    struct config *config = NULL;
    int r = load(&config, text, path);
    ck_assert_msg(r == 0 && faults.n == 0, "%d: %s", r, faults.text);
    return config;
}

/* Loading fails with exactly these lines. */
static void bad(const char *text, const char *expected)
{
    struct config *config = (void *)-1;
    int r = load(&config, text, "tests/x.yml");
    ck_assert_int_eq(r, -EINVAL);
    ck_assert_ptr_eq(config, (void *)-1);
    ck_assert_str_eq(faults.text, expected);
}

static char *read_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    ck_assert_msg(file, "%s: %s", path, strerror(errno));
    char *data = calloc(1, 1 << 18);
    *size = fread(data, 1, (1 << 18) - 1, file);
    fclose(file);
    return data;
}

static char folder[] = "/tmp/memaed-config-XXXXXX";

static const char *in_folder(const char *name)
{
    static char path[4][128];
    static int next;
    next = (next + 1) % 4;
    snprintf(path[next], sizeof path[next], "%s/%s", folder, name);
    return path[next];
}

static const char *write_file(const char *name, const char *text)
{
    const char *path = in_folder(name);
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
    return path;
}

static void set_up(void)
{
    ck_assert_ptr_nonnull(mkdtemp(folder));
    unsetenv("MEMAED_TEST_UNSET");
    unsetenv("MEMAED_TEST_UNSET_TOO");
    setenv("MEMAED_TEST_SECRET", "s3cr3t-value", 1);
    setenv("MEMAED_TEST_EMPTY", "", 1);
}

static void tear_down(void)
{
    glob_t found;
    if (glob(in_folder("*"), 0, NULL, &found) == 0)
        for (size_t i = 0; i < found.gl_pathc; i++)
            unlink(found.gl_pathv[i]);
    globfree(&found);
    rmdir(folder);
}

/* A configuration of one camera, with more lines at the camera's keys. */
static const char *camera(const char *more)
{
    static char text[4096];
    snprintf(text, sizeof text, "cameras:\n  gate:\n    source: rtsp://h/x\n    model: clips.c\n%s", more);
    return text;
}

/* ---- what is read ------------------------------------------------------------------------------------------------- */

START_TEST(test_defaults)
{
    struct config *config = good(camera(""), "tests/x.yml");
    const struct config_camera *c = &config->cameras[0];
    ck_assert_str_eq(config->path, "tests/x.yml");
    ck_assert_str_eq(config->state_dir, "/var/lib/memaed");
    ck_assert_str_eq(config->listen_address, "127.0.0.1");
    ck_assert_int_eq(config->listen_port, 8787);
    ck_assert_int_eq(config->workers, 0);
    ck_assert_uint_eq(config->n_cameras, 1);
    ck_assert_uint_eq(config->n_webhooks, 0);
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
        "http: {listen: \"[::1]:0\"}\n"
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
        "    alert: {threshold: \"0.${MEMAED_TEST_NUMBER}\", close_threshold: -5e-1, k: 64, n: 64, cooldown_s: 0}\n"
        "  looped:\n"
        "    source: 100%.mp4\n"
        "    model: gate.safetensors\n"
        "    loop: true\n"
        "  file: {source: \"file:100%.mp4\", model: gate.safetensors, loop: true}\n"
        "  url: {source: \"file:///dev/null\", model: gate.safetensors}\n"
        "  sequence: {source: frames/%03d.jpg, model: gate.safetensors, loop: true}\n"
        "webhooks:\n"
        "  - url: https://h/x\n"
        "    secret_file: secret\n"
        "    events: [camera.lost, alert.opened]\n"
        "    timeout_s: 0.5\n"
        "  - {url: HTTP://h, secret: \"whsec_//////////////////////////////////////////8=\"}\n"
        "  - url: http://h\n"
        "    secret: whsec_" SECRET SECRET "MfKQ9r8GKYqrTwjUPD8ILA==\n",
        in_folder("x.yml"));
    const struct config_camera *c = config->cameras;
    ck_assert_str_eq(config->state_dir, in_folder("state"));
    ck_assert_str_eq(config->listen_address, "::1");
    ck_assert_int_eq(config->listen_port, 0);
    ck_assert_int_eq(config->workers, 7);
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
    ck_assert_str_eq(c[1].source, in_folder("100%.mp4"));
    ck_assert(c[1].loop);
    ck_assert_str_eq(c[2].source, in_folder("100%.mp4"));
    ck_assert_str_eq(c[3].source, "/dev/null");
    ck_assert_str_eq(c[4].source, in_folder("frames/%03d.jpg"));
    ck_assert_uint_eq(config->n_webhooks, 3);
    ck_assert_str_eq(config->webhooks[0].url, "https://h/x");
    ck_assert_uint_eq(config->webhooks[0].secret_size, 24);
    ck_assert_mem_eq(config->webhooks[0].secret, "\x31\xf2\x90\xf6\xbf\x06\x29\x8a\xab\x4f\x08\xd4", 12);
    ck_assert_uint_eq(config->webhooks[0].events, event_bit(EVENT_CAMERA_LOST) | event_bit(EVENT_ALERT_OPENED));
    ck_assert_double_eq(config->webhooks[0].timeout_s, 0.5);
    ck_assert_uint_eq(config->webhooks[1].secret_size, 32);
    ck_assert_uint_eq(config->webhooks[1].secret[31], 0xff);
    ck_assert_uint_eq(config->webhooks[1].events, EVENT_ALL);
    ck_assert_double_eq(config->webhooks[1].timeout_s, 10);
    ck_assert_uint_eq(config->webhooks[2].secret_size, 64);
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

START_TEST(test_listen)
{
    static const struct {
        const char *text, *cause;
    } wrong[] = {
        {"8787", "without a port"}, {"127.0.0.1", "without a port"}, {"\"[::1]\"", "without a port"}, {"\"[::1]8787\"", "without a port"},
        {"\"[:1\"", "without a port"}, {"\"127.0.0.1:\"", "without a port from 0 to 65535"}, {"127.0.0.1:65536", "without a port from 0 to 65535"},
        {"127.0.0.1:+1", "without a port from 0 to 65535"}, {"127.0.0.1:1x", "without a port from 0 to 65535"}, {"127.0.0.1:1.0", "without a port from 0 to 65535"},
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
    static const char *const wrong[] = {"1,5", "1.", "1e", "1e+", "0x1", "nan", ".nan", ".inf", "inf", "1 2", "1_0", "--1", "+",
                                        ".", "e1", "1.5.5", "1f", "true", "\"10\"", "'10'", "1e999", "-1", "0", "0.09",
                                        "120.1"};
    static const char *const right[] = {"0.1", "120", "1.5", ".5", "+2", "1e1", "1.2E+2", "1000e-1", "010"};
    char text[200];
    struct config *config;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        snprintf(text, sizeof text, "%s    fps: %s\n", camera(""), wrong[i]);
        ck_assert_msg(load(&config, text, "tests/x.yml") == -EINVAL && faults.n == 1, "%s passes", wrong[i]);
        ck_assert_msg(strncmp(faults.text, "tests/x.yml:5:10: cameras.gate.fps: expected a number from 0.1 to 120, got ", 75) == 0,
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

/* ---- faults ------------------------------------------------------------------------------------------------------- */

/* Each file of tests/bad/config has the faults of the .txt beside it, and no other. UPDATE=1 writes those anew. */
START_TEST(test_bad_files)
{
    glob_t found;
    ck_assert_int_eq(glob("tests/bad/config/*.yml", 0, NULL, &found), 0);
    ck_assert_uint_ge(found.gl_pathc, 28);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        const char *path = found.gl_pathv[i];
        char expected_path[200], actual[sizeof faults.text] = "";
        struct config *config = (void *)-1;
        size_t size;
        faults = (struct lines){0};
        int r = config_load(&config, path, on_fault, NULL);
        ck_assert_msg(r == -EINVAL && config == (void *)-1, "%s: %d", path, r);
        ck_assert_msg(!strstr(faults.text, "MfKQ") && !strstr(faults.text, "s3cr3t") && !strstr(faults.text, "hunter2"),
                      "%s: a secret is shown: %s", path, faults.text);

        size_t n = 0;           /* without the folder, which could change */
        for (const char *p = faults.text; *p;) {
            if (strncmp(p, "tests/bad/config/", 17) == 0)
                p += 17;
            actual[n++] = *p++;
        }
        actual[n] = 0;
        snprintf(expected_path, sizeof expected_path, "%.*s.txt", (int)strlen(path) - 4, path);
        if (getenv("UPDATE")) {
            FILE *file = fopen(expected_path, "w");
            fputs(actual, file);
            fclose(file);
        }
        char *expected = read_file(expected_path, &size);
        ck_assert_str_eq(actual, expected);
        free(expected);

        int line = 0, column = 0;
        for (char *p = actual; *p; p = strchr(p, '\n') + 1) {       /* in order of their places */
            int l, c;
            ck_assert_msg(sscanf(strchr(p, ':'), ":%d:%d: ", &l, &c) == 2, "%s", p);
            ck_assert(l > line || (l == line && c >= column));
            line = l;
            column = c;
        }
    }
    globfree(&found);
}
END_TEST

START_TEST(test_files_that_cannot_be_read)
{
    struct config *config = (void *)-1;
    faults = (struct lines){0};
    ck_assert_int_eq(config_load(&config, in_folder("none.yml"), on_fault, NULL), -ENOENT);
    ck_assert_int_eq(config_load(&config, folder, on_fault, NULL), -EISDIR);
    ck_assert_int_eq(faults.n, 2);
    ck_assert_ptr_eq(config, (void *)-1);
    ck_assert_ptr_nonnull(strstr(faults.text, "none.yml: cannot read the configuration: No such file or directory\n"));

    if (geteuid() == 0) {
        printf("SKIP permission faults: running as root\n");
        return;
    }
    chmod(write_file("secret", "whsec_" SECRET), 0);
    char text[300];
    snprintf(text, sizeof text, "%swebhooks: [{url: http://h, secret_file: %s}]\n", camera(""), in_folder("secret"));
    ck_assert_int_eq(load(&config, text, "tests/x.yml"), -EINVAL);
    ck_assert_ptr_nonnull(strstr(faults.text, "Permission denied"));
}
END_TEST

START_TEST(test_secret_files)
{
    static const struct {
        const char *text, *cause;
    } wrong[] = {
        {"", "got a file that does not begin with whsec_\n"},
        {SECRET "\n", "got a file that does not begin with whsec_\n"},
        {"whsec_" SECRET "\nwhsec_" SECRET "\n", "got a file that is not base64 after whsec_\n"},
        {" whsec_" SECRET, "got a file that does not begin with whsec_\n"},
        {"whsec_" SECRET " ", "got a file that is not base64 after whsec_\n"},
        {"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaQ=\n", "got a file that decodes to fewer than 24 bytes\n"},
        {"whsec_" SECRET SECRET SECRET "\n", "got a file that decodes to more than 64 bytes\n"},
    };
    char text[300], *many = calloc(1, 5001);
    struct config *config;
    snprintf(text, sizeof text, "%swebhooks: [{url: http://h, secret_file: %s}]\n", camera(""), in_folder("secret"));
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        write_file("secret", wrong[i].text);
        ck_assert_int_eq(load(&config, text, "tests/x.yml"), -EINVAL);
        ck_assert_msg(strstr(faults.text, wrong[i].cause), "%zu: %s", i, faults.text);
        ck_assert(!strstr(faults.text, "MfKQ"));
    }
    memset(many, 'A', 5000);
    write_file("secret", many);
    ck_assert_int_eq(load(&config, text, "tests/x.yml"), -EINVAL);
    ck_assert_ptr_nonnull(strstr(faults.text, "(more than 4096 bytes, or not text)\n"));
    unlink(in_folder("secret"));
    ck_assert_int_eq(mkfifo(in_folder("secret"), 0600), 0);         /* must not wait for a writer */
    ck_assert_int_eq(load(&config, text, "tests/x.yml"), -EINVAL);
    ck_assert_ptr_nonnull(strstr(faults.text, "(not a regular file)\n"));
    free(many);
}
END_TEST

START_TEST(test_limits)
{
    struct config *config;
    size_t room = 2 << 20, n = 0;
    char *text = calloc(1, room);

    memset(text, ' ', CONFIG_YAML_MAX_SIZE + 1);
    bad(text, "tests/x.yml:1:1: expected a file of at most 1 MiB, got more\n");

    memset(text, 0, room);
    n = (size_t)sprintf(text, "cameras:\n");
    for (int i = 0; i < CONFIG_MAX_CAMERAS + 1; i++)
        n += (size_t)sprintf(text + n, "  c%d: {source: rtsp://h, model: clips.c}\n", i);
    ck_assert_int_eq(load(&config, text, "tests/x.yml"), -EINVAL);
    ck_assert_ptr_nonnull(strstr(faults.text, "tests/x.yml:2:3: cameras: expected 1 to 1024 cameras by name, got 1025\n"));
    *strstr(text, "  c1024:") = 0;
    config = good(text, "tests/x.yml");
    ck_assert_uint_eq(config->n_cameras, CONFIG_MAX_CAMERAS);
    ck_assert_str_eq(config->cameras[1023].name, "c1023");
    config_unref(config);

    n = (size_t)sprintf(text, "%swebhooks:\n", camera(""));
    for (int i = 0; i < CONFIG_MAX_WEBHOOKS + 1; i++)
        n += (size_t)sprintf(text + n, "  - url: http://h\n");
    ck_assert_int_eq(load(&config, text, "tests/x.yml"), -EINVAL);
    ck_assert_ptr_nonnull(strstr(faults.text, "webhooks: expected a list of at most 64 mappings, got 65\n"));

    n = (size_t)sprintf(text, "cameras: [");
    for (int i = 0; i < CONFIG_YAML_MAX_NODES; i++)
        n += (size_t)sprintf(text + n, "a,");
    sprintf(text + n, "]\n");
    ck_assert_int_eq(load(&config, text, "tests/x.yml"), -EINVAL);
    ck_assert_ptr_nonnull(strstr(faults.text, ": expected at most 50000 values, got more\n"));

    /* What the environment puts in is bounded too. */
    char *value = calloc(1, 40001);
    memset(value, 'a', 40000);
    setenv("MEMAED_TEST_LONG", value, 1);
    bad("cameras: {g: {source: 'rtsp://h/${MEMAED_TEST_LONG}${MEMAED_TEST_LONG}', model: clips.c}}\n",
        "tests/x.yml:1:23: cameras.g.source: expected a text of at most 65536 bytes, got more\n");
    free(value);
    free(text);
}
END_TEST

/* Cut anywhere, the file is read or refused, with a fault that names a place in it. */
START_TEST(test_every_prefix)
{
    size_t size;
    char *text = read_file("etc/memaed.yml", &size);
    write_file("gate.safetensors", "");
    for (size_t n = 0; n <= size; n++) {
        struct config *config = NULL;
        faults = (struct lines){0};
        int r = config_load_memory(&config, text, n, in_folder("x.yml"), on_fault, NULL);
        ck_assert(r == 0 ? faults.n == 0 && config : r == -EINVAL && faults.n > 0 && !config);
        config_unref(config);
    }
    free(text);
}
END_TEST

/* ---- the example -------------------------------------------------------------------------------------------------- */

START_TEST(test_example_loads_with_the_defaults)
{
    size_t size;
    char *text = read_file("etc/memaed.yml", &size);
    write_file("gate.safetensors", "");
    write_file("webhook-secret", "whsec_" SECRET "\n");
    setenv("GATE_PASSWORD", "hunter2", 1);
    setenv("CREDENTIALS_DIRECTORY", folder, 1);
    struct config *example = good(text, in_folder("memaed.yml"));
    struct config *plain = good("cameras:\n  gate: {source: rtsp://h/x, model: gate.safetensors}\n"
                                "webhooks: [{url: http://h}]\n", in_folder("memaed.yml"));
    struct config_camera *a = &example->cameras[0], *b = &plain->cameras[0];
    ck_assert_uint_eq(example->n_cameras, 1);
    ck_assert_uint_eq(example->n_webhooks, 1);
    ck_assert_str_eq(a->source, "rtsp://viewer:hunter2@gate.example/stream1");
    ck_assert_uint_eq(example->webhooks[0].secret_size, 24);
    ck_assert_str_eq(example->state_dir, plain->state_dir);
    ck_assert_str_eq(example->listen_address, plain->listen_address);
    ck_assert_int_eq(example->listen_port, plain->listen_port);
    ck_assert_int_eq(example->workers, plain->workers);
    ck_assert(a->udp == b->udp && a->fps == b->fps && a->fps_force == b->fps_force && a->stride == b->stride &&
              a->loop == b->loop && a->precision == b->precision && a->stall_timeout_s == b->stall_timeout_s && a->backlog == b->backlog);
    ck_assert(!a->alert.has_threshold && !a->alert.has_close_threshold && a->alert.k == b->alert.k &&
              a->alert.n == b->alert.n && a->alert.cooldown_s == b->alert.cooldown_s);
    ck_assert_uint_eq(example->webhooks[0].events, plain->webhooks[0].events);
    ck_assert_double_eq(example->webhooks[0].timeout_s, plain->webhooks[0].timeout_s);
    config_unref(example);
    config_unref(plain);
    free(text);
}
END_TEST

/* The example goes through the keys in the table's order, and says of each, in the comment above it, what the table says. */
START_TEST(test_example_says_what_the_table_says)
{
    size_t size;
    char *text = read_file("etc/memaed.yml", &size), comment[1000] = "";
    struct config_key key;
    int i = 0;
    ck_assert(config_key(i, &key));
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        char wanted[1000], *last = strrchr(key.path, '.'), *name = last ? last + 1 : key.path;
        bool hidden = false;
        line += strspn(line, " ");
        size_t n = strlen(name);
        if (line[0] == '#') {
            hidden = strncmp(line, "# ", 2) == 0 && strncmp(line + 2, name, n) == 0 && line[2 + n] == ':';
            if (!hidden) {
                size_t used = strlen(comment);
                snprintf(comment + used, sizeof comment - used, "%s%s", used && line[1] ? " " : "", line[1] ? line + 2 : "");
                continue;
            }
            line += 2;
        }
        if (strncmp(line, name, n) != 0 || line[n] != ':') {
            ck_assert_msg(strcmp(line, "gate:") == 0 || strcmp(line, "-") == 0, "%s stands where %s should", line, key.path);
            continue;
        }
        snprintf(wanted, sizeof wanted, "%s (%s)", key.help, key.summary);
        size_t used = strlen(comment), length = strlen(wanted);
        ck_assert_msg(used >= length && strcmp(comment + used - length, wanted) == 0, "%s: \"%s\" is not \"%s\"", key.path,
                      comment, wanted);
        if (key.fallback && !key.in_words)
            ck_assert_msg(!hidden && strncmp(line + n, ": ", 2) == 0 && strcmp(line + n + 2, key.fallback) == 0,
                          "%s: \"%s\" is not the default %s", key.path, line, key.fallback);
        comment[0] = 0;
        if (!config_key(++i, &key)) {
            snprintf(key.path, sizeof key.path, "nothing more");
        }
    }
    ck_assert_msg(!config_key(i, &key), "%s is missing in the example", key.path);
    ck_assert_int_ge(i, 26);
    ck_assert(!config_key(-1, &key));
    free(text);
}
END_TEST

/* ---- with models -------------------------------------------------------------------------------------------------- */

static struct calibration calibration = {.fps = 10, .threshold = 0.2, .close_threshold = 0.15, .median = 0.05, .p99 = 0.1,
                                         .maximum = 0.15, .windows = 100};

/* "calibrated.safetensors" and "plain.safetensors" into the folder; "broken.safetensors" is none. */
static void write_models(void)
{
    struct error err;
    struct model *model;
    ck_assert_int_eq(model_open(&model, arch_profile("nano"), &err), 0);
    model_init(model, 1);
    ck_assert_int_eq(model_file_save(in_folder("calibrated.safetensors"), model, &calibration, NULL, &err), 0);
    ck_assert_int_eq(model_file_save(in_folder("plain.safetensors"), model, NULL, NULL, &err), 0);
    model_close(model);
    write_file("broken.safetensors", "no model");
}

static int check_text(struct check_models *models, const char *text)
{
    struct config *config = good(text, in_folder("x.yml"));
    faults = warnings = (struct lines){0};
    int r = check_models(models, config, on_fault, on_warning, NULL);
    config_unref(config);
    return r;
}

/* Learning takes a configuration whose models are yet to come, and finds every other fault in it. */
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

START_TEST(test_models)
{
    struct check_models models = {0};
    write_models();
    ck_assert_int_eq(check_text(&models, "cameras:\n"
                                         "  a: {source: rtsp://h, model: calibrated.safetensors}\n"
                                         "  b: {source: rtsp://h, fps: 10.005, model: calibrated.safetensors}\n"
                                         "  c: {source: rtsp://h, fps: 12, fps_force: true, model: calibrated.safetensors}\n"
                                         "  d: {source: rtsp://h, model: plain.safetensors, alert: {threshold: 1}}\n"
                                         "  e: {source: rtsp://h, model: plain.safetensors, fps: 5}\n"), 0);
    ck_assert_uint_eq(models.n_files, 2);
    ck_assert_uint_eq(models.file_of[2], 0);
    ck_assert_uint_eq(models.file_of[4], 1);
    ck_assert(models.files[0].has_calibration && !models.files[1].has_calibration);
    ck_assert_int_eq(warnings.n, 2);
    ck_assert_ptr_nonnull(strstr(warnings.text, ":5:32: cameras.d.fps: warning: "));
    ck_assert_ptr_nonnull(strstr(warnings.text, ":6:32: cameras.e.alert.threshold: warning: "));
    check_models_clear(&models);
    check_models_clear(&models);

    ck_assert_int_eq(check_text(&models, "cameras:\n"
                                         "  a: {source: rtsp://h, fps: 12, model: calibrated.safetensors}\n"
                                         "  b: {source: rtsp://h, model: broken.safetensors}\n"
                                         "  c: {source: rtsp://h, model: broken.safetensors}\n"
                                         "  d: {source: rtsp://h, model: calibrated.safetensors, fps: 9.9,"
                                         " alert: {close_threshold: 0.3}}\n"), -EINVAL);
    ck_assert_ptr_null(models.files);
    ck_assert_int_eq(faults.n, 4);
    ck_assert_ptr_nonnull(strstr(faults.text, "/x.yml:2:30: cameras.a.fps: 12, but the model learned at 10; right would be 10, or "
                                              "fps_force: true\n"));
    ck_assert_ptr_nonnull(strstr(faults.text, "/x.yml:3:32: cameras.b.model: "));
    ck_assert_ptr_nonnull(strstr(faults.text, "/x.yml:5:61: cameras.d.fps: 9.9, but the model learned at 10"));
    ck_assert_ptr_nonnull(strstr(faults.text, "/x.yml:5:91: cameras.d.alert.close_threshold: 0.3 is above the model's threshold"));
}
END_TEST

/* int8 takes a model that was calibrated for it. */
START_TEST(test_precision)
{
    struct check_models models = {0};
    struct error err;
    struct model *model;
    struct plan *plan;
    struct calibration with = calibration;
    write_models();
    ck_assert_int_eq(model_open(&model, arch_profile("nano"), &err), 0);
    model_init(model, 1);
    with.has_int8 = true;
    with.int8 = (struct calibration_int8){.rank_correlation = 0.999, .windows = 100,
                                          .ranges.n = ranges_count(&model->arch, &model->shapes)};
    for (int i = 0; i < with.int8.ranges.n; i++)
        with.int8.ranges.channels[i] = (struct range){-1, 1};
    ck_assert_int_eq(model_file_save(in_folder("int8.safetensors"), model, &with, NULL, &err), 0);
    ck_assert_int_eq(check_text(&models, "cameras:\n"
                                         "  a: {source: rtsp://h, model: int8.safetensors, precision: int8}\n"
                                         "  b: {source: rtsp://h, model: calibrated.safetensors, precision: auto}\n"), 0);
    check_models_clear(&models);
    ck_assert_int_eq(check_text(&models, "cameras:\n"
                                         "  a: {source: rtsp://h, model: calibrated.safetensors, precision: int8}\n"), -EINVAL);
    ck_assert_ptr_nonnull(strstr(faults.text, "/x.yml:2:67: cameras.a.precision: int8, but the model was not calibrated for it"));

    /* What a wish comes to. */
    ck_assert_int_eq(calibration_precision(NULL, PRECISION_AUTO), PRECISION_FP32);
    ck_assert_int_eq(calibration_precision(&calibration, PRECISION_AUTO), PRECISION_FP32);
    ck_assert_int_eq(calibration_precision(&with, PRECISION_FP32), PRECISION_FP32);
    ck_assert_int_eq(kernels_choose("c"), 0);
    ck_assert_int_eq(calibration_precision(&with, PRECISION_AUTO), PRECISION_FP32);     /* no gain */
    if (kernels_choose("avx2") == 0) {
        ck_assert_int_eq(calibration_precision(&with, PRECISION_AUTO), PRECISION_INT8);
        with.int8.windows = 99;
        ck_assert_int_eq(calibration_precision(&with, PRECISION_AUTO), PRECISION_FP32);
        with.int8.windows = 100;
        with.int8.rank_correlation = 0.9989;
        ck_assert_int_eq(calibration_precision(&with, PRECISION_AUTO), PRECISION_FP32);
    }
    ck_assert_int_eq(calibration_open_plan(&plan, model, NULL, PRECISION_INT8, &err), -EINVAL);
    ck_assert_int_eq(calibration_open_plan(&plan, model, &with, PRECISION_INT8, &err), 0);
    ck_assert_int_eq(plan_precision(plan), PRECISION_INT8);
    plan_close(plan);
    ck_assert_int_eq(calibration_open_plan(&plan, model, &with, PRECISION_AUTO, &err), 0);
    ck_assert_int_eq(plan_precision(plan), PRECISION_FP32);
    plan_close(plan);
    model_close(model);
}
END_TEST

START_TEST(test_alerts_a_day)
{
    struct check_models models = {0};
    write_models();
    ck_assert_int_eq(check_text(&models, "cameras:\n"
                                         "  a: {source: rtsp://h, model: calibrated.safetensors, alert: {per_day: 10}}\n"), -EINVAL);
    ck_assert_int_eq(faults.n, 1);
    ck_assert_ptr_nonnull(strstr(faults.text, "/x.yml:2:73: cameras.a.alert.per_day: the model does not tell"));
    bad("cameras:\n  a: {source: rtsp://h, model: clips.c, alert: {threshold: 1, per_day: 10}}\n",
        "tests/x.yml:2:72: cameras.a.alert.per_day: expected either threshold or per_day, got both\n");
}
END_TEST

START_TEST(test_rules)
{
    struct config_camera c = {.alert = {.k = 2, .n = 4, .cooldown_s = 1.5}};
    struct model_file file = {.has_calibration = true, .calibration = calibration};
    struct alert_rule rule = {0};
    ck_assert_double_eq(check_fps(&c, &file), 10);
    ck_assert(check_alert_rule(&rule, &c, &file));
    ck_assert(rule.threshold == 0.2f && rule.close_threshold == 0.15f && rule.k == 2 && rule.n == 4);
    ck_assert_int_eq(rule.cooldown_us, 1500000);
    file.calibration.has_tail = true;
    file.calibration.tail.run = (struct pareto){.level = 0.18, .share = 4, .scale = 0.01};
    c.alert.has_per_day = true;
    c.alert.per_day = 10;
    ck_assert(check_alert_rule(&rule, &c, &file));
    ck_assert_float_eq_tol(rule.threshold, 0.18f - 0.01f * logf(10.0f / 96), 1e-6f);
    ck_assert(rule.close_threshold == 0.15f);
    c.alert.has_per_day = false;
    c.alert.has_threshold = true;
    c.alert.threshold = 0.4;
    ck_assert(check_alert_rule(&rule, &c, &file));
    ck_assert(rule.threshold == 0.4f);
    ck_assert_float_eq_tol(rule.close_threshold, 0.3f, 1e-6f);
    file.calibration.has_score = true;          /* a logarithm: a difference */
    ck_assert(check_alert_rule(&rule, &c, &file));
    ck_assert_float_eq_tol(rule.close_threshold, 0.35f, 1e-6f);
    file.has_calibration = false;
    ck_assert(check_alert_rule(&rule, &c, &file));
    ck_assert_float_eq_tol(rule.close_threshold, 0.36f, 1e-6f);
    c.alert.has_close_threshold = true;
    c.alert.close_threshold = 0.1;
    ck_assert(check_alert_rule(&rule, &c, &file));
    ck_assert(rule.close_threshold == 0.1f);
    c.alert.has_threshold = false;
    ck_assert(!check_alert_rule(&rule, &c, &file));
    ck_assert_double_eq(check_fps(&c, &file), 0);
    c.fps = 3;
    ck_assert_double_eq(check_fps(&c, &file), 3);
}
END_TEST

/* `memaed check` with its output in files of the folder; its exit status. */
static int run_check(const char *a, const char *b, const char *c, char out[static 4096], char err[static 4096])
{
    char *argv[] = {"check", (char *)a, (char *)b, (char *)c, NULL};
    int argc = 1;
    while (argv[argc])
        argc++;
    fflush(stdout);
    fflush(stderr);
    ck_assert_ptr_nonnull(freopen(in_folder("out"), "w", stdout));
    ck_assert_ptr_nonnull(freopen(in_folder("err"), "w", stderr));
    int status = command_check(argc, argv);
    fflush(stdout);
    fflush(stderr);
    size_t size;
    char *text = read_file(in_folder("out"), &size);
    snprintf(out, 4096, "%s", text);
    free(text);
    text = read_file(in_folder("err"), &size);
    snprintf(err, 4096, "%s", text);
    free(text);
    return status;
}

START_TEST(test_command)
{
    char out[4096], err[4096], config[64];
    write_models();
    snprintf(config, sizeof config, "%s", write_file("x.yml", "cameras:\n"
                                            "  a: {source: \"rtsp://viewer:hunter2@h/x\", model: calibrated.safetensors}\n"
                                            "webhooks: [{url: \"https://me:hunter2@h/services/T0KEN\", secret: whsec_" SECRET
                                            "}]\n"));
    ck_assert_int_eq(run_check("--config", config, NULL, out, err), 0);
    ck_assert_str_eq(err, "");
    ck_assert_msg(strstr(out, "/x.yml: ok\n") && strstr(out, "rtsp://***@h/x\n") && strstr(out, "10 frames/s") &&
                  strstr(out, "at 0.2 or more") && strstr(out, "h/...: signed"), "%s", out);
    ck_assert(!strstr(out, "hunter2") && !strstr(out, "MfKQ") && !strstr(out, "T0KEN"));

    snprintf(config, sizeof config, "%s", write_file("y.yml", "cameras:\n"
                                            "  a: {source: rtsp://h/x, fps: 3, model: calibrated.safetensors}\n"));
    ck_assert_int_eq(run_check("--config", config, NULL, out, err), 1);
    ck_assert_str_eq(out, "");
    ck_assert_ptr_nonnull(strstr(err, "/y.yml:2:32: cameras.a.fps: 3, but"));
    ck_assert_int_eq(run_check("--config", in_folder("none"), NULL, out, err), 1);
    ck_assert_ptr_nonnull(strstr(err, "/none: cannot read the configuration: No such file or directory"));

    ck_assert_int_eq(run_check(NULL, NULL, NULL, out, err), 2);
    ck_assert_int_eq(run_check("--bogus", NULL, NULL, out, err), 2);
    ck_assert_int_eq(run_check("--config", config, "more", out, err), 2);
    ck_assert_int_eq(run_check("--config", config, "--keys", out, err), 2);
    ck_assert_ptr_nonnull(strstr(err, "Usage: memaed check --config FILE"));
    ck_assert_int_eq(run_check("--help", NULL, NULL, out, err), 0);
    ck_assert_ptr_nonnull(strstr(out, "Usage: memaed check --config FILE"));
    ck_assert_int_eq(run_check("--keys", NULL, NULL, out, err), 0);
    struct config_key key;
    for (int i = 0; config_key(i, &key) && strlen(out) < 3900; i++)
        ck_assert_msg(strstr(out, key.path), "%s: %s", key.path, out);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("config");
    TCase *test = tcase_create("config");
    tcase_add_checked_fixture(test, set_up, tear_down);
    tcase_set_timeout(test, 120);
    tcase_add_test(test, test_defaults);
    tcase_add_test(test, test_every_key);
    tcase_add_test(test, test_empty_mappings_mean_defaults);
    tcase_add_test(test, test_listen);
    tcase_add_test(test, test_numbers);
    tcase_add_test(test, test_bad_files);
    tcase_add_test(test, test_files_that_cannot_be_read);
    tcase_add_test(test, test_secret_files);
    tcase_add_test(test, test_limits);
    tcase_add_test(test, test_every_prefix);
    tcase_add_test(test, test_example_loads_with_the_defaults);
    tcase_add_test(test, test_example_says_what_the_table_says);
    tcase_add_test(test, test_models_yet_to_be_learned);
    tcase_add_test(test, test_models);
    tcase_add_test(test, test_rules);
    tcase_add_test(test, test_precision);
    tcase_add_test(test, test_alerts_a_day);
    tcase_add_test(test, test_command);
    suite_add_tcase(suite, test);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_FORK);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
