#include "daemon/watch/evidence/retention.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "daemon/base/log.h"
#include "daemon/watch/evidence/adoption.h"
#include "daemon/watch/evidence/evidence_tree.h"
#include "io/base/clock.h"
#include "io/base/lock.h"
#include "io/base/thread.h"
#include "io/database/evidence_rows.h"

#define LOOK_US INT64_C(1000000)        /* from one look at the disk to the next */
#define LOOK_SHORT_US INT64_C(250000)   /* the same, while less than three times free_least is free */
#define WALK_US INT64_C(60000000)       /* from one look at the files to the next */
#define SOON_US INT64_C(5000000)        /* the same, after a file was written, or where nothing was left to delete */
#define STEP_US INT64_C(60000000)       /* a step may wait this long for the disk */
#define YOUNG_US INT64_C(60000000)      /* an empty folder that is younger may be about to get a file */
/* If a write failed although space is free (a quota, no more inodes), this much is deleted at once. */
#define URGENT_BYTES INT64_C(16777216)
enum { INODES_LEAST = 1000 };

struct retention {
    char *state_dir;
    struct store *store;
    struct events *events;
    struct evidence *evidence;
    struct heartbeats *heartbeats;
    struct heartbeat beat;
    pthread_t thread;

    /* The thread's own. */
    struct database *database;          /* to read; NULL: not open */
    unsigned generation;                /* of the database */
    struct evidence_tree tree;
    bool has_tree;
    int64_t walked_us;
    unsigned seen_made;                 /* files that evidence had made at the last walk */
    uint64_t seen_failures;             /* of the store at the last look */
    uint64_t reconciled;                /* rows up to this alert have their files; UINT64_MAX: all */
    struct adoption adoption;           /* of files without a row */
    struct retention_alarm alarm;
    bool is_nearly_short;
    bool is_failing;                    /* the last look failed, which the log says once */

    struct lock lock;                   /* guards all below */
    pthread_cond_t wake;
    struct config_retention config;
    struct retention_stats stats;
    bool stop;
};

/* The disk at one moment. */
struct disk {
    struct retention_limits limits;
    int64_t free_bytes;
    bool is_short;                      /* a write failed for want of space, or there are hardly inodes left */
};

static void step_begins(void *arg)
{
    struct retention *retention = arg;
    heartbeat_until(&retention->beat, monotonic_us() + STEP_US);
}

/* ---- the disk --------------------------------------------------------------------------------------------------------- */

static int look_at_disk(struct retention *retention, struct disk *ret, struct error *err)
{
    struct statvfs disk;
    struct store_stats store;
    struct config_retention config;
    step_begins(retention);
    if (statvfs(retention->state_dir, &disk) < 0)
        return error_set(err, -errno, "%s: %s", retention->state_dir, strerror(errno));
    store_stats(retention->store, &store);
    lock_take(&retention->lock);
    config = retention->config;
    int64_t free_bytes = retention->stats.free_bytes = (int64_t)disk.f_bavail * (int64_t)disk.f_frsize;
    lock_give(&retention->lock);
    int64_t inodes = (int64_t)disk.f_files / 20 < INODES_LEAST ? (int64_t)disk.f_files / 20 : INODES_LEAST;
    *ret = (struct disk){.limits = retention_limits(&config, (int64_t)disk.f_blocks * (int64_t)disk.f_frsize),
                         .free_bytes = free_bytes,
                         .is_short = (int64_t)disk.f_favail < inodes};
    ret->is_short |= evidence_take_no_space(retention->evidence);
    ret->is_short |= store.no_space && store.failures != retention->seen_failures;
    retention->seen_failures = store.failures;
    return 0;
}

/* ---- the database ----------------------------------------------------------------------------------------------------- */

static int open_reader(struct retention *retention, struct error *err)
{
    unsigned generation = store_generation(retention->store);
    if (retention->database && generation == retention->generation)
        return 0;
    database_close(retention->database);
    retention->database = NULL;
    retention->generation = generation;
    return database_open_reader(&retention->database, retention->state_dir, err);
}

static int read_held(struct retention *retention, uint64_t alert, bool *ret, struct error *err)
{
    int r = open_reader(retention, err);
    return r < 0 ? r : evidence_rows_held(retention->database, alert, ret, err);
}

static bool has_file(int state_dir, const struct evidence_row *rows, size_t n)
{
    struct stat file;
    for (size_t i = 0; i < n; i++)
        if (fstatat(state_dir, rows[i].path, &file, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT)
            return true;
    return false;
}

/* Returns true if the alert had a file of any name when the files were looked at last. */
static bool is_in_tree(const struct evidence_tree *tree, uint64_t alert)
{
    bool found = false;
    for (size_t i = 0; i < tree->n && !found; i++)
        found = tree->alerts[i].id == alert && tree->alerts[i].files > 0;
    return found;
}

/* Removes rows whose files a crash, or somebody else, has deleted. It goes on at the next look where the store takes no more. */
static int reconcile(struct retention *retention, struct error *err)
{
    struct evidence_row rows[EVIDENCE_KINDS];
    size_t n = 0;
    if (retention->reconciled == UINT64_MAX)
        return 0;
    int fd = open(retention->state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int r = fd < 0 ? error_set(err, -errno, "%s: %s", retention->state_dir, strerror(errno)) : open_reader(retention, err);
    while (r == 0) {
        step_begins(retention);
        r = evidence_rows_after(retention->database, retention->reconciled, rows, &n, err);
        if (r < 0 || (n > 0 && !has_file(fd, rows, n) && !is_in_tree(&retention->tree, rows[0].alert) &&
                      store_evidence_gone(retention->store, rows[0].alert) < 0))
            break;
        retention->reconciled = n > 0 ? rows[0].alert : UINT64_MAX;
        if (n == 0)
            break;
    }
    if (fd >= 0)
        close(fd);
    return r;
}

static void add_row(void *arg, const struct evidence_row *row)
{
    struct retention *retention = arg;
    store_add_evidence(retention->store, row);
}

/* Gives rows to files that have none. It goes on at the next look, and waits while the store has much to write. */
static int adopt(struct retention *retention, struct error *err)
{
    struct adoption *adoption = &retention->adoption;
    struct store_stats store;
    store_stats(retention->store, &store);
    if (adoption->below == 0 || store.events_queued >= ADOPTION_ALERTS)
        return 0;
    int r = open_reader(retention, err);
    if (r == 0)
        r = adoption_step(adoption, &(struct adoption_options){.state_dir = retention->state_dir, .database = retention->database,
                                                               .tree = &retention->tree, .step = step_begins, .add = add_row,
                                                               .arg = retention}, err);
    if (adoption->below == 0 && adoption->files > 0) {
        struct log_number files;
        log_event(LOG_NOTICE, "evidence_adopted", "files", log_int(&files, adoption->files), "reason",
                  "the database did not know them, because memaed ended while they were made", NULL);
    }
    return r;
}

/* ---- the files -------------------------------------------------------------------------------------------------------- */

static void count_tree(struct retention *retention)
{
    struct evidence_tree *tree = &retention->tree;
    evidence_tree_sum(tree);
    int64_t oldest_us = 0;
    for (size_t i = 0; i < tree->n && oldest_us == 0; i++)
        if (tree->alerts[i].files > 0)
            oldest_us = (int64_t)tree->alerts[i].id * 1000;
    lock_take(&retention->lock);
    retention->stats.bytes = tree->bytes;
    retention->stats.files = tree->files;
    retention->stats.oldest_us = oldest_us;
    lock_give(&retention->lock);
}

static int walk(struct retention *retention, struct error *err)
{
    struct evidence_tree tree;
    unsigned made = evidence_made_files(retention->evidence);
    int r = evidence_tree_read(&tree, retention->state_dir, step_begins, retention, err);
    for (size_t i = 0; r == 0 && i < tree.n; i++) {
        step_begins(retention);
        r = read_held(retention, tree.alerts[i].id, &tree.alerts[i].held, err);
        if (r < 0)
            evidence_tree_clear(&tree);
    }
    if (r < 0)
        return r;
    evidence_tree_clear(&retention->tree);
    retention->tree = tree;
    retention->has_tree = true;
    retention->walked_us = monotonic_us();
    retention->seen_made = made;
    count_tree(retention);
    return 0;
}

static bool is_walk_due(const struct retention *retention)
{
    int64_t age_us = monotonic_us() - retention->walked_us;
    return !retention->has_tree || age_us >= WALK_US ||
           (age_us >= SOON_US && retention->seen_made != evidence_made_files(retention->evidence));
}

static void count_pruned(struct retention *retention, enum retention_reason reason)
{
    lock_take(&retention->lock);
    retention->stats.pruned[reason]++;
    lock_give(&retention->lock);
}

static void log_pruned(const struct retention *retention, size_t i)
{
    const struct retention_alert *alert = &retention->tree.alerts[i];
    struct log_number id, bytes, files;
    log_event(LOG_INFO, "evidence_pruned", "camera", retention->tree.cameras[retention->tree.folders[i].camera], "alert",
              log_int(&id, (long long)alert->id), "why", retention_reason_name(alert->reason), "files",
              log_int(&files, alert->files), "bytes", log_int(&bytes, (long long)alert->bytes), NULL);
}

/* Deletes the files of alert i, which was chosen. 1: it is held or busy, and stays; 0; -errno. */
static int prune_one(struct retention *retention, size_t i, struct error *err)
{
    struct retention_alert *alert = &retention->tree.alerts[i];
    step_begins(retention);
    int r = read_held(retention, alert->id, &alert->held, err);
    if (r < 0 || alert->held)
        return r < 0 ? r : 1;
    alert->busy = alert->files == 0 && utc_us() - (int64_t)alert->id * 1000 < YOUNG_US;
    if (!alert->busy) {
        r = evidence_tree_delete(&retention->tree, i, retention->state_dir, err);
        alert->busy = r == -EBUSY;
    }
    if (r < 0 || alert->busy)
        return alert->busy ? 1 : r;
    if (alert->files > 0) {
        log_pruned(retention, i);
        count_pruned(retention, alert->reason);
        if (store_evidence_gone(retention->store, alert->id) < 0)
            retention->reconciled = 0;  /* the store takes no more now: its rows are found later */
    }
    alert->bytes = -1;
    return 0;
}

/* Deletes what the policy chooses; again, while something that it chose has to stay. *for_space: some went for want of space. */
static int prune(struct retention *retention, const struct disk *disk, bool *for_space, struct error *err)
{
    struct evidence_tree *tree = &retention->tree;
    struct retention_limits limits = disk->limits;
    int64_t free_bytes = disk->free_bytes;
    bool again = true;
    int r = 0;
    if (disk->is_short && free_bytes >= limits.free_low) {
        limits.free_low = free_bytes + 1;
        limits.free_goal = free_bytes + URGENT_BYTES;
    }
    for (size_t i = 0; i < tree->n; i++)
        tree->alerts[i].busy = false;
    while (r >= 0 && again) {
        again = false;
        if (retention_choose(tree->alerts, tree->n, &limits, utc_us(), free_bytes) == 0)
            break;
        for (size_t i = 0; i < tree->n && r >= 0; i++) {
            if (tree->alerts[i].reason == RETENTION_STAYS)
                continue;
            int64_t bytes = tree->alerts[i].bytes;
            *for_space |= tree->alerts[i].reason == RETENTION_SPACE;
            r = prune_one(retention, i, err);
            again |= r == 1;
            free_bytes += r == 0 ? bytes : 0;
        }
        count_tree(retention);
    }
    return r < 0 ? r : 0;
}

/* ---- events ---------------------------------------------------------------------------------------------------------- */

static void tell(struct retention *retention, const struct retention_alarm *before, int64_t free_bytes)
{
    const struct retention_alarm *now = &retention->alarm;
    if (now->paused != before->paused) {
        evidence_pause(retention->evidence, now->paused);
        lock_take(&retention->lock);
        retention->stats.paused = now->paused;
        lock_give(&retention->lock);
    }
    const char *reason = now->paused && !before->paused
        ? "less is free on the disk than evidence.free_mib, and no evidence is left that may be deleted: no clip is written "
          "until there is room"
        : now->full && !before->full ? "the disk is short: the oldest evidence is deleted before its time" : NULL;
    if (reason)
        events_post(retention->events, &(struct event){.type = EVENT_STORAGE_FULL, .reason = reason,
                                                       .quantity = (double)free_bytes});
    else if (before->full && !now->full)
        events_post(retention->events, &(struct event){.type = EVENT_STORAGE_RECOVERED, .quantity = (double)free_bytes,
                                                       .reason = "there is room on the disk again"});
    else if (before->paused && !now->paused)
        log_event(LOG_NOTICE, "evidence_resumed", "reason", "there is room on the disk again", NULL);
}

/* ---- the thread ------------------------------------------------------------------------------------------------------- */

/* Looks at the files if it is time, and deletes what has to go. *disk is how it is then; *is_short: it was short. */
static int tidy(struct retention *retention, struct disk *disk, bool *is_short, struct error *err)
{
    bool for_space = false;
    int r = is_walk_due(retention) ? walk(retention, err) : 0;
    if (r == 0)
        r = prune(retention, disk, &for_space, err);
    *is_short |= for_space || disk->is_short;
    return r == 0 && for_space ? look_at_disk(retention, disk, err) : r;
}

static int look(struct retention *retention, struct error *err)
{
    struct disk disk;
    bool is_short = false;
    int r = look_at_disk(retention, &disk, err);
    if (r == 0)
        r = tidy(retention, &disk, &is_short, err);
    if (r == 0 && disk.free_bytes < disk.limits.free_low && monotonic_us() - retention->walked_us >= SOON_US) {
        retention->has_tree = false;    /* no more of the known files could be deleted */
        r = tidy(retention, &disk, &is_short, err);
    }
    if (r == 0)
        r = reconcile(retention, err);
    if (r == 0)
        r = adopt(retention, err);
    retention->is_nearly_short = disk.free_bytes < 3 * disk.limits.free_least;
    const struct retention_alarm before = retention->alarm;
    if (r == 0 && retention_alarm_step(&retention->alarm, &disk.limits, monotonic_us(), disk.free_bytes,
                                       is_short || disk.is_short))
        tell(retention, &before, disk.free_bytes);
    return r;
}

static bool wait_until(struct retention *retention, int64_t until_us)
{
    lock_take(&retention->lock);
    while (!retention->stop && lock_wait_until(&retention->lock, &retention->wake, until_us))
        ;
    bool goes_on = !retention->stop;
    lock_give(&retention->lock);
    return goes_on;
}

static void *run(void *arg)
{
    struct retention *retention = arg;
    do {
        struct error err;
        int r = look(retention, &err);
        if (r < 0 && !retention->is_failing)
            log_event(LOG_ERR, "retention_failed", "reason", err.text, NULL);
        else if (r == 0 && retention->is_failing)
            log_event(LOG_NOTICE, "retention_works_again", NULL);
        retention->is_failing = r < 0;
        heartbeat_idle(&retention->beat);
    } while (wait_until(retention, monotonic_us() + (retention->is_nearly_short ? LOOK_SHORT_US : LOOK_US)));
    database_close(retention->database);
    evidence_tree_clear(&retention->tree);
    return NULL;
}

int retention_open(struct retention **ret, const struct retention_options *options, struct error *err)
{
    struct retention *retention = calloc(1, sizeof *retention);
    char *state_dir = strdup(options->state_dir);
    if (!retention || !state_dir) {
        free(retention);
        free(state_dir);
        return error_set(err, -ENOMEM, "out of memory");
    }
    retention->state_dir = state_dir;
    retention->config = *options->config;
    retention->store = options->store;
    retention->events = options->events;
    retention->evidence = options->evidence;
    retention->heartbeats = options->heartbeats;
    retention->adoption.below = store_last_alert(options->store) + 1;
    lock_init(&retention->lock, LOCK_WAIT);
    lock_cond_init(&retention->wake);
    heartbeat_add(retention->heartbeats, &retention->beat, "retention");
    int r = thread_start(&retention->thread, "retention", run, retention);
    if (r < 0) {
        retention_close(retention);
        return error_set(err, r, "cannot start the retention thread: %s", strerror(-r));
    }
    *ret = retention;
    return 0;
}

bool retention_end(struct retention *retention, int64_t deadline_us)
{
    if (!retention)
        return true;
    lock_take(&retention->lock);
    retention->stop = true;
    pthread_cond_signal(&retention->wake);
    lock_give(&retention->lock);
    return thread_join(retention->thread, deadline_us);
}

void retention_close(struct retention *retention)
{
    if (!retention)
        return;
    heartbeat_remove(retention->heartbeats, &retention->beat);
    pthread_cond_destroy(&retention->wake);
    lock_destroy(&retention->lock);
    free(retention->state_dir);
    free(retention);
}

void retention_configure(struct retention *retention, const struct config_retention *config)
{
    lock_take(&retention->lock);
    retention->config = *config;
    lock_give(&retention->lock);
}

void retention_stats(struct retention *retention, struct retention_stats *ret)
{
    lock_take(&retention->lock);
    *ret = retention->stats;
    lock_give(&retention->lock);
}
