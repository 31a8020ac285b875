#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "daemon/watch/daemon.h"
#include "io/base/clock.h"

static size_t n_cameras(void *context)
{
    return ((struct daemon *)context)->n_cameras;
}

static void camera(void *context, size_t i, struct view_camera *ret)
{
    camera_view(((struct daemon *)context)->cameras[i], ret);
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

static size_t scores(void *context, size_t i, uint64_t from, struct view_score *ret, size_t max, struct view_range *range)
{
    return camera_scores(((struct daemon *)context)->cameras[i], from, ret, max, range);
}

static size_t alerts(void *context, uint64_t from, struct view_alert *ret, size_t max, struct view_range *range)
{
    return alertlog_read(((struct daemon *)context)->alerts, from, ret, max, range);
}

void daemon_view(struct daemon *daemon, struct view *ret)
{
    uint64_t store;
    if (getrandom(&store, sizeof store, 0) != sizeof store)
        store = (uint64_t)utc_us();
    *ret = (struct view){.context = daemon, .store = store, .n_cameras = n_cameras, .camera = camera, .process = process,
                         .scores = scores, .alerts = alerts};
}
