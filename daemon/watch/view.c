#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/watch/daemon.h"
#include "daemon/watch/evidence/place.h"
#include "daemon/watch/reload.h"
#include "io/base/beneath.h"
#include "io/base/clock.h"
#include "io/sinks/webhook.h"

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

static int relearn(void *context, const char *name)
{
    return fleet_relearn(((struct daemon *)context)->fleet, name);
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

    struct pictures_stats pictures;
    evidence_stats(daemon->evidence, &pictures);
    memcpy(ret->snapshots, pictures.snapshots, sizeof ret->snapshots);
    ret->snapshot_seconds = pictures.seconds;
    ret->snapshots_gray = pictures.gray;
    ret->snapshots_failed = pictures.failures;

    lock_take(&daemon->lock);
    ret->healthy = daemon->stuck[0] == '\0';
    if (!ret->healthy)
        snprintf(ret->unhealthy, sizeof ret->unhealthy, "%s is stuck", daemon->stuck);
    lock_give(&daemon->lock);
}

/* NULL: none were configured so far. */
static struct webhooks *webhooks_of(struct daemon *daemon)
{
    return sinks_sender(daemon->sinks, SINK_WEBHOOKS);
}

static int view_webhooks(void *context, struct view_webhook **ret, size_t *n)
{
    struct webhooks *webhooks = webhooks_of(context);
    struct webhook_stats *stats = NULL;
    size_t names = 0;
    if (webhooks && webhooks_stats(webhooks, &stats, &names) < 0)
        return -ENOMEM;
    struct view_webhook *views = calloc(names + 1, sizeof *views);
    for (size_t i = 0; views && i < names; i++) {
        views[i] = (struct view_webhook){.delivered = stats[i].delivered, .dropped = stats[i].dropped, .queued = stats[i].queued,
                                         .failed = stats[i].failed_attempts, .dead = stats[i].dead,
                                         .dead_letters = stats[i].dead_letters, .disabled = stats[i].disabled,
                                         .delays = stats[i].delays};
        snprintf(views[i].name, sizeof views[i].name, "%s", stats[i].name);
    }
    free(stats);
    if (!views)
        return -ENOMEM;
    *ret = views;
    *n = names;
    return 0;
}

static int endpoints(void *context, struct view_endpoint **ret, size_t *n)
{
    struct webhooks *webhooks = webhooks_of(context);
    struct webhook_state *states = NULL;
    size_t there = 0;
    if (webhooks && webhooks_list(webhooks, NULL, &states, &there) < 0)
        return -ENOMEM;
    struct view_endpoint *views = calloc(there + 1, sizeof *views);
    for (size_t i = 0; views && i < there; i++) {
        const struct webhook_state *s = &states[i];
        views[i] = (struct view_endpoint){.delivered = s->delivered, .queued = s->queued, .dead_letters = s->dead_letters,
                                          .oldest_us = s->oldest_us, .attempts = s->attempts, .next_us = s->next_us,
                                          .failed_us = s->failed_us, .newest_us = s->newest_us, .disabled_us = s->disabled_us,
                                          .events = s->events};
        snprintf(views[i].id, sizeof views[i].id, "%s", s->key);
        snprintf(views[i].name, sizeof views[i].name, "%s", s->name);
        snprintf(views[i].cause, sizeof views[i].cause, "%s", s->cause);
        snprintf(views[i].disabled_reason, sizeof views[i].disabled_reason, "%s", s->disabled_reason);
    }
    free(states);
    if (!views)
        return -ENOMEM;
    *ret = views;
    *n = there;
    return 0;
}

static int dead_letters(void *context, const char *id, size_t max, struct view_dead_letter **ret, size_t *n)
{
    struct webhooks *webhooks = webhooks_of(context);
    struct outbox_dead *dead;
    int r = webhooks ? webhooks_list_dead(webhooks, id, &dead, n, max) : -ENOENT;
    if (r < 0)
        return r;
    struct view_dead_letter *views = calloc(*n + 1, sizeof *views);
    for (size_t i = 0; views && i < *n; i++) {
        views[i] = (struct view_dead_letter){.time_us = dead[i].time_us, .died_us = dead[i].died_us, .attempts = dead[i].attempts,
                                             .body = dead[i].body};
        snprintf(views[i].id, sizeof views[i].id, "%s", dead[i].id);
        snprintf(views[i].reason, sizeof views[i].reason, "%s", dead[i].reason);
        dead[i].body = NULL;            /* owned by the view now */
    }
    outbox_dead_free(dead, *n);
    *ret = views;
    return views ? 0 : -ENOMEM;
}

static int act_on_webhook(void *context, const char *id, enum view_webhook_action action)
{
    struct webhooks *webhooks = webhooks_of(context);
    if (!webhooks)
        return -ENOENT;
    return action == VIEW_WEBHOOK_ENABLE ? webhooks_enable(webhooks, id) : webhooks_retry_dead(webhooks, id);
}

/* The alert lasts for a millisecond, so that its two events have different times. */
static int test_alert(void *context, const char *name, struct view_test_alert *ret)
{
    struct daemon *daemon = context;
    struct webhooks *webhooks = webhooks_of(daemon);
    struct webhook_state *states = NULL;
    struct view_camera of;
    size_t n = 0;
    if (!fleet_view_camera(daemon->fleet, name, &of))
        return -ENOENT;
    if (webhooks && webhooks_list(webhooks, name, &states, &n) < 0)
        return -ENOMEM;
    ret->n = 0;
    for (size_t i = 0; i < n && ret->n < VIEW_ENDPOINTS_MAX; i++)
        if (states[i].events & (event_bit(EVENT_ALERT_OPENED) | event_bit(EVENT_ALERT_CLOSED)))
            snprintf(ret->endpoints[ret->n++], RECORD_NAME_SIZE, "%s", states[i].key);
    free(states);

    struct alert_record alert = {.test = true, .opened_us = utc_us() / 1000 * 1000};
    alert.peak_us = alert.opened_us;
    snprintf(alert.camera, sizeof alert.camera, "%s", name);
    for (int v = 0; v < VOICES; v++)
        alert.voices.score[v] = NAN;
    alertlog_append(daemon->alerts, &alert);
    events_post(daemon->events, &(struct event){.type = EVENT_ALERT_OPENED, .time_us = alert.opened_us, .camera = name,
                                                .alert = &alert});
    alert.closed_us = alert.opened_us + 1000;
    events_post(daemon->events, &(struct event){.type = EVENT_ALERT_CLOSED, .time_us = alert.closed_us, .camera = name,
                                                .alert = &alert});
    ret->alert = alert;
    return 0;
}

static bool scores(void *context, uint32_t id, uint64_t from, struct score_record *ret, size_t max,
                   struct record_range *range, size_t *n)
{
    return fleet_scores(((struct daemon *)context)->fleet, id, from, ret, max, range, n);
}

static int alerts(void *context, const struct view_alerts_wanted *wanted, struct alert_record *ret, struct alert_labels *labels,
                  struct view_alerts *found)
{
    return reader_alerts(((struct daemon *)context)->reader, wanted, ret, labels, found);
}

static int alert(void *context, uint64_t id, struct alert_record *ret, struct alert_labels *labels)
{
    return reader_alert(((struct daemon *)context)->reader, id, ret, labels);
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

/* Clients have found the server, so the path of a snapshot is enough for them. They get no path if memory is short. */
static int events(void *context, uint64_t from, const struct event_filter *filter, struct event_record *ret, size_t max,
                  size_t *n, uint64_t *next, struct record_range *range)
{
    struct daemon *daemon = context;
    const struct snapshot_store snapshots = sinks_snapshots(daemon->sinks);
    int r = reader_events(daemon->reader, from, filter, ret, max, n, next, range);
    for (size_t i = 0; r == 0 && i < *n; i++) {
        char *body;
        size_t size;
        if (snapshot_add(&body, &size, ret[i].body, strlen(ret[i].body), CONFIG_SNAPSHOT_URL, 0, NULL, &snapshots) == 0) {
            free(ret[i].body);
            ret[i].body = body;
        }
    }
    return r;
}

/* ---- evidence: state_dir/evidence/CAMERA/DATE/ID/, the date of the opening in UTC ------------------------------------- */

static const struct { enum view_evidence which; const char *name; const char *type, *extension; } evidence_files[] = {
    {VIEW_SNAPSHOT, "snapshot.jpg", "image/jpeg", "jpg"},
    {VIEW_WHY, "why.jpg", "image/jpeg", "jpg"},
    {VIEW_CLIP, "clip.mp4", "video/mp4", "mp4"},
    {VIEW_CLIP, "clip.mkv", "video/x-matroska", "mkv"},
    {VIEW_COPY, "copy.mp4", "video/mp4", "mp4"},
};
enum { EVIDENCE_FILES = sizeof evidence_files / sizeof evidence_files[0] };

/* A descriptor of the alert's folder, or -errno. */
static int open_evidence(const struct daemon *daemon, const struct alert_record *alert)
{
    return place_open(daemon->started_by->state_dir,
                      &(struct place){.camera = alert->camera, .opened_us = alert->opened_us, .alert = alert->id});
}

static int evidence(void *context, const struct alert_record *alert, enum view_evidence which, struct view_file *ret)
{
    int folder_fd = open_evidence(context, alert), r = -ENOENT;
    if (folder_fd < 0)
        return folder_fd;
    for (int i = 0; i < EVIDENCE_FILES && r == -ENOENT; i++)
        if (evidence_files[i].which == which) {
            r = beneath_open(folder_fd, evidence_files[i].name, O_RDONLY | O_NONBLOCK);     /* a pipe would block */
            if (r >= 0)
                *ret = (struct view_file){r, evidence_files[i].type, evidence_files[i].extension};
        }
    close(folder_fd);
    return r < 0 ? r : 0;
}

/* The date of a fault is that of its id. */
static int fault(void *context, const char *camera, uint64_t id, enum view_fault which, struct view_file *ret)
{
    const struct daemon *daemon = context;
    const struct place place = {.camera = camera, .opened_us = id < UINT64_MAX / 2000 ? (int64_t)id * 1000 : 0, .alert = id};
    char name[32];
    snprintf(name, sizeof name, "%s.jpg", view_fault_names[which]);
    int r = place_read(daemon->started_by->state_dir, &place, name);
    if (r >= 0)
        *ret = (struct view_file){r, "image/jpeg", "jpg"};
    return r < 0 ? r : 0;
}

static unsigned evidence_kept(void *context, const struct alert_record *alert)
{
    int folder_fd = open_evidence(context, alert);
    unsigned kept = 0;
    struct stat s;
    for (int i = 0; i < EVIDENCE_FILES && folder_fd >= 0; i++)
        if (fstatat(folder_fd, evidence_files[i].name, &s, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(s.st_mode))
            kept |= 1u << evidence_files[i].which;
    if (folder_fd >= 0)
        close(folder_fd);
    return kept;
}

static int copy(void *context, const struct alert_record *alert, bool asks, struct view_copy *ret)
{
    struct daemon *daemon = context;
    copies_status(daemon->copies, alert->id, ret);
    if (ret->state == VIEW_COPY_WAITING || ret->state == VIEW_COPY_RUNNING)
        return 0;
    if (evidence_kept(context, alert) & 1u << VIEW_COPY)
        *ret = (struct view_copy){.state = VIEW_COPY_READY};
    else if (asks)
        return copies_ask(daemon->copies, alert, ret);
    return 0;
}

static int videos(void *context, uint64_t alert, struct view_video *ret)
{
    struct evidence_row rows[EVIDENCE_KINDS];
    size_t n;
    int r = reader_evidence(((struct daemon *)context)->reader, alert, rows, &n);
    if (r < 0)
        return r;
    memset(ret, 0, VIEW_EVIDENCES * sizeof *ret);
    for (size_t k = 0; k < n; k++)
        for (int i = 0; i < EVIDENCE_FILES; i++) {
            const char *name = strrchr(rows[k].path, '/');
            if (!*rows[k].codec || !name || strcmp(name + 1, evidence_files[i].name) != 0)
                continue;
            struct view_video *video = &ret[evidence_files[i].which];
            *video = (struct view_video){.type = evidence_files[i].type, .bytes = rows[k].bytes};
            _Static_assert(sizeof video->codec == sizeof rows[k].codec && sizeof video->codecs == sizeof rows[k].codecs,
                           "names fit");
            memcpy(video->codec, rows[k].codec, sizeof video->codec);
            memcpy(video->codecs, rows[k].codecs, sizeof video->codecs);
        }
    return 0;
}

static int label(void *context, const struct alert_order *order, view_labelled *done, void *arg)
{
    return store_label(((struct daemon *)context)->store, order, done, arg);
}

static void room(void *context, struct view_room *ret)
{
    struct retention_stats stats;
    retention_stats(((struct daemon *)context)->retention, &stats);
    *ret = (struct view_room){.bytes = stats.bytes, .files = stats.files, .free_bytes = stats.free_bytes,
                              .oldest_us = stats.oldest_us, .pruned_age = stats.pruned[RETENTION_AGE],
                              .pruned_size = stats.pruned[RETENTION_SIZE],
                              .pruned_space = stats.pruned[RETENTION_SPACE], .paused = stats.paused};
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
                         .webhooks = view_webhooks, .endpoints = endpoints, .dead_letters = dead_letters,
                         .act_on_webhook = act_on_webhook, .test_alert = test_alert, .scores = scores, .alerts = alerts,
                         .alert = alert, .history = history, .storage = storage, .events = events, .events_fd = daemon->events_fd,
                         .evidence = evidence, .fault = fault, .room = room, .evidence_kept = evidence_kept, .videos = videos,
                         .copy = copy, .arm = arm, .relearn = relearn, .label = label, .reload = request_reload};
}
