/* The example, etc/memaed.yml, loads, has the defaults, and documents each key with the words of the table of keys. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/io/config/config_fixture.h"

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
    ck_assert_str_eq(a->source, "rtsp://gate.example/stream1");
    ck_assert_str_eq(a->user, "viewer");
    ck_assert_str_eq(a->password, "hunter2");
    ck_assert_uint_eq(example->webhooks[0].secret_size, 24);
    ck_assert_str_eq(example->state_dir, plain->state_dir);
    ck_assert_str_eq(example->listen_address, plain->listen_address);
    ck_assert_int_eq(example->listen_port, plain->listen_port);
    ck_assert_int_eq(example->workers, plain->workers);
    ck_assert(a->udp == b->udp && a->tls_verify && b->tls_verify && a->fps == b->fps && a->fps_force == b->fps_force &&
              a->stride == b->stride && a->loop == b->loop && a->precision == b->precision &&
              a->stall_timeout_s == b->stall_timeout_s && a->backlog == b->backlog);
    ck_assert(!a->alert.has_threshold && !a->alert.has_close_threshold && a->alert.k == b->alert.k &&
              a->alert.n == b->alert.n && a->alert.smooth_s == b->alert.smooth_s &&
              a->alert.min_duration_s == b->alert.min_duration_s && a->alert.merge_s == b->alert.merge_s &&
              a->alert.cooldown_s == b->alert.cooldown_s && a->alert.max_per_hour == b->alert.max_per_hour &&
              a->alert.lasting_h == b->alert.lasting_h);
    ck_assert_uint_eq(example->webhooks[0].filter.types, plain->webhooks[0].filter.types);
    ck_assert_double_eq(example->webhooks[0].timeout_s, plain->webhooks[0].timeout_s);
    config_unref(example);
    config_unref(plain);
    free(text);
}
END_TEST

/* The example has the keys in the order of the table. The comment above each key is the table's help and summary. */
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
            ck_assert_msg(strcmp(line, "gate:") == 0 || strcmp(line, "door:") == 0 || strcmp(line, "-") == 0,
                          "%s stands where %s should", line, key.path);
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
    ck_assert_int_ge(i, 35);
    ck_assert(!config_key(-1, &key));
    free(text);
}
END_TEST

int main(void)
{
    TCase *test = tcase_create("config_example");
    tcase_add_test(test, test_example_loads_with_the_defaults);
    tcase_add_test(test, test_example_says_what_the_table_says);
    return config_run("config_example", test);
}
