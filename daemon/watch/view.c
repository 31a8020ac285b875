#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "daemon/watch/daemon.h"
#include "io/base/clock.h"

static int cameras(void *context, struct view_camera **ret, size_t *n)
{
    struct daemon *daemon = context;
    struct view_camera *list = malloc((daemon->n_cameras + 1) * sizeof *list);
    if (!list)
        return -ENOMEM;
    for (size_t i = 0; i < daemon->n_cameras; i++)
        camera_view(daemon->cameras[i], &list[i]);
    *ret = list;
    *n = daemon->n_cameras;
    return 0;
}

static bool camera(void *context, const char *name, struct view_camera *ret)
{
    struct daemon *daemon = context;
    for (size_t i = 0; i < daemon->n_cameras; i++)
        if (strcmp(camera_name(daemon->cameras[i]), name) == 0) {
            camera_view(daemon->cameras[i], ret);
            return true;
        }
    return false;
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
    lock_take(&daemon->health_lock);
    ret->healthy = daemon->stuck[0] == '\0';
    if (!ret->healthy)
        snprintf(ret->unhealthy, sizeof ret->unhealthy, "%s is stuck", daemon->stuck);
    lock_give(&daemon->health_lock);

    struct scheduler_stats scheduler;
    scheduler_stats(daemon->scheduler, &scheduler);
    ret->cubes = scheduler.windows;
    ret->cube_seconds = scheduler.seconds;
    if (!daemon->webhooks)
        return;
    struct webhook_stats webhooks;
    webhooks_stats(daemon->webhooks, &webhooks);
    ret->webhooks_delivered = webhooks.delivered;
    ret->webhooks_failed = webhooks.failed_attempts;
    ret->webhooks_dropped = webhooks.dropped;
    ret->webhooks_queued = webhooks.queued;
}

static bool scores(void *context, uint32_t id, uint64_t from, struct score_record *ret, size_t max,
                   struct record_range *range, size_t *n)
{
    struct daemon *daemon = context;
    if (id >= daemon->n_cameras)
        return false;
    *n = camera_scores(daemon->cameras[id], from, ret, max, range);
    return true;
}

static size_t alerts(void *context, uint64_t from, struct alert_record *ret, size_t max, struct record_range *range)
{
    return alertlog_read(((struct daemon *)context)->alerts, from, ret, max, range);
}

void daemon_view(struct daemon *daemon, struct view *ret)
{
    uint64_t store;
    if (getrandom(&store, sizeof store, 0) != sizeof store)
        store = (uint64_t)utc_us();
    *ret = (struct view){.context = daemon, .store = store, .cameras = cameras, .camera = camera, .process = process,
                         .scores = scores, .alerts = alerts};
}
