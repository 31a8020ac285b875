#include "daemon/watch/check.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "core/network/plan.h"
#include "daemon/base/descriptors.h"
#include "daemon/base/parallel_threads.h"
#include "daemon/watch/camera/zone_alerts.h"
#include "io/capture/copying/copy_process.h"
#include "io/video/frame_ring.h"
#include "io/video/source.h"
#include "web/origin.h"
#include "web/server.h"

/* ---- rates and thresholds ------------------------------------------------------------------------------------------- */

static const double same_rate = 1e-3;           /* relative: 29.97 counts as 30000/1001 */
static const double default_close_ratio = 0.9;

double check_fps(const struct config_camera *camera, const struct model_file *file)
{
    if (camera->fps > 0)
        return camera->fps;
    return file->has_calibration && file->calibration.fps > 0 ? file->calibration.fps : 0;
}

/* A close threshold as far below the threshold as in the calibration. The difference is the same if the score is a logarithm,
 * which the reference is not; else the ratio. */
static double close_below(double threshold, const struct calibration *c)
{
    if (c && c->has_score)
        return threshold - (c->threshold - c->close_threshold);
    return threshold * (c && c->threshold > 0 ? c->close_threshold / c->threshold : default_close_ratio);
}

/* The score at which windows count towards an alert. false: no threshold anywhere. */
static bool threshold_of(double *ret, const struct config_alert *alert, const struct calibration *calibration)
{
    if (alert->has_threshold)
        *ret = alert->threshold;
    else if (!calibration)
        return false;
    else if (alert->has_per_day && calibration->has_tail)
        *ret = tail_threshold(&calibration->tail, alert->per_day);
    else
        *ret = calibration->threshold;
    return true;
}

bool check_alert_rule(struct alert_rule *ret, const struct config_camera *camera, const struct model_file *file)
{
    const struct config_alert *alert = &camera->alert;
    const struct calibration *calibration = file->has_calibration ? &file->calibration : NULL;
    double threshold;
    if (!threshold_of(&threshold, alert, calibration))
        return false;
    double close_threshold = alert->has_close_threshold ? alert->close_threshold
                             : alert->has_threshold     ? close_below(threshold, calibration)
                                                        : calibration->close_threshold;
    *ret = (struct alert_rule){
        .threshold = (float)threshold,
        .close_threshold = (float)fmin(close_threshold, threshold),
        .k = alert->k,
        .n = alert->n,
        .smooth_us = (int64_t)(alert->smooth_s * 1e6),
        .min_duration_us = (int64_t)(alert->min_duration_s * 1e6),
        .merge_us = (int64_t)(alert->merge_s * 1e6),
    };
    return true;
}

/* ---- findings of one camera ----------------------------------------------------------------------------------------- */

struct finding {
    int line, column;
    bool warning;
    char *text;
};

/* Collected first, and then told in the order of their places. */
struct findings {
    const struct config *config;
    const struct config_camera *camera;
    struct finding *list;
    size_t n, room;
    bool out_of_memory;         /* a finding was lost */
};

/* Adds a fault or a warning of one of the camera's keys. line 0: the key is absent, and the camera's name is the place. */
__attribute__((format(printf, 6, 7)))
static void found_at(struct findings *findings, bool warning, int line, int column, const char *key, const char *format, ...)
{
    const struct config_camera *camera = findings->camera;
    struct finding finding = {line > 0 ? line : camera->line, line > 0 ? column : camera->column, warning, NULL};
    char *cause = NULL;
    va_list args;
    va_start(args, format);
    if (vasprintf(&cause, format, args) < 0)
        cause = NULL;
    va_end(args);
    if (cause && asprintf(&finding.text, "%s:%d:%d: cameras.%s.%s: %s%s", findings->config->path, finding.line,
                          finding.column, camera->name, key, warning ? "warning: " : "", cause) < 0)
        finding.text = NULL;
    free(cause);
    if (finding.text && findings->n == findings->room) {
        size_t room = findings->room ? 2 * findings->room : 4;
        struct finding *list = realloc(findings->list, room * sizeof *list);
        if (list) {
            findings->list = list;
            findings->room = room;
        }
    }
    if (!finding.text || findings->n == findings->room) {
        free(finding.text);
        findings->out_of_memory = true;
        return;
    }
    findings->list[findings->n++] = finding;
}

static int by_place(const void *a, const void *b)
{
    const struct finding *x = a, *y = b;
    if (x->line != y->line)
        return x->line < y->line ? -1 : 1;
    return (x->column > y->column) - (x->column < y->column);
}

/* Tells all findings and frees them. 0, -EINVAL where one was a fault, -ENOMEM where one was lost. */
static int tell(struct findings *findings, const struct check_report *report)
{
    int r = 0;
    if (findings->n)
        qsort(findings->list, findings->n, sizeof *findings->list, by_place);
    for (size_t i = 0; i < findings->n; i++) {
        if (!findings->list[i].warning) {
            r = -EINVAL;
            report->fault(report->arg, findings->list[i].text);
        } else if (report->warning) {
            report->warning(report->arg, findings->list[i].text);
        }
        free(findings->list[i].text);
    }
    free(findings->list);
    return findings->out_of_memory ? -ENOMEM : r;
}

/* The fewest digits that read back as value: what a message shows can be copied into the configuration. */
static const char *show_float(char out[static 32], float value)
{
    for (int digits = 1; digits <= 9; digits++) {
        snprintf(out, 32, "%.*g", digits, (double)value);
        if (strtof(out, NULL) == value)
            break;
    }
    return out;
}

static void check_alert(struct findings *findings, const struct calibration *calibration)
{
    const struct config_camera *camera = findings->camera;
    const struct config_alert *alert = &camera->alert;
    double threshold;
    char shown[32], got[32];
    if (alert->has_per_day && !(calibration && calibration->has_tail)) {
        found_at(findings, false, alert->per_day_line, alert->per_day_column, "alert.per_day",
                 "expected a model whose calibration holds how often scores occur, got one without; set alert.threshold "
                 "instead, or run memaed calibrate");
        if (calibration)
            return;         /* there is no threshold to compare close_threshold with */
    }
    if (!threshold_of(&threshold, alert, calibration)) {
        found_at(findings, true, camera->model_line, camera->model_column, "alert.threshold",
                 "the model has no calibration, and no threshold is set: there are scores, but no alerts; run memaed calibrate, "
                 "or set a threshold");
        return;
    }
    if (!alert->has_threshold && calibration->has_tail && tail_is_provisional(&calibration->tail))
        found_at(findings, true, camera->model_line, camera->model_column, "model",
                 "the calibration is provisional: from %.2g hours of footage it expects %.3g alerts a day or more; run memaed "
                 "calibrate on a whole day", calibration->tail.hours, tail_budget(&calibration->tail, 0));
    /* io/config compares threshold and close_threshold if the file has both. */
    if (!alert->has_threshold && alert->has_close_threshold && (float)alert->close_threshold > (float)threshold) {
        char source[64] = "of the model";
        if (alert->has_per_day)
            snprintf(source, sizeof source, "for per_day %g", alert->per_day);
        found_at(findings, false, alert->close_threshold_line, alert->close_threshold_column, "alert.close_threshold",
                 "expected at most the threshold %s, which is %s, got %s", source, show_float(shown, (float)threshold),
                 show_float(got, (float)alert->close_threshold));
    }
}

static void take_zone_finding(void *arg, bool warning, int line, int column, const char *key, const char *text)
{
    found_at(arg, warning, line, column, key, "%s", text);
}

/* Bytes that a camera wants for its frames and for the encoder outputs that windows share (core/network/frame_cache.h). */
static double camera_bytes(const struct config *config, const struct config_camera *camera, const struct model *model)
{
    const struct arch *arch = &model->arch;
    double cache = 0;
    for (int i = 0; i < arch->n_encoder; i++)
        cache += (double)dims_elements(model->shapes.encoder[i + 1]) * sizeof(float);
    return cache + (double)frame_ring_bytes(&(struct frame_ring_options){
                       .frame_size = (size_t)arch->height * (size_t)arch->width, .length = arch->frames,
                       .stride = camera->stride, .backlog = camera->backlog,
                       .readers = config->workers ? config->workers : parallel_threads_cores()});
}

static void find_source(struct findings *findings)
{
    const struct config_camera *camera = findings->camera;
    struct error err;
    if (source_check(camera->source, &err) < 0)
        found_at(findings, false, camera->source_line, camera->source_column, "source", "%s", err.text);
    else if (source_check_sign_in(camera->source, camera->user, camera->password, &err) < 0)
        found_at(findings, false, camera->user_line, camera->user_column, "user", "%s", err.text);
    if (camera->evidence.source && source_check(camera->evidence.source, &err) < 0)
        found_at(findings, false, camera->evidence.source_line, camera->evidence.source_column, "evidence.source", "%s",
                 err.text);
}

static void check_memory(struct findings *findings, const struct model *model)
{
    const struct config_camera *camera = findings->camera;
    const double mib = 1 << 20;
    double worker = (double)plan_workspace_of(&model->arch, &model->shapes, score_scratch(&model->arch)) / mib;
    double frames = camera_bytes(findings->config, camera, model) / mib;
    int most = findings->config->max_model_mib;
    if (worker > most || frames > most)
        found_at(findings, false, camera->model_line, camera->model_column, "model",
                 "expected a model that wants at most %d MiB (max_model_mib), got one that wants %.0f MiB for each worker and "
                 "up to %.0f MiB for the camera", most, worker, frames);
}

int check_camera(const struct config *config, const struct config_camera *camera, const struct model_file *file,
                 const struct check_report *report)
{
    struct findings findings = {.config = config, .camera = camera};
    const struct calibration *calibration = file->has_calibration ? &file->calibration : NULL;
    const struct arch *arch = &file->model->arch;
    struct error err;

    if (arch_check_camera(arch, &err) < 0)
        found_at(&findings, false, camera->model_line, camera->model_column, "model", "%s", err.text);
    if (arch->frames > FRAME_RING_MAX_LENGTH)
        found_at(&findings, false, camera->model_line, camera->model_column, "model",
                 "expected a model of at most %d frames a window, got one of %d", (int)FRAME_RING_MAX_LENGTH, arch->frames);

    find_source(&findings);
    check_memory(&findings, file->model);

    double learned = calibration ? calibration->fps : 0;
    if (camera->fps > 0 && learned > 0 && !camera->fps_force && fabs(camera->fps - learned) > same_rate * learned)
        found_at(&findings, false, camera->fps_line, camera->fps_column, "fps",
                 "expected %g, the rate that the model learned at, got %g; fps_force: true allows it", learned, camera->fps);
    if (check_fps(camera, file) <= 0)
        found_at(&findings, true, camera->model_line, camera->model_column, "fps",
                 "neither the configuration nor the model names a rate: every frame is analysed");
    if (camera->precision == PRECISION_INT8 && !(calibration && calibration->has_int8))
        found_at(&findings, false, camera->precision_line, camera->precision_column, "precision",
                 "expected auto or fp32, got int8, for which the model was not calibrated; run memaed calibrate");
    check_alert(&findings, calibration);
    findings.out_of_memory |= zone_alerts_check(camera, file, take_zone_finding, &findings) < 0;
    return tell(&findings, report);
}

/* Returns true if events to this URL can be read and changed on their way. */
static bool leaves_in_clear(const char *url)
{
    char host[256];
    if (strncasecmp(url, "http://", 7) != 0)
        return false;
    const char *begin = url + 7, *end = begin + strcspn(begin, "/?#"), *at = memrchr(begin, '@', (size_t)(end - begin));
    begin = at ? at + 1 : begin;
    return snprintf(host, sizeof host, "%.*s", (int)(end - begin), begin) >= (int)sizeof host || !web_parse_loopback_host(host);
}

__attribute__((format(printf, 3, 4)))
static void warn(const struct check_report *report, const struct config *config, const char *format, ...)
{
    char place[300], text[800];
    va_list args;
    va_start(args, format);
    vsnprintf(place, sizeof place, format, args);
    va_end(args);
    snprintf(text, sizeof text, "%s:%s", config->path, place);
    report->warning(report->arg, text);
}

/* Warns of secrets that other users of this machine can read. */
static void warn_of_readable_secrets(const struct config *config, const struct check_report *report)
{
    static const char inside[] = "warning: holds a password, and every user of this machine can read this file; write ${NAME} "
                                 "instead, or chmod o-r the file";
    static const char open_file[] = "warning: every user of this machine can read that file; chmod o-r it";
    struct stat status;
    bool is_open = stat(config->path, &status) == 0 && (status.st_mode & S_IROTH);
    for (size_t i = 0; is_open && i < config->n_cameras; i++) {
        const struct config_camera *camera = &config->cameras[i];
        if (camera->source_holds_password)
            warn(report, config, "%d:%d: cameras.%s.source: %s", camera->source_line, camera->source_column, camera->name,
                 inside);
        if (camera->evidence.source_holds_password)
            warn(report, config, "%d:%d: cameras.%s.evidence.source: %s", camera->evidence.source_line,
                 camera->evidence.source_column, camera->name, inside);
        if (camera->password_line > 0)
            warn(report, config, "%d:%d: cameras.%s.password: %s", camera->password_line, camera->password_column, camera->name,
                 inside);
    }
    for (size_t i = 0; i < config->n_cameras; i++) {
        const struct config_camera *camera = &config->cameras[i];
        if (camera->password_file_is_open)
            warn(report, config, "%d:%d: cameras.%s.password_file: %s", camera->password_file_line, camera->password_file_column,
                 camera->name, open_file);
    }
    for (size_t i = 0; i < config->n_webhooks; i++) {
        const struct config_webhook *webhook = &config->webhooks[i];
        if (is_open && webhook->password_line > 0)
            warn(report, config, "%d:%d: webhooks[%zu]: %s", webhook->password_line, webhook->password_column, i, inside);
        if (webhook->secret_file_is_open)
            warn(report, config, "%d:%d: webhooks[%zu].secret_file: %s", webhook->secret_file_line, webhook->secret_file_column,
                 i, open_file);
        if (webhook->old_secret_file_is_open)
            warn(report, config, "%d:%d: webhooks[%zu].old_secret_file: %s", webhook->old_secret_file_line,
                 webhook->old_secret_file_column, i, open_file);
    }
}

/* Warns of cameras whose certificate nobody verifies. */
static void warn_of_unverified(const struct config *config, const struct check_report *report)
{
    for (size_t i = 0; i < config->n_cameras; i++) {
        const struct config_camera *camera = &config->cameras[i];
        if (!camera->tls_verify && source_is_tls(camera->source))
            warn(report, config, "%d:%d: cameras.%s.tls_verify: warning: any certificate is taken: whoever is between can pose "
                 "as the camera, and gets its password; use tls_ca_file", camera->tls_verify_line, camera->tls_verify_column,
                 camera->name);
    }
}

/* Warns of what others on the network can read or do. The URL is not shown, because it may hold a secret. */
static void warn_of_exposure(const struct config *config, const struct check_report *report)
{
    char host[256];
    const char *address = config->listen_address;
    snprintf(host, sizeof host, strchr(address, ':') ? "[%s]" : "%s", address);
    if (!web_parse_loopback_host(host))
        warn(report, config, " http.listen: warning: other machines can reach %s, and there is no login; put a proxy with one in "
             "front", address);
    for (size_t i = 0; i < config->n_webhooks; i++)
        if (leaves_in_clear(config->webhooks[i].url))
            warn(report, config, " webhooks[%zu].url: warning: http:// to another machine: whoever is between can read and "
                 "change the events; use https://", i);
    if (config->in_thread)
        warn(report, config, " isolation: warning: cameras are decoded in the daemon: a fault in one camera's stream ends the "
             "service, and whoever sends it may reach every password and key; use process");
    warn_of_readable_secrets(config, report);
    warn_of_unverified(config, report);
}

/* Warns of cameras whose privacy mask switches clips off. */
static void warn_of_hidden_clips(const struct config *config, const struct check_report *report)
{
    for (size_t i = 0; i < config->n_cameras; i++) {
        const struct config_camera *camera = &config->cameras[i];
        if (camera->evidence.clips_hidden)
            warn(report, config, "%d:%d: cameras.%s: warning: alerts have no clips, because a privacy mask would not show in "
                 "them; evidence.masked_clips: true burns it in", camera->line, camera->column, camera->name);
    }
}

/* Checks that masks can be burned into clips where that is configured. 0; -EINVAL after a fault. */
static int find_encoder(const struct config *config, const struct check_report *report)
{
    struct error err;
    char text[sizeof err.text + 300];
    for (size_t i = 0; i < config->n_cameras; i++) {
        const struct config_camera *camera = &config->cameras[i];
        const bool burns = camera->evidence.clips && camera->evidence.masked_clips && zones_hide(camera->zones);
        if (!burns || capture_can_encode(&err) == 0)
            continue;
        snprintf(text, sizeof text, "%s:%d:%d: cameras.%s.evidence.masked_clips: %s", config->path, camera->line, camera->column,
                 camera->name, err.text);
        report->fault(report->arg, text);
        return -EINVAL;
    }
    return 0;
}

/* Warns of what grows for ever. */
static void warn_of_unbounded(const struct config *config, const struct check_report *report)
{
    if (config->alerts_keep_days == 0)
        warn(report, config, "%d:%d: alerts.keep_days: warning: alerts and events are kept for ever, and the database grows; "
             "give a number of days",
             config->alerts_keep_days_line, config->alerts_keep_days_column);
    if (config->scores_minutes_days == 0)
        warn(report, config,
             "%d:%d: scores.minutes_days: warning: the scores of minutes are kept for ever, and the database grows; give a "
             "number of days",
             config->scores_minutes_days_line, config->scores_minutes_days_column);
    const struct config_retention *retention = &config->evidence.retention;
    if (retention->keep_days == 0)
        warn(report, config, "%d:%d: evidence.keep_days: warning: evidence has no age limit, and is kept until max_gib or "
             "free_mib is reached",
             retention->keep_days_line, retention->keep_days_column);
    if (retention->max_gib == 0)
        warn(report, config, "%d:%d: evidence.max_gib: warning: evidence may fill the disk up to free_mib; give a number of GiB",
             retention->max_gib_line, retention->max_gib_column);
    if (retention->has_free_mib && retention->free_mib == 0)
        warn(report, config, "%d:%d: evidence.free_mib: warning: evidence may fill the disk, and then nothing else can be "
             "written, the database included; leave the key out", retention->free_mib_line, retention->free_mib_column);
}

/* Checks that this process may open as many files as the configuration needs. 0; -EINVAL after a fault. */
static int find_descriptors(const struct config *config, const struct check_report *report)
{
    struct error err;
    char text[sizeof err.text + 300];
    if (descriptors_check(config->n_streams, config->n_webhooks, (size_t)web_server_descriptors(&web_default_limits), &err) == 0)
        return 0;
    snprintf(text, sizeof text, "%s: cameras: %s", config->path, err.text);
    report->fault(report->arg, text);
    return -EINVAL;
}

/* Loads the model of camera i unless an earlier camera has the same, and checks the camera. 0, -EINVAL after a fault, -ENOMEM. */
static int check_next(struct check_models *models, bool *loaded, const struct config *config, size_t i,
                      const struct check_report *report)
{
    const struct config_camera *camera = &config->cameras[i];
    struct findings findings = {.config = config, .camera = camera};
    size_t first = 0;
    while (strcmp(config->cameras[first].model, camera->model) != 0)
        first++;
    size_t f = models->file_of[i] = first < i ? models->file_of[first] : models->n_files++;
    if (first == i) {
        struct error err = {0};
        int r = model_file_load(&models->files[f], camera->model, &err);
        loaded[f] = r == 0;
        if (r == -ENOMEM)
            return r;
        if (r < 0)
            found_at(&findings, false, camera->model_line, camera->model_column, "model",
                     "expected a model file that memaed learn wrote, got %s", err.text);
    }
    if (loaded[f])
        return check_camera(config, camera, &models->files[f], report);
    find_source(&findings);
    return tell(&findings, report);
}

int check_models(struct check_models *ret, const struct config *config, const struct check_report *report)
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
    if (report->warning) {
        warn_of_exposure(config, report);
        warn_of_unbounded(config, report);
        warn_of_hidden_clips(config, report);
    }
    r = find_encoder(config, report);
    if (r == 0)
        r = find_descriptors(config, report);
    for (size_t i = 0; r != -ENOMEM && i < config->n_cameras; i++) {
        int checked = report->stop && report->stop() ? -ECANCELED : check_next(&models, loaded, config, i, report);
        if (checked < 0)
            r = checked;
        if (checked == -ECANCELED)
            break;
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
