#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sysexits.h>
#include <unistd.h>

#include "daemon/base/descriptors.h"
#include "daemon/base/ffmpeg_log.h"
#include "daemon/base/isolation.h"
#include "daemon/base/log.h"
#include "daemon/base/options.h"
#include "daemon/base/parallel_threads.h"
#include "daemon/commands.h"
#include "daemon/watch/daemon.h"
#include "daemon/watch/notify.h"
#include "daemon/watch/reload.h"
#include "daemon/watch/store/state_folder.h"
#include "daemon/watch/supervise.h"
#include "io/base/clock.h"
#include "io/capture/sandbox.h"
#include "io/video/source.h"

/* The times after the signal by which decoders, workers, retention, evidence, the writing of events, sinks and the store must
 * have ended. */
#define DECODERS_US INT64_C(1000000)
#define WORKERS_US INT64_C(1300000)
#define RETENTION_US INT64_C(1350000)
#define EVIDENCE_US INT64_C(1400000)
#define FLUSH_US INT64_C(1550000)
#define SINKS_US INT64_C(1700000)
#define STORE_US INT64_C(1900000)

/* An alert that opens waits this long for its pictures, at most. */
#define HOLD_US INT64_C(3000000)

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

/* ---- the store ------------------------------------------------------------------------------------------------------ */

/* An event is committed. The store's thread. */
static void publish(void *arg, const struct store_event *event)
{
    struct daemon *daemon = arg;
    const uint64_t one = 1;
    if (!event->ready)
        return;
    while (write(daemon->events_fd, &one, sizeof one) < 0 && errno == EINTR)
        ;
    if (daemon->sinks)
        sinks_wake(daemon->sinks);
}

static struct store_retention retention_of(const struct config *config)
{
    return (struct store_retention){.raw_h = config->scores_raw_h, .minutes_days = config->scores_minutes_days,
                                    .alerts_days = config->alerts_keep_days};
}

void daemon_configure_store(struct daemon *daemon, const struct config *config)
{
    const struct store_retention retention = retention_of(config);
    struct store_endpoints endpoints;
    sinks_endpoints(config, &endpoints);
    store_set_endpoints(daemon->store, &endpoints);
    store_set_retention(daemon->store, &retention);
}

static int open_store(struct daemon *daemon, struct error *err)
{
    const struct config *config = daemon->config;
    daemon->events_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (daemon->events_fd < 0)
        return error_set(err, -errno, "eventfd: %s", strerror(errno));
    int r = daemon->state_fd = state_folder_open(config->state_dir, err);
    if (r >= 0)
        r = store_open(&daemon->store, &(struct store_options){.folder = config->state_dir, .retention = retention_of(config),
                                                               .hold_us = HOLD_US, .heartbeats = &daemon->heartbeats,
                                                               .publish = publish, .publish_arg = daemon}, err);
    if (r < 0)
        return r;
    const struct alertlog_sink sink = store_alertlog_sink(daemon->store);
    r = alertlog_open(&daemon->alerts, store_last_alert(daemon->store), &sink);
    if (r < 0)
        return error_set(err, r, "out of memory");
    r = events_add(daemon->events, store_event_sink(daemon->store));
    if (r < 0)
        return error_set(err, r, "events: no room for the store");
    daemon_configure_store(daemon, config);
    return reader_open(&daemon->reader, daemon->store, err);
}

/* ---- opening and closing -------------------------------------------------------------------------------------------- */

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

static int open_isolation(const struct daemon *daemon, struct error *err)
{
    int r = isolation_open(daemon->config->in_thread ? ISOLATION_THREAD : ISOLATION_PROCESS, err);
    if (r == 0 && isolation_host() && sandbox_landlock() == 0)
        log_event(LOG_WARNING, "isolation_is_weaker", "reason", "the kernel has no Landlock: a camera's process can read every "
                  "file that memaed can read", NULL);
    return r;
}

static void keep_evidence(void *arg, const struct evidence_made *made)
{
    struct evidence_row row = {.alert = made->alert, .bytes = made->bytes, .made_us = utc_us()};
    while (row.kind < EVIDENCE_KINDS && strcmp(evidence_kind_name(row.kind), made->kind) != 0)
        row.kind++;
    snprintf(row.path, sizeof row.path, "%s", made->path);
    snprintf(row.codec, sizeof row.codec, "%s", made->codec);
    snprintf(row.codecs, sizeof row.codecs, "%s", made->codecs);
    store_add_evidence(((struct daemon *)arg)->store, &row);
}

static void pictures_are_ready(void *arg, uint64_t id)
{
    store_pictures_ready(((struct daemon *)arg)->store, id);
}

static int open_evidence(struct daemon *daemon, struct error *err)
{
    int r = evidence_open(&daemon->evidence, &(struct evidence_options){.state_dir = daemon->config->state_dir,
                                                                        .host = isolation_host(),
                                                                        .heartbeats = &daemon->heartbeats,
                                                                        .made = keep_evidence, .ready = pictures_are_ready,
                                                                        .arg = daemon}, err);
    if (r < 0)
        return r;
    r = events_add(daemon->events, evidence_sink(daemon->evidence));
    return r < 0 ? error_set(err, r, "evidence: no room for a further sink of events") : 0;
}

static int open_copies(struct daemon *daemon, struct error *err)
{
    const struct copies_options options = {.state_dir = daemon->config->state_dir, .evidence = daemon->evidence,
                                           .host = isolation_host(), .heartbeats = &daemon->heartbeats};
    int r = copies_open(&daemon->copies, &options, err);
    if (r == 0)
        copies_configure(daemon->copies, daemon->config);
    return r;
}

static int open_retention(struct daemon *daemon, struct error *err)
{
    return retention_open(&daemon->retention, &(struct retention_options){.state_dir = daemon->config->state_dir,
                                                                          .config = &daemon->config->evidence.retention,
                                                                          .store = daemon->store,
                                                                          .events = daemon->events,
                                                                          .evidence = daemon->evidence,
                                                                          .heartbeats = &daemon->heartbeats}, err);
}

static int open_baselines(struct daemon *daemon, struct error *err)
{
    return baselines_open(&daemon->baselines, &(struct baselines_options){.state_dir = daemon->config->state_dir,
                                                                          .config = daemon->config,
                                                                          .heartbeats = &daemon->heartbeats}, err);
}

static int open_fleet(struct daemon *daemon, const struct fleet_models *models, struct error *err)
{
    int r = fleet_open(&daemon->fleet, &(struct fleet_options){.workers = daemon->workers,
                                                               .alerts = daemon->alerts,
                                                               .events = daemon->events,
                                                               .arming = daemon->arming,
                                                               .evidence = daemon->evidence,
                                                               .baselines = daemon->baselines,
                                                               .heartbeats = &daemon->heartbeats,
                                                               .host = isolation_host(),
                                                               .changed_fd = daemon->changed_fd,
                                                               .stop = supervise_told_to_end}, err);
    struct fleet_changes changes;
    if (r == 0)
        r = fleet_apply(daemon->fleet, daemon->config, models, &changes, err);
    return r;
}

static void restore_orders(void *arg, const char *camera, const struct arming_orders *orders)
{
    arming_restore(arg, camera, orders);
}

static int open_arming(struct daemon *daemon, struct error *err)
{
    int r = arming_open(&daemon->arming, &(struct arming_options){.events = daemon->events, .keep = store_keep_orders,
                                                                  .arg = daemon->store});
    struct arming_change *change;
    if (r < 0)
        return error_set(err, r, "out of memory");
    if ((r = arming_prepare(&change, daemon->config, err)) == 0)
        arming_adopt(daemon->arming, change);
    return r < 0 ? r : store_each_orders(daemon->store, restore_orders, daemon->arming, err);
}

/* The exit status after a failure to load configuration or models. Under systemd it is EX_CONFIG where there is a fault. The
 * unit does not start memaed again then, because somebody has to mend the fault first. */
static int status_of_load(int r)
{
    return r != -ENOMEM && notify_is_managed() ? EX_CONFIG : 1;
}

/* The faults have been logged one by one. */
static int not_started(const char *path, int r, struct error *err)
{
    return error_set(err, r, "%s: not started: %s", path, r == -ENOMEM ? "out of memory" : "the lines before name each fault");
}

/* The cameras start last, when all else is open. *status is set where a model has a fault. */
static int open_all(struct daemon *daemon, int *status, struct error *err)
{
    const struct config *config = daemon->config;
    struct fleet_models models = {0};
    int r = fleet_models_load(&models, config, &(struct check_report){.fault = log_fault, .warning = log_warning,
                                                                      .stop = supervise_told_to_end});
    if (r < 0) {
        *status = status_of_load(r);
        return not_started(config->path, r, err);
    }
    if ((r = events_open(&daemon->events)) < 0)
        error_set(err, r, "out of memory");
    else
        r = open_store(daemon, err);
    if (r == 0)
        r = open_arming(daemon, err);
    if (r == 0)
        r = sinks_open(&daemon->sinks, daemon->store, daemon->events, config->state_dir, config, err);
    if (r == 0)
        r = store_start(daemon->store, err);
    if (r == 0)
        sinks_wake(daemon->sinks);      /* events that waited for evidence wait no more */
    if (r == 0)
        r = open_isolation(daemon, err);
    if (r == 0)
        r = open_evidence(daemon, err);
    if (r == 0)
        r = open_copies(daemon, err);
    if (r == 0)
        r = open_retention(daemon, err);
    if (r == 0)
        r = open_baselines(daemon, err);
    if (r == 0)
        r = open_fleet(daemon, &models, err);
    fleet_models_clear(&models);
    if (r == 0)
        r = open_web(daemon, err);
    if (r == 0)
        r = fleet_start(daemon->fleet, err);
    return r;
}

/* Returns whether the thread has ended, and logs one that has not: it is abandoned. */
static bool told(bool has_ended, const char *thread)
{
    if (!has_ended)
        log_event(LOG_WARNING, "thread_abandoned", "thread", thread, NULL);
    return has_ended;
}

/* The order of shutdown, whatever of it was opened:
 *   1. cameras and workers are told to end, all at once: sources are interrupted, workers finish their window
 *   2. decoder threads are joined, then workers
 *   3. cameras end: pending windows are skipped, open alerts close, their events are queued
 *   4. HTTP closes, retention ends, and a copy that is being made is given up
 *   5. events reach the log alone, clips end where they are, what diagnoses learned is written, and the store writes and
 *      publishes what waits
 *   6. sinks send what is due, for a moment; the rest waits in the database for the next start
 *   7. the store writes what they delivered, and ends
 *   8. memory is freed
 * A thread that has not ended in time is abandoned, and the log names it: a decoder, a worker, or that of store, evidence,
 * baselines, copies or retention. After 3 it can reach no alert, and after 5 no event; but it still uses its camera, or the
 * database. Then the cameras' processes are ended, 8 is left out, and false is returned: this process is to end without the
 * functions that run at exit. */
static bool close_all(struct daemon *daemon)
{
    int64_t start_us = monotonic_us();
    copies_stop(daemon->copies);
    bool all_ended = !daemon->fleet || fleet_stop(daemon->fleet, start_us + DECODERS_US, start_us + WORKERS_US);
    reload_cancel(daemon);
    web_server_close(daemon->web);
    all_ended &= told(copies_end(daemon->copies, start_us + RETENTION_US), "copies");
    all_ended &= told(retention_end(daemon->retention, start_us + RETENTION_US), "retention");
    if (daemon->events)
        events_close(daemon->events);
    all_ended &= told(evidence_end(daemon->evidence, start_us + EVIDENCE_US), "evidence");
    all_ended &= told(baselines_end(daemon->baselines, start_us + FLUSH_US), "baselines");
    store_flush(daemon->store, start_us + FLUSH_US);
    store_silence(daemon->store);
    if (daemon->sinks)
        sinks_wake(daemon->sinks);
    int64_t left_us = start_us + SINKS_US - monotonic_us();
    sinks_close(daemon->sinks, left_us > 0 ? (int)(left_us / 1000) : 0);
    all_ended &= told(store_close(daemon->store, start_us + STORE_US), "store");
    if (!all_ended) {
        isolation_end();
        return false;
    }
    fleet_close(daemon->fleet);
    baselines_close(daemon->baselines);
    copies_close(daemon->copies);
    retention_close(daemon->retention);
    evidence_close(daemon->evidence);
    isolation_close();
    reader_close(daemon->reader);
    sinks_free(daemon->sinks);
    store_free(daemon->store);
    alertlog_close(daemon->alerts);
    if (daemon->state_fd >= 0)
        close(daemon->state_fd);
    arming_close(daemon->arming);
    if (daemon->events_fd >= 0)
        close(daemon->events_fd);
    events_free(daemon->events);
    heartbeats_destroy(&daemon->heartbeats);
    lock_destroy(&daemon->lock);
    config_unref(daemon->started_by);
    config_unref(daemon->config);
    return true;
}

/* signals_fd is that of supervise_take_signals(), or its error. Returns the exit status. */
static int run(struct config *config, int signals_fd)
{
    int status = 1;                 /* of a failure */
    struct daemon daemon = {.config = config_ref(config), .started_by = config_ref(config), .started_us = utc_us(),
                            .state_fd = -1, .events_fd = -1};
    struct error err = {.text = ""};
    lock_init(&daemon.lock, LOCK_VIEW);
    heartbeats_init(&daemon.heartbeats);
    daemon.workers = config->workers ? config->workers : parallel_threads_cores();

    daemon.changed_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int r = daemon.changed_fd < 0 ? error_set(&err, -errno, "eventfd: %s", strerror(errno))
            : signals_fd < 0 ? error_set(&err, signals_fd, "signalfd: %s", strerror(-signals_fd)) : 0;
    if (r == 0)
        r = open_all(&daemon, &status, &err);
    if (r == 0) {
        struct log_number cameras, workers;
        log_event(LOG_NOTICE, "started", "version", MEMAED_VERSION, "cameras",
                  log_int(&cameras, (long long)config->n_cameras), "workers", log_int(&workers, daemon.workers), NULL);
        notify_ready();
        r = supervise(&daemon, signals_fd);
        if (r < 0)
            error_set(&err, r, "poll: %s", strerror(-r));
    }
    if (r == -ECANCELED) {
        log_event(LOG_NOTICE, "stopping", "reason", "told to end before it had started", NULL);
        r = 0;
    }
    if (r < 0)
        log_event(LOG_ERR, "failed", "reason", err.text, NULL);
    notify_stopping();
    supervise_let_go();
    int changed_fd = daemon.changed_fd;
    bool all_ended = close_all(&daemon);
    log_event(LOG_NOTICE, "stopped", NULL);
    if (r >= 0)
        status = 0;
    if (!all_ended)
        _exit(status);
    if (changed_fd >= 0)
        close(changed_fd);
    return status;
}

struct run_values {
    const char *config;
    bool verbose;
};

static const struct command_option run_options[] = {
    {"config", 'c', OPTION_TEXT(struct run_values, config), .argument = "FILE", .path = OPTION_FILE, .required = true,
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
    int signals_fd = supervise_take_signals();      /* from here on a signal ends it in order */
    log_open(o.verbose ? LOG_DEBUG : LOG_INFO);
    ffmpeg_log_events();
    descriptors_raise();
    struct config *config;
    int r = config_load(&config, o.config, log_fault, NULL);
    if (r < 0) {
        struct error err;
        not_started(o.config, r, &err);
        log_event(LOG_ERR, "failed", "reason", err.text, NULL);
        status = status_of_load(r);
    } else {
        status = run(config, signals_fd);
        config_unref(config);
    }
    if (signals_fd >= 0)
        close(signals_fd);
    return status;
}

const struct command run_command = {
    .name = "run",
    .summary = "watch cameras: the daemon, in the foreground",
    .forms = "--config FILE [--verbose]",
    .about = "Watches the cameras of a configuration, in the foreground, until it gets SIGTERM or SIGINT.\n"
             "SIGHUP makes it read the configuration again.",
    .options = run_options,
    .notes = "Exit status: 0 after SIGTERM or SIGINT; 1 where it cannot start or fails (the log says why); 2 wrong usage. As a "
             "service of systemd: 78 where the configuration or a model has a fault.",
    .run = command_run,
};
