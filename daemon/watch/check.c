#include "daemon/watch/check.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/commands.h"
#include "io/base/redact.h"
#include "io/video/frame_ring.h"

/* ---- what models and configuration must agree on ------------------------------------------------------------------ */

static const double same_rate = 1e-3;           /* 29.97 is 30000/1001 */
static const double default_close_ratio = 0.9;

double check_fps(const struct config_camera *camera, const struct model_file *file)
{
    if (camera->fps > 0)
        return camera->fps;
    return file->has_calibration && file->calibration.fps > 0 ? file->calibration.fps : 0;
}

/* As far below the threshold as the calibration has it: the daemon's own score is a logarithm, the reference is not. */
static double close_below(double threshold, const struct calibration *c)
{
    if (c && c->has_score)
        return threshold - (c->threshold - c->close_threshold);
    return threshold * (c && c->threshold > 0 ? c->close_threshold / c->threshold : default_close_ratio);
}

bool check_alert_rule(struct alert_rule *ret, const struct config_camera *camera, const struct model_file *file)
{
    const struct config_alert *alert = &camera->alert;
    const struct calibration *calibration = file->has_calibration ? &file->calibration : NULL;
    if (!alert->has_threshold && !calibration)
        return false;

    double threshold = alert->has_threshold ? alert->threshold
                       : alert->has_per_day && calibration->has_tail ? tail_threshold(&calibration->tail, alert->per_day)
                                                                     : calibration->threshold;
    double close_threshold = alert->has_close_threshold ? alert->close_threshold
                             : alert->has_threshold     ? close_below(threshold, calibration)
                                                        : calibration->close_threshold;
    *ret = (struct alert_rule){
        .threshold = (float)threshold,
        .close_threshold = (float)fmin(close_threshold, threshold),
        .k = alert->k,
        .n = alert->n,
        .cooldown_us = (int64_t)(alert->cooldown_s * 1e6),
    };
    return true;
}

struct found {
    int line, column;
    bool warning;
    char text[900];
};

enum { MAX_FOUND = 5 };         /* in one camera */

struct camera_check {
    const struct config *config;
    const struct config_camera *camera;
    struct found found[MAX_FOUND];
    size_t n;
};

__attribute__((format(printf, 6, 7)))
static void found_at(struct camera_check *check, bool warning, int line, int column, const char *key, const char *format, ...)
{
    struct found *found = &check->found[check->n++];
    char cause[700];
    va_list args;
    va_start(args, format);
    vsnprintf(cause, sizeof cause, format, args);
    va_end(args);
    found->line = line > 0 ? line : check->camera->line;
    found->column = line > 0 ? column : check->camera->column;
    found->warning = warning;
    snprintf(found->text, sizeof found->text, "%s:%d:%d: cameras.%s.%s: %s%s", check->config->path, found->line, found->column,
             check->camera->name, key, warning ? "warning: " : "", cause);
}

static int by_place(const void *a, const void *b)
{
    const struct found *x = a, *y = b;
    return x->line != y->line ? (x->line > y->line) - (x->line < y->line) : (x->column > y->column) - (x->column < y->column);
}

static void check_camera(struct camera_check *check, const struct model_file *file)
{
    const struct config_camera *camera = check->camera;
    const struct arch *arch = &file->model->arch;

    struct error err;
    if (arch_check_camera(arch, &err) < 0)
        found_at(check, false, camera->model_line, camera->model_column, "model", "%s", err.text);
    if (arch->frames > FRAME_RING_MAX_LENGTH)
        found_at(check, false, camera->model_line, camera->model_column, "model",
                 "the model takes %d frames a window; right would be at most %d", arch->frames, (int)FRAME_RING_MAX_LENGTH);

    double learned = file->has_calibration ? file->calibration.fps : 0;
    if (camera->fps > 0 && learned > 0 && !camera->fps_force && fabs(camera->fps - learned) > same_rate * learned)
        found_at(check, false, camera->fps_line, camera->fps_column, "fps",
                 "%g, but the model learned at %g; right would be %g, or fps_force: true", camera->fps, learned, learned);
    if (check_fps(camera, file) <= 0)
        found_at(check, true, camera->model_line, camera->model_column, "fps",
                 "neither the configuration nor the model says a rate: every frame is analysed");

    if (camera->precision == PRECISION_INT8 && !(file->has_calibration && file->calibration.has_int8))
        found_at(check, false, camera->precision_line, camera->precision_column, "precision",
                 "int8, but the model was not calibrated for it; right would be auto, fp32, or a model by memaed calibrate");

    const struct config_alert *alert = &camera->alert;
    if (alert->has_per_day && !(file->has_calibration && file->calibration.has_tail))
        found_at(check, false, alert->per_day_line, alert->per_day_column, "alert.per_day",
                 "the model does not tell how often it scores what; right would be threshold, or a model by memaed calibrate");
    if (!file->has_calibration && !alert->has_threshold)
        found_at(check, true, camera->model_line, camera->model_column, "alert.threshold",
                 "the model has no calibration and no threshold stands here: there are scores, but no alerts");
    else if (!alert->has_threshold && alert->has_close_threshold && alert->close_threshold > file->calibration.threshold)
        found_at(check, false, alert->close_threshold_line, alert->close_threshold_column, "alert.close_threshold",
                 "%g is above the model's threshold; right would be at most %g", alert->close_threshold,
                 file->calibration.threshold);
}

int check_models(struct check_models *ret, const struct config *config, check_line *fault, check_line *warning, void *arg)
{
    struct check_models models = {0};
    bool *loaded = calloc(config->n_cameras + 1, sizeof *loaded);
    int r = 0;

    models.files = calloc(config->n_cameras + 1, sizeof *models.files);
    models.file_of = calloc(config->n_cameras + 1, sizeof *models.file_of);
    if (!loaded || !models.files || !models.file_of) {
        r = -ENOMEM;
        goto end;
    }
    for (size_t i = 0; i < config->n_cameras; i++) {
        struct camera_check check = {.config = config, .camera = &config->cameras[i]};
        size_t first = 0;
        while (strcmp(config->cameras[first].model, check.camera->model) != 0)
            first++;
        models.file_of[i] = first < i ? models.file_of[first] : models.n_files++;
        size_t f = models.file_of[i];
        if (first == i) {
            struct error err = {0};
            int loading = model_file_load(&models.files[f], check.camera->model, &err);
            if (loading == -ENOMEM) {
                r = loading;
                goto end;
            }
            loaded[f] = loading == 0;
            if (!loaded[f])
                found_at(&check, false, check.camera->model_line, check.camera->model_column, "model",
                         "%s; right would be a model file as memaed learn writes it", err.text);
        }
        if (loaded[f])
            check_camera(&check, &models.files[f]);
        qsort(check.found, check.n, sizeof check.found[0], by_place);
        for (size_t n = 0; n < check.n; n++) {
            if (!check.found[n].warning) {
                r = -EINVAL;
                fault(arg, check.found[n].text);
            } else if (warning) {
                warning(arg, check.found[n].text);
            }
        }
    }
end:
    free(loaded);
    if (r < 0)
        check_models_clear(&models);
    else
        *ret = models;
    return r;
}

void check_models_clear(struct check_models *models)
{
    for (size_t i = 0; i < models->n_files; i++)
        if (models->files[i].model)
            model_file_clear(&models->files[i]);
    free(models->files);
    free(models->file_of);
    *models = (struct check_models){0};
}

/* ---- memaed check ------------------------------------------------------------------------------------------------- */

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

/* Scheme and host alone: the path of a webhook is often its password. */
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
        printf("camera %s:\n  source: %s\n  model: %s (%dx%dx%d", camera->name, shown, camera->model, arch->frames, arch->height,
               arch->width);
        if (arch->has_memory)
            printf(", %d slots)\n", arch->memory.slots);
        else
            printf(", no memory)\n");
        if (fps > 0)
            printf("  analysed: %g frames/s, a window of %d every %d\n", fps, arch->frames, camera->stride);
        else
            printf("  analysed: every frame, a window of %d every %d\n", arch->frames, camera->stride);
        if (check_alert_rule(&rule, camera, file))
            printf("  alerts: %d of %d windows at %g or more, until %d below %g\n", rule.k, rule.n, (double)rule.threshold,
                   rule.n, (double)rule.close_threshold);
        else
            printf("  alerts: none\n");
    }
    for (size_t i = 0; i < config->n_webhooks; i++) {
        printf("webhook ");
        print_endpoint(config->webhooks[i].url);
        printf(": %s\n", config->webhooks[i].secret_size ? "signed" : "unsigned");
    }
}

struct check_values {
    const char *config;
    bool keys;
};

static const struct command_option check_options[] = {
    {"config", 'c', OPTION_TEXT(struct check_values, config), .argument = "FILE", .help = "The configuration."},
    {"keys", 0, OPTION_FLAG(struct check_values, keys),
     .help = "Print every key with its type, range, default and meaning instead."},
    {0},
};

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
    if (o.keys) {
        print_keys();
        return fflush(stdout) == 0 ? 0 : 1;
    }

    int r = config_load(&config, o.config, print_line, NULL);
    if (r == 0)
        r = check_models(&models, config, print_line, print_line, NULL);
    if (r == -ENOMEM)
        fprintf(stderr, "%s: out of memory\n", o.config);
    if (r == 0)
        print_summary(config, &models);
    check_models_clear(&models);
    config_unref(config);
    return r == 0 && fflush(stdout) == 0 ? 0 : 1;
}

const struct command check_command = {
    .name = "check",
    .summary = "read a configuration and report every fault",
    .forms = "--config FILE\n--keys",
    .about = "Reads a configuration, and the models that it names, as `memaed run` would. Reports every fault on standard error "
             "as FILE:LINE:COLUMN: KEY: what is wrong.",
    .options = check_options,
    .notes = "Exit status: 0 where there is no fault; 1 where there are faults; 2 wrong usage.",
    .run = command_check,
};
