#include "daemon/watch/reload.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/base/log.h"
#include "daemon/watch/notify.h"
#include "daemon/watch/supervise.h"

/* Lines that check and loader report, for the log and for those who asked. */
struct faults {
    char **lines;
    size_t n;
};

static void take_fault(void *arg, const char *text)
{
    struct faults *faults = arg;
    log_line(LOG_ERR, text);
    char **lines = realloc(faults->lines, (faults->n + 1) * sizeof *lines);
    if (lines)
        faults->lines = lines;
    char *copy = lines ? strdup(text) : NULL;
    if (copy)
        faults->lines[faults->n++] = copy;
}

static void take_warning(void *arg, const char *text)
{
    (void)arg;
    log_event(LOG_WARNING, "config_warning", "text", text, NULL);
}

static void faults_clear(struct faults *faults)
{
    for (size_t i = 0; i < faults->n; i++)
        free(faults->lines[i]);
    free(faults->lines);
}

/* ---- applying ------------------------------------------------------------------------------------------------------- */

enum { RESTART_KEYS_MAX = 6 };

static bool names_equal(const struct config *a, const struct config *b)
{
    bool equal = a->n_host_names == b->n_host_names;
    for (size_t i = 0; equal && i < a->n_host_names; i++)
        equal = strcmp(a->host_names[i], b->host_names[i]) == 0;
    return equal;
}

static size_t list_restart_keys(const struct config *now, const struct config *started_by,
                                const char *ret[RESTART_KEYS_MAX])
{
    size_t n = 0;
    if (strcmp(now->listen_address, started_by->listen_address) != 0 || now->listen_port != started_by->listen_port)
        ret[n++] = "http.listen";
    if (!names_equal(now, started_by))
        ret[n++] = "http.names";
    if (now->workers != started_by->workers)
        ret[n++] = "workers";
    if (now->in_thread != started_by->in_thread)
        ret[n++] = "isolation";
    if (now->max_decoder_mib != started_by->max_decoder_mib)
        ret[n++] = "max_decoder_mib";
    if (strcmp(now->state_dir, started_by->state_dir) != 0)
        ret[n++] = "state_dir";
    return n;
}

/* Why configuration or models could not be loaded. The faults have been reported one by one. */
static const char *reason_of_load(int r)
{
    return r == -ENOMEM ? "out of memory" : r == -ECANCELED ? "memaed is stopping"
           : "the configuration has faults, so nothing changed; the lines before name them";
}

static int apply(struct daemon *daemon, struct config *config, struct faults *faults, struct fleet_changes *changes,
                 struct error *err)
{
    struct fleet_models models = {0};
    int r = fleet_models_load(&models, config, &(struct check_report){.fault = take_fault, .warning = take_warning, .arg = faults,
                                                                      .stop = supervise_told_to_end});
    if (r < 0)
        return error_set(err, r, "%s", reason_of_load(r));
    struct sinks_change *sinks = NULL;
    r = sinks_prepare(&sinks, daemon->sinks, config, err);
    struct arming_change *arming = NULL;
    if (r == 0)
        r = arming_prepare(&arming, config, err);
    if (r == 0)
        r = fleet_apply(daemon->fleet, config, &models, changes, err);
    if (r == 0) {
        arming_adopt(daemon->arming, arming);
        daemon_configure_store(daemon, config);
        copies_configure(daemon->copies, config);
        retention_configure(daemon->retention, &config->evidence.retention);
    } else {
        arming_forget(arming);
    }
    if (r == 0)
        sinks_adopt(daemon->sinks, sinks);
    else
        sinks_forget(sinks);
    if (r == 0)
        fleet_go(daemon->fleet);
    fleet_models_clear(&models);
    return r;
}

static void log_outcome(const struct view_reload *result, const char *reason)
{
    struct log_number added, removed, changed, unchanged;
    if (result->status < 0) {
        log_event(LOG_ERR, "reload_failed", "reason", reason, NULL);
        return;
    }
    log_event(LOG_NOTICE, "reloaded", "added", log_int(&added, (long long)result->added), "removed",
              log_int(&removed, (long long)result->removed), "changed", log_int(&changed, (long long)result->changed),
              "unchanged", log_int(&unchanged, (long long)result->unchanged), NULL);
    for (size_t i = 0; i < result->n_needs_restart; i++)
        log_event(LOG_WARNING, "reload_needs_restart", "key", result->needs_restart[i], "reason",
                  "this key is applied at the next start", NULL);
}

static size_t take_requests(struct daemon *daemon, struct reload_request requests[RELOAD_REQUESTS_MAX])
{
    lock_take(&daemon->lock);
    size_t n = daemon->n_requests;
    memcpy(requests, daemon->requests, n * sizeof requests[0]);
    daemon->n_requests = 0;
    lock_give(&daemon->lock);
    return n;
}

/* A request that comes while a reload runs is answered by the next reload, which reads the file again. */
void reload(struct daemon *daemon)
{
    struct reload_request requests[RELOAD_REQUESTS_MAX];
    const char *restart[RESTART_KEYS_MAX];
    struct faults faults = {0};
    struct fleet_changes changes = {0};
    struct config *config = NULL;
    struct error err = {.text = ""};
    size_t n = take_requests(daemon, requests);

    notify_reloading();
    int r = config_load(&config, daemon->config->path, take_fault, &faults);
    r = r < 0 ? error_set(&err, r, "%s", reason_of_load(r)) : apply(daemon, config, &faults, &changes, &err);
    struct view_reload result = {.status = r, .detail = err.text, .faults = (const char *const *)faults.lines,
                                 .n_faults = faults.n, .added = changes.added, .removed = changes.removed,
                                 .changed = changes.changed, .unchanged = changes.unchanged, .needs_restart = restart};
    if (r == 0) {
        result.n_needs_restart = list_restart_keys(config, daemon->started_by, restart);
        config_unref(daemon->config);
        daemon->config = config;
    } else {
        config_unref(config);
    }
    log_outcome(&result, err.text);
    notify_ready();
    for (size_t i = 0; i < n; i++)
        requests[i].done(requests[i].arg, &result);
    faults_clear(&faults);
}

/* ---- requests ------------------------------------------------------------------------------------------------------- */

int reload_request(struct daemon *daemon, view_reload_done *done, void *arg)
{
    lock_take(&daemon->lock);
    bool taken = !daemon->closing && daemon->n_requests < RELOAD_REQUESTS_MAX;
    if (taken)
        daemon->requests[daemon->n_requests++] = (struct reload_request){.done = done, .arg = arg};
    lock_give(&daemon->lock);
    if (!taken)
        return -EBUSY;
    ssize_t r = write(daemon->changed_fd, &(uint64_t){1}, sizeof(uint64_t));
    (void)r;            /* fails only where nobody has read 2^64 changes */
    return 0;
}

void reload_requested(struct daemon *daemon)
{
    lock_take(&daemon->lock);
    bool asked = daemon->n_requests > 0;
    lock_give(&daemon->lock);
    if (asked)
        reload(daemon);
}

void reload_cancel(struct daemon *daemon)
{
    struct reload_request requests[RELOAD_REQUESTS_MAX];
    lock_take(&daemon->lock);
    daemon->closing = true;
    lock_give(&daemon->lock);
    size_t n = take_requests(daemon, requests);
    for (size_t i = 0; i < n; i++)
        requests[i].done(requests[i].arg, &(struct view_reload){.status = -ECANCELED, .detail = "memaed is stopping"});
}
