/* memaed check: reads a configuration as `run` would, and reports every fault. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/base/descriptors.h"
#include "daemon/base/isolation.h"
#include "daemon/base/options.h"
#include "daemon/commands.h"
#include "daemon/watch/check.h"
#include "daemon/watch/camera/zone_alerts.h"
#include "daemon/watch/connect/connect.h"
#include "daemon/watch/store/state_folder.h"
#include "io/base/redact.h"

static void print_wrapped(const char *text, int width)
{
    int column = 0;
    while (*text) {
        int n = (int)strcspn(text, " ");
        if (column == 0 || column + 1 + n > width) {
            printf("%s    ", column ? "\n" : "");
            column = 4;
        } else {
            putchar(' ');
            column++;
        }
        printf("%.*s", n, text);
        column += n;
        text += n + (text[n] == ' ');
    }
    putchar('\n');
}

static void print_keys(void)
{
    struct config_key key;
    for (int i = 0; config_key(i, &key); i++) {
        printf("%s: %s\n", key.path, key.summary);
        print_wrapped(key.help, 100);
    }
}

static void print_line(void *arg, const char *text)
{
    (void)arg;
    fprintf(stderr, "%s\n", text);
}

/* Prints scheme and host alone: the path of a webhook is often its password. */
static void print_endpoint(const char *url)
{
    char shown[1024];
    redact(shown, sizeof shown, url);
    char *host = strstr(shown, "://");
    size_t n = host ? (size_t)(host + 3 - shown) + strcspn(host + 3, "/?#") : 0;
    printf("%.*s%s", (int)n, shown, shown[n] ? "/..." : "");
}

static void print_summary(const struct config *config, const struct check_models *models)
{
    char shown[1024];
    bool v6 = strchr(config->listen_address, ':');
    printf("%s: ok\n", config->path);
    printf("http: %s%s%s:%d\n", v6 ? "[" : "", config->listen_address, v6 ? "]" : "", config->listen_port);
    if (config->workers)
        printf("workers: %d\n", config->workers);
    else
        printf("workers: auto\n");
    for (size_t i = 0; i < config->n_cameras; i++) {
        const struct config_camera *camera = &config->cameras[i];
        const struct model_file *file = &models->files[models->file_of[i]];
        const struct arch *arch = &file->model->arch;
        struct alert_rule rule;
        double fps = check_fps(camera, file);

        redact(shown, sizeof shown, camera->source);
        printf("camera %s:\n  source: %s\n  model: %s (%dx%dx%d", camera->name, shown, camera->model, arch->frames,
               arch->height, arch->width);
        if (arch->has_memory)
            printf(", %d slots)\n", arch->memory.slots);
        else
            printf(", no memory)\n");
        if (fps > 0)
            printf("  analysed: %g frames/s, a window of %d frames every %d frames\n", fps, arch->frames, camera->stride);
        else
            printf("  analysed: every frame, a window of %d frames every %d frames\n", arch->frames, camera->stride);
        bool has_rule = check_alert_rule(&rule, camera, file);
        if (has_rule)
            printf("  alerts: open when %d of %d windows score %g or more, close after %d in a row below %g\n", rule.k, rule.n,
                   (double)rule.threshold, rule.n, (double)rule.close_threshold);
        else
            printf("  alerts: none\n");
        zone_alerts_print(camera, has_rule ? &rule : NULL, file);
    }
    for (size_t i = 0; i < config->n_webhooks; i++) {
        printf("webhook ");
        print_endpoint(config->webhooks[i].url);
        printf(": %s\n", config->webhooks[i].secret_size ? "signed" : "unsigned");
    }
}

struct check_values {
    const char *config;
    bool connect, keys;
};

static const struct command_option check_options[] = {
    {"config", 'c', OPTION_TEXT(struct check_values, config), .argument = "FILE", .path = OPTION_FILE,
     .help = "The configuration."},
    {"connect", 0, OPTION_FLAG(struct check_values, connect),
     .help = "Open each camera for some seconds and send each webhook a test event, too, and print what comes."},
    {"keys", 0, OPTION_FLAG(struct check_values, keys),
     .help = "Print every key with its type, range, default and meaning instead."},
    {0},
};

/* Reports a state_dir that cannot serve. 0, or -EINVAL after a fault. A folder that another user may write to is only warned of:
 * the service may run as that user. */
static int check_state_dir(const struct config *config)
{
    struct error err;
    char place[48] = " ";
    int r = state_folder_check(config->state_dir, &err);
    if (config->state_dir_line)
        snprintf(place, sizeof place, "%d:%d: ", config->state_dir_line, config->state_dir_column);
    if (r == -EACCES || r == -EROFS)
        fprintf(stderr, "%s:%sstate_dir: warning: this user cannot write there: %s\n", config->path, place, err.text);
    else if (r < 0)
        fprintf(stderr, "%s:%sstate_dir: expected a folder, or a path where one can be created, got %s\n", config->path, place,
                err.text);
    return r == -EACCES || r == -EROFS ? 0 : r < 0 ? -EINVAL : 0;
}

/* 0, or -EIO after a fault. */
static int check_connections(const struct config *config, const struct check_models *models)
{
    struct error err;
    if (isolation_open(config->in_thread ? ISOLATION_THREAD : ISOLATION_PROCESS, &err) < 0) {
        fprintf(stderr, "%s: %s\n", config->path, err.text);
        return -EIO;
    }
    int status = connect_check(config, models);
    isolation_close();
    return status == 0 ? 0 : -EIO;
}

static int command_check(int argc, char **argv)
{
    struct check_values o = {0};
    struct config *config = NULL;
    struct check_models models = {0};
    int status;
    if (!command_parse(&check_command, &o, argc, argv, &status))
        return status;
    if (!o.config == !o.keys)
        return command_misuse(&check_command, "expected either --config FILE or --keys");
    if (o.connect && o.keys)
        return command_misuse(&check_command, "--connect: expected --config FILE");
    if (o.keys) {
        print_keys();
        return 0;
    }

    descriptors_raise();            /* as run does */
    int r = config_load(&config, o.config, print_line, NULL);
    int state = r == 0 ? check_state_dir(config) : 0;
    if (r == 0)
        r = check_models(&models, config, &(struct check_report){.fault = print_line, .warning = print_line});
    if (r == -ENOMEM)
        fprintf(stderr, "%s: out of memory\n", o.config);
    if (r == 0 && state < 0) {
        check_models_clear(&models);
        r = state;
    }
    if (r == 0)
        print_summary(config, &models);
    if (r == 0 && o.connect)
        r = check_connections(config, &models);
    check_models_clear(&models);
    config_unref(config);
    return r == 0 ? 0 : 1;
}

const struct command check_command = {
    .name = "check",
    .summary = "read a configuration and report every fault",
    .forms = "--config FILE [--connect]\n--keys",
    .about = "Reads a configuration, and the models that it names, as `memaed run` would. Reports every fault on standard "
             "error as FILE:LINE:COLUMN: KEY: expected ..., got ...\n"
             "\n"
             "With --connect it then opens the cameras, eight at a time, and reads each for four seconds. For each it prints "
             "codec, size, rate, aspect, sign-in, TLS, the source of its times and how long opening took, or why no picture "
             "came. Each webhook gets one signed event of type webhook.test, and its answer is printed.",
    .options = check_options,
    .notes = "Exit status: 0 without a fault, 1 with a fault, 2 for wrong usage. With --connect it is a fault, too, if a camera "
             "gives no picture, if its pictures have another aspect than the model or come at less than 0.9 of the analysed "
             "rate, and if a webhook answers with anything but a 2xx.",
    .run = command_check,
};
