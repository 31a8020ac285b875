#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "daemon/base/log.h"
#include "daemon/base/options.h"
#include "daemon/base/parallel_threads.h"
#include "daemon/commands.h"
#include "daemon/watch/check.h"
#include "daemon/watch/daemon.h"
#include "daemon/watch/notify.h"
#include "daemon/watch/supervise.h"
#include "io/base/clock.h"
#include "io/video/source.h"

enum { ALERTS_KEPT = 4096 };

/* From the signal to the end: decoders, then workers, then webhooks have until then. Past the first two nobody waits. */
#define DECODERS_US INT64_C(1000000)
#define WORKERS_US INT64_C(1300000)
#define WEBHOOKS_US INT64_C(1700000)

static void log_fault(void *arg, const char *text)
{
    (void)arg;
    log_line(LOG_ERR, text);
}

static void log_warning(void *arg, const char *text)
{
    (void)arg;
    log_event(LOG_WARNING, "config_warning", "text", text, NULL);
}

static void log_webhook(void *arg, int priority, const char *text)
{
    (void)arg;
    log_event(priority, "webhook", "text", text, NULL);
}

/* A broken stream makes FFmpeg say a line or more a frame: of ten seconds' lines the first ones show, and how many more
 * there were. What is an error to FFmpeg is a camera's trouble, not a failure of the daemon. */
static void log_ffmpeg(int priority, const char *text)
{
    enum { SECONDS = 10, LINES = 20 };
    static _Atomic int64_t period;
    static atomic_int lines;
    int64_t now = monotonic_us() / 1000000 / SECONDS, before = atomic_load(&period);
    if (now != before && atomic_compare_exchange_strong(&period, &before, now)) {
        int more = atomic_exchange(&lines, 0) - LINES;
        struct log_number number;
        if (more > 0)
            log_event(LOG_NOTICE, "ffmpeg_lines_left_out", "lines", log_int(&number, more), NULL);
    }
    if (priority < LOG_WARNING)
        priority = LOG_WARNING;
    if (priority == LOG_DEBUG || atomic_fetch_add(&lines, 1) < LINES)
        log_event(priority, "ffmpeg", "text", text, NULL);
}

static const struct calibration *calibration_of(const struct model_file *file)
{
    return file->has_calibration ? &file->calibration : NULL;
}

/* Where a camera's plan stands: cameras that share a model and what it computes in share one. */
static struct plan **plan_of(struct daemon *daemon, const struct check_models *models, size_t camera)
{
    size_t file = models->file_of[camera];
    enum precision wish = daemon->config->cameras[camera].precision;
    bool int8 = calibration_precision(calibration_of(&models->files[file]), wish) == PRECISION_INT8;
    return &daemon->plans[2 * file + int8];
}

static int open_plans(struct daemon *daemon, const struct check_models *models, struct error *err)
{
    daemon->plans = calloc(2 * models->n_files + 1, sizeof(struct plan *));
    if (!daemon->plans)
        return error_set(err, -ENOMEM, "out of memory");
    daemon->n_plans = 2 * models->n_files;
    for (size_t i = 0; i < daemon->config->n_cameras; i++) {
        const struct model_file *file = &models->files[models->file_of[i]];
        struct plan **plan = plan_of(daemon, models, i);
        int r = *plan ? 0 : calibration_open_plan(plan, file->model, calibration_of(file),
                                                  daemon->config->cameras[i].precision, err);
        if (r < 0)
            return r;
    }
    return 0;
}

static int open_cameras(struct daemon *daemon, const struct check_models *models, int changed_fd, struct error *err)
{
    const struct config *config = daemon->config;
    daemon->cameras = calloc(config->n_cameras + 1, sizeof(struct camera *));
    if (!daemon->cameras)
        return error_set(err, -ENOMEM, "out of memory");
    for (size_t i = 0; i < config->n_cameras; i++) {
        const struct model_file *file = &models->files[models->file_of[i]];
        struct alert_rule rule;
        bool has_rule = check_alert_rule(&rule, &config->cameras[i], file);
        int r = camera_open(&daemon->cameras[i],
                            &(struct camera_options){.id = (uint32_t)i,
                                                     .config = &config->cameras[i],
                                                     .plan = *plan_of(daemon, models, i),
                                                     .calibration = calibration_of(file),
                                                     .fps = check_fps(&config->cameras[i], file),
                                                     .rule = has_rule ? &rule : NULL,
                                                     .readers = daemon->workers,
                                                     .alerts = daemon->alerts,
                                                     .events = daemon->events,
                                                     .heartbeats = &daemon->heartbeats,
                                                     .changed_fd = changed_fd},
                            err);
        if (r < 0)
            return r;
        daemon->n_cameras++;
    }
    return 0;
}

static int open_scheduler(struct daemon *daemon, struct error *err)
{
    size_t workspace_size = 0;
    for (size_t i = 0; i < daemon->n_plans; i++)
        if (daemon->plans[i] && plan_workspace_size(daemon->plans[i]) > workspace_size)
            workspace_size = plan_workspace_size(daemon->plans[i]);
    struct scheduler_client *clients = calloc(daemon->n_cameras + 1, sizeof *clients);
    int r = clients ? 0 : -ENOMEM;
    for (size_t i = 0; clients && i < daemon->n_cameras; i++)
        clients[i] = camera_client(daemon->cameras[i]);
    if (r == 0)
        r = scheduler_open(&daemon->scheduler, &(struct scheduler_options){.workers = daemon->workers,
                                                                           .workspace_size = workspace_size,
                                                                           .clients = clients,
                                                                           .n_clients = daemon->n_cameras,
                                                                           .heartbeats = &daemon->heartbeats});
    free(clients);
    return r < 0 ? error_set(err, r, "%d workers of %zu bytes each: %s", daemon->workers, workspace_size, strerror(-r)) : 0;
}

static int open_web(struct daemon *daemon, struct error *err)
{
    const struct config *config = daemon->config;
    daemon_view(daemon, &daemon->view);
    int r = web_server_open(&daemon->web, config->listen_address, config->listen_port, &daemon->view, err);
    if (r < 0)
        return r;
    char address[300];
    bool is_ipv6 = strchr(config->listen_address, ':') != NULL;
    snprintf(address, sizeof address, is_ipv6 ? "[%s]:%d" : "%s:%d", config->listen_address, web_server_port(daemon->web));
    log_event(LOG_INFO, "http_listening", "address", address, NULL);
    return 0;
}

/* Everything but the threads of cameras and workers. */
static int open_all(struct daemon *daemon, int changed_fd, struct error *err)
{
    const struct config *config = daemon->config;
    struct check_models models = {0};
    /* Its faults have been logged one by one. */
    int r = check_models(&models, config, log_fault, log_warning, NULL);
    if (r < 0)
        return error_set(err, r, "%s: not started", config->path);
    r = open_plans(daemon, &models, err);
    if (r == 0 && (r = events_open(&daemon->events)) < 0)
        error_set(err, r, "out of memory");
    if (r == 0 && (r = alertlog_open(&daemon->alerts, ALERTS_KEPT)) < 0)
        error_set(err, r, "out of memory");
    if (r == 0 && config->n_webhooks)
        r = webhooks_open(&daemon->webhooks, config->webhooks, config->n_webhooks, log_webhook, NULL, err);
    if (r == 0 && daemon->webhooks)
        r = events_add(daemon->events, events_webhooks(daemon->webhooks));
    if (r == 0)
        r = open_cameras(daemon, &models, changed_fd, err);
    check_models_clear(&models);
    if (r == 0)
        r = open_scheduler(daemon, err);
    if (r == 0)
        r = open_web(daemon, err);
    return r;
}

static int start_threads(struct daemon *daemon, struct error *err)
{
    int r = scheduler_start(daemon->scheduler);
    for (size_t i = 0; r == 0 && i < daemon->n_cameras; i++)
        r = camera_start(daemon->cameras[i], daemon->scheduler, i);
    return r < 0 ? error_set(err, r, "threads can't be started: %s", strerror(-r)) : 0;
}

/* The order of shutdown, whatever of it was opened:
 *   1. cameras and workers are told to end, all at once: sources are interrupted, windows under way finish
 *   2. decoder threads are joined, then workers
 *   3. cameras end: due windows are given up, open alerts close, their events are queued
 *   4. HTTP closes
 *   5. webhooks send what is due, for what is left of the time
 *   6. memory is freed
 * A decoder or worker that has not ended in time is abandoned: it still uses what it was given, so false is returned
 * instead of 6, and the process is to end without running what stands at exit. */
static bool close_all(struct daemon *daemon)
{
    int64_t start_us = monotonic_us();
    bool abandoned = false;
    for (size_t i = 0; i < daemon->n_cameras; i++)
        camera_stop(daemon->cameras[i]);
    if (daemon->scheduler)
        scheduler_stop(daemon->scheduler);
    for (size_t i = 0; i < daemon->n_cameras; i++)
        if (!camera_join(daemon->cameras[i], start_us + DECODERS_US)) {
            log_event(LOG_WARNING, "thread_abandoned", "thread", "camera", "camera", camera_name(daemon->cameras[i]), NULL);
            abandoned = true;
        }
    if (daemon->scheduler && scheduler_join(daemon->scheduler, start_us + WORKERS_US) > 0) {
        log_event(LOG_WARNING, "thread_abandoned", "thread", "worker", NULL);
        abandoned = true;
    }
    for (size_t i = 0; i < daemon->n_cameras; i++)
        camera_end(daemon->cameras[i]);
    web_server_close(daemon->web);
    if (daemon->events)
        events_close(daemon->events);
    int64_t left_us = start_us + WEBHOOKS_US - monotonic_us();
    webhooks_close(daemon->webhooks, left_us > 0 ? (int)(left_us / 1000) : 0);
    if (abandoned)
        return false;
    scheduler_close(daemon->scheduler);
    for (size_t i = 0; i < daemon->n_cameras; i++)
        camera_close(daemon->cameras[i]);
    free(daemon->cameras);
    alertlog_close(daemon->alerts);
    events_free(daemon->events);
    for (size_t i = 0; i < daemon->n_plans; i++)
        plan_close(daemon->plans[i]);
    free(daemon->plans);
    lock_destroy(&daemon->health_lock);
    return true;
}

static int run(struct config *config)
{
    struct daemon daemon = {.config = config, .started_us = utc_us()};
    struct error err = {.text = ""};
    lock_init(&daemon.health_lock, LOCK_VIEW);
    daemon.workers = config->workers ? config->workers : parallel_threads_cores();

    int changed_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int signals_fd = supervise_take_signals();
    int r = changed_fd < 0 ? error_set(&err, -errno, "eventfd: %s", strerror(errno))
            : signals_fd < 0 ? error_set(&err, signals_fd, "signalfd: %s", strerror(-signals_fd)) : 0;
    if (r == 0)
        r = open_all(&daemon, changed_fd, &err);
    if (r == 0)
        r = start_threads(&daemon, &err);
    if (r == 0) {
        struct log_number cameras, workers;
        log_event(LOG_NOTICE, "started", "version", MEMAED_VERSION, "cameras", log_int(&cameras, (long long)daemon.n_cameras),
                  "workers", log_int(&workers, daemon.workers), NULL);
        notify_ready();
        r = supervise(&daemon, signals_fd, changed_fd);
        if (r < 0)
            error_set(&err, r, "poll: %s", strerror(-r));
    }
    if (r < 0)
        log_event(LOG_ERR, "failed", "reason", err.text, NULL);
    notify_stopping();
    supervise_let_go();
    bool all_ended = close_all(&daemon);
    log_event(LOG_NOTICE, "stopped", NULL);
    if (!all_ended)
        _exit(r < 0);
    if (changed_fd >= 0)
        close(changed_fd);
    if (signals_fd >= 0)
        close(signals_fd);
    return r < 0;
}

struct run_values {
    const char *config;
    bool verbose;
};

static const struct command_option run_options[] = {
    {"config", 'c', OPTION_TEXT(struct run_values, config), .argument = "FILE", .required = true,
     .help = "The configuration; `memaed check --keys` prints its keys."},
    {"verbose", 'v', OPTION_FLAG(struct run_values, verbose), .help = "Log more."},
    {0},
};

static int command_run(int argc, char **argv)
{
    struct run_values o = {0};
    int status;
    if (!command_parse(&run_command, &o, argc, argv, &status))
        return status;
    log_open(o.verbose ? LOG_DEBUG : LOG_INFO);
    source_set_log(log_ffmpeg);
    struct config *config;
    if (config_load(&config, o.config, log_fault, NULL) < 0)
        return 1;
    status = run(config);
    config_unref(config);
    return status;
}

const struct command run_command = {
    .name = "run",
    .summary = "watch cameras: the daemon, in the foreground",
    .forms = "--config FILE [--verbose]",
    .about = "Watches the cameras of a configuration, in the foreground, until it gets SIGTERM or SIGINT.",
    .options = run_options,
    .notes = "Exit status: 0 after SIGTERM or SIGINT; 1 where it cannot start or fails (the log says why); 2 wrong usage.",
    .run = command_run,
};
