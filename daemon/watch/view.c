#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#include "daemon/watch/daemon.h"
#include "daemon/watch/reload.h"
#include "io/base/clock.h"

static void view_arming(struct daemon *daemon, struct view_camera *camera)
{
    struct arming_status status = {.state = ARMING_ARMED, .until_us = INT64_MAX};
    arming_status(daemon->arming, camera->name, utc_us(), &status);
    camera->arming = status.state;
    camera->arming_until_us = status.until_us;
    camera->order = status.order;
}

static int cameras(void *context, struct view_camera **ret, size_t *n)
{
    struct daemon *daemon = context;
    int r = fleet_view_cameras(daemon->fleet, ret, n);
    for (size_t i = 0; r == 0 && i < *n; i++)
        view_arming(daemon, &(*ret)[i]);
    return r;
}

static bool camera(void *context, const char *name, struct view_camera *ret)
{
    struct daemon *daemon = context;
    bool found = fleet_view_camera(daemon->fleet, name, ret);
    if (found)
        view_arming(daemon, ret);
    return found;
}

static int arm(void *context, const char *name, enum arming_action action, int minutes, const char *by)
{
    return arming_order(((struct daemon *)context)->arming, name, action, minutes, by);
}

static size_t rss_bytes(void)
{
    size_t pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (!file)
        return 0;
    if (fscanf(file, "%*u %zu", &pages) != 1)
        pages = 0;
    fclose(file);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static void process(void *context, struct view_process *ret)
{
    struct daemon *daemon = context;
    *ret = (struct view_process){.started_us = daemon->started_us, .workers = daemon->workers, .rss_bytes = rss_bytes()};
    struct scheduler_stats scheduler;
    fleet_stats(daemon->fleet, &scheduler);
    ret->cubes = scheduler.windows;
    ret->cube_seconds = scheduler.seconds;

    lock_take(&daemon->lock);
    ret->healthy = daemon->stuck[0] == '\0';
    if (!ret->healthy)
        snprintf(ret->unhealthy, sizeof ret->unhealthy, "%s is stuck", daemon->stuck);
    lock_give(&daemon->lock);
}

static int view_webhooks(void *context, struct view_webhook **ret, size_t *n)
{
    struct daemon *daemon = context;
    lock_take(&daemon->lock);
    struct webhooks *webhooks = daemon->webhooks;
    lock_give(&daemon->lock);
    struct webhook_stats *stats = NULL;
    size_t names = 0;
    if (webhooks && webhooks_stats(webhooks, &stats, &names) < 0)       /* once opened, they stay until after the web has closed */
        return -ENOMEM;
    struct view_webhook *views = calloc(names + 1, sizeof *views);
    for (size_t i = 0; views && i < names; i++) {
        views[i] = (struct view_webhook){.delivered = stats[i].delivered, .dropped = stats[i].dropped, .queued = stats[i].queued,
                                         .failed = stats[i].failed_attempts};
        snprintf(views[i].name, sizeof views[i].name, "%s", stats[i].name);
    }
    free(stats);
    if (!views)
        return -ENOMEM;
    *ret = views;
    *n = names;
    return 0;
}

static bool scores(void *context, uint32_t id, uint64_t from, struct score_record *ret, size_t max,
                   struct record_range *range, size_t *n)
{
    return fleet_scores(((struct daemon *)context)->fleet, id, from, ret, max, range, n);
}

static int alerts(void *context, const struct view_alerts_wanted *wanted, struct alert_record *ret, struct view_alerts *found)
{
    return reader_alerts(((struct daemon *)context)->reader, wanted, ret, found);
}

static int alert(void *context, uint64_t id, struct alert_record *ret)
{
    return reader_alert(((struct daemon *)context)->reader, id, ret);
}

static int history(void *context, const struct view_history_wanted *wanted, struct view_history *ret, size_t *n)
{
    return reader_history(((struct daemon *)context)->reader, wanted, ret, n);
}

static void storage(void *context, struct view_store *ret)
{
    struct store_stats stats;
    store_stats(((struct daemon *)context)->store, &stats);
    *ret = (struct view_store){.events_queued = stats.events_queued, .scores_queued = stats.scores_queued,
                               .events_dropped = stats.events_dropped, .scores_dropped = stats.scores_dropped,
                               .commits = stats.commits, .failures = stats.failures, .commit_seconds = stats.commit_seconds,
                               .failing = stats.failing, .bytes = stats.bytes};
}

static int request_reload(void *context, view_reload_done *done, void *arg)
{
    return reload_request(context, done, arg);
}

void daemon_view(struct daemon *daemon, struct view *ret)
{
    uint64_t store;
    if (getrandom(&store, sizeof store, 0) != sizeof store)
        store = (uint64_t)utc_us();
    const struct config *config = daemon->started_by;
    *ret = (struct view){.context = daemon, .store = store, .host_names = config->host_names,
                         .n_host_names = config->n_host_names, .cameras = cameras, .camera = camera, .process = process,
                         .webhooks = view_webhooks, .scores = scores, .alerts = alerts, .alert = alert,
                         .history = history, .storage = storage, .arm = arm, .reload = request_reload};
}
