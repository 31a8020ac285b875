/* `memaed test-alert`: asks a running daemon for an alert that is marked as a test, and prints how each webhook took it. It polls
 * the state of the webhooks, because REST has no call that waits for them. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/base/options.h"
#include "daemon/commands.h"
#include "io/base/clock.h"
#include "io/rest/client.h"

enum { CALL_S = 10, POLL_MS = 200 };

struct values {
    const char *url, *camera;
    double timeout_s;
};

static bool is_camera_name(const char *text)
{
    size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_-");
    return n >= 1 && n <= 64 && text[n] == '\0';
}

static bool has_text(const json_t *list, const char *text)
{
    size_t i;
    const json_t *item;
    json_array_foreach(list, i, item)
        if (json_is_string(item) && strcmp(json_string_value(item), text) == 0)
            return true;
    return false;
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static double number_of(const json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}

static const json_t *find(const json_t *webhooks, const char *id)
{
    size_t i;
    const json_t *webhook;
    json_array_foreach(webhooks, i, webhook)
        if (strcmp(text_of(webhook, "id"), id) == 0)
            return webhook;
    return NULL;
}

/* Returns true if the webhook has acknowledged the last of the alert's events that it subscribes to. Times have one format, so
 * they compare as texts. */
static bool has_taken(const json_t *webhook, const json_t *alert)
{
    bool closed = has_text(json_object_get(webhook, "events"), "alert.closed");
    return strcmp(text_of(webhook, "newest_delivered"), text_of(alert, closed ? "closed" : "opened")) >= 0;
}

/* Returns true if the webhook took the alert, or cannot take it any more. */
static bool is_settled(const json_t *webhook, const json_t *alert)
{
    return !webhook || json_is_object(json_object_get(webhook, "disabled")) || has_taken(webhook, alert);
}

/* Prints the outcome at the webhook. Returns true if it took the alert. */
static bool print_webhook(const json_t *webhook, const char *id, const json_t *alert, double took_s)
{
    if (!webhook) {
        printf("webhook %s: fault: a reload removed it\n", id);
        return false;
    }
    const char *name = text_of(webhook, "name");
    const json_t *disabled = json_object_get(webhook, "disabled"), *failure = json_object_get(webhook, "last_failure");
    if (has_taken(webhook, alert)) {
        printf("webhook %s: ok: delivered within %.1f s\n", name, took_s);
        return true;
    }
    if (json_is_object(disabled))
        printf("webhook %s: fault: disabled since %s: %s\n", name, text_of(disabled, "since"), text_of(disabled, "reason"));
    else
        printf("webhook %s: fault: not delivered within %.1f s: %.0f events wait, %.0f attempts failed%s%s\n", name, took_s,
               number_of(webhook, "queued"), number_of(webhook, "attempts"), json_is_object(failure) ? ": " : "",
               text_of(failure, "cause"));
    return false;
}

/* Prints each webhook of ids once it is settled, and the others when the time is up. Returns how many took the alert; -errno. */
static int follow(const struct values *o, const json_t *alert, const json_t *ids, struct error *err)
{
    int64_t start_us = monotonic_us();
    size_t n = json_array_size(ids), left = n, taken = 0;
    bool *done = calloc(n + 1, sizeof *done);
    int r = done ? 0 : error_set(err, -ENOMEM, "out of memory");
    while (r == 0 && left > 0) {
        json_t *answer;
        r = rest_call(&answer, "GET", o->url, "/api/v1/webhooks", CALL_S, err);
        if (r < 0)
            break;
        double took_s = (double)(monotonic_us() - start_us) / 1e6;
        for (size_t i = 0; i < n; i++) {
            const char *id = json_string_value(json_array_get(ids, i));
            const json_t *webhook = id ? find(json_object_get(answer, "webhooks"), id) : NULL;
            if (done[i] || (!is_settled(webhook, alert) && took_s < o->timeout_s))
                continue;
            taken += print_webhook(webhook, id ? id : "?", alert, took_s);
            done[i] = true;
            left--;
        }
        json_decref(answer);
        if (left > 0)
            nanosleep(&(struct timespec){.tv_nsec = POLL_MS * 1000000L}, NULL);
    }
    free(done);
    return r < 0 ? r : (int)taken;
}

static int test_alert(const struct values *o)
{
    char path[128];
    json_t *answer;
    struct error err;
    snprintf(path, sizeof path, "/api/v1/alerts/test?camera=%s", o->camera);
    if (rest_call(&answer, "POST", o->url, path, CALL_S, &err) < 0)
        return command_failed(&test_alert_command, &err);
    const json_t *alert = json_object_get(answer, "alert"), *ids = json_object_get(answer, "webhooks");
    printf("alert %.0f: opened and closed at camera %s, marked as a test; the log and /api/v1/alerts have it\n",
           number_of(alert, "id"), o->camera);
    int n = (int)json_array_size(ids), taken = follow(o, alert, ids, &err);
    json_decref(answer);
    if (taken < 0)
        return command_failed(&test_alert_command, &err);
    if (n == 0)
        printf("no webhook asks for alerts of camera %s\n", o->camera);
    else
        printf("%d of %d webhooks took it\n", taken, n);
    return n > 0 && taken == n ? 0 : 1;
}

static const struct command_option options[] = {
    {"url", 'u', OPTION_TEXT(struct values, url), .argument = "URL",
     .help = "The daemon's address; default: http://127.0.0.1:8787."},
    {"camera", 'n', OPTION_TEXT(struct values, camera), .argument = "NAME", .required = true,
     .help = "The camera whose alert it is to be."},
    {"timeout", 't', OPTION_REAL(struct values, timeout_s, 1, 3600), .argument = "SECONDS",
     .help = "Seconds to wait for the webhooks; default: 30."},
    {0},
};

static int command_test_alert(int argc, char **argv)
{
    struct values o = {.url = "http://127.0.0.1:8787", .timeout_s = 30};
    int status;
    if (!command_parse(&test_alert_command, &o, argc, argv, &status))
        return status;
    if (!is_camera_name(o.camera))
        return command_misuse(&test_alert_command, "--camera: expected 1 to 64 characters of a-z, 0-9, _ and -, got \"%s\"",
                              o.camera);
    return test_alert(&o);
}

const struct command test_alert_command = {
    .name = "test-alert",
    .summary = "send a test alert of a running daemon through every sink",
    .forms = "[--url URL] --camera NAME [--timeout SECONDS]",
    .about = "Asks a running daemon to open and close an alert that is marked as a test, as POST /api/v1/alerts/test does. It "
             "goes to the log and to every webhook that asks for alerts of the camera, by the queues that real alerts take. "
             "Prints what happened at each webhook.",
    .options = options,
    .notes = "Exit status: 0 where at least one webhook asks for alerts of the camera, and all that do took it; 1 otherwise; "
             "2 wrong usage.",
    .run = command_test_alert,
};
