#include "daemon/watch/health/baselines.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/record.h"
#include "daemon/base/log.h"
#include "daemon/watch/health/baseline_file.h"
#include "io/base/clock.h"
#include "io/base/lock.h"
#include "io/base/new_file.h"
#include "io/base/read_file.h"
#include "io/base/thread.h"

#define WRITE_PATIENCE_US INT64_C(60000000)
/* The thread begins no file so short before it has to end. */
#define LAST_US INT64_C(50000)

static const char ending[] = ".baseline";

struct job {
    char camera[RECORD_NAME_SIZE];
    void *data;                 /* NULL: the file is to be deleted */
    size_t size;
    struct job *next;
};

struct baselines {
    char *folder;
    struct heartbeats *heartbeats;
    struct heartbeat beat;
    pthread_t thread;

    struct lock lock;           /* guards all below */
    pthread_cond_t wake;
    struct job *first;          /* that wait, one for each camera at most */
    struct job *at_hand;        /* NULL: none. The thread frees it. */
    bool stop;
    int64_t until_us;           /* once stop is set: no file is begun later */
};

static void job_free(struct job *job)
{
    if (job)
        free(job->data);
    free(job);
}

static int path_of(char ret[PATH_MAX], const struct baselines *baselines, const char *camera)
{
    return snprintf(ret, PATH_MAX, "%s/%s%s", baselines->folder, camera, ending) < PATH_MAX ? 0 : -ENAMETOOLONG;
}

/* ---- the thread ------------------------------------------------------------------------------------------------------- */

static int write_file(const struct baselines *baselines, const struct job *job, struct error *err)
{
    struct new_file file;
    char path[PATH_MAX];
    int r = path_of(path, baselines, job->camera);
    if (r == 0 && mkdir(baselines->folder, 0700) < 0 && errno != EEXIST)
        r = -errno;
    if (r < 0)
        return error_set(err, r, "%s: %s", baselines->folder, strerror(-r));
    if ((r = new_file_open(&file, path, true, err)) < 0)
        return r;
    if ((r = new_file_write(&file, job->data, job->size, err)) == 0)
        return new_file_commit(&file, err);
    new_file_abandon(&file);
    return r;
}

static int delete_file(const struct baselines *baselines, const struct job *job, struct error *err)
{
    char path[PATH_MAX];
    int r = path_of(path, baselines, job->camera);
    if (r == 0 && unlink(path) < 0 && errno != ENOENT)
        r = error_set(err, -errno, "%s: %s", path, strerror(errno));
    return r;
}

static void do_job(const struct baselines *baselines, const struct job *job)
{
    struct error err = {""};
    struct log_number bytes;
    int r = job->data ? write_file(baselines, job, &err) : delete_file(baselines, job, &err);
    if (r < 0)
        log_event(LOG_WARNING, "health_baseline_not_kept", "camera", job->camera, "reason", err.text, NULL);
    else if (job->data)
        log_event(LOG_DEBUG, "health_baseline_kept", "camera", job->camera, "bytes", log_int(&bytes, (long long)job->size), NULL);
}

/* Waits for a job, and takes it. false: the thread is to end. */
static bool take_job(struct baselines *baselines)
{
    lock_take(&baselines->lock);
    job_free(baselines->at_hand);
    baselines->at_hand = NULL;
    while (!baselines->first && !baselines->stop)
        lock_wait(&baselines->lock, &baselines->wake);
    struct job *job = baselines->first;
    bool goes_on = job && (!baselines->stop || monotonic_us() < baselines->until_us);
    if (goes_on) {
        baselines->first = job->next;
        baselines->at_hand = job;
    }
    lock_give(&baselines->lock);
    return goes_on;
}

static void *run(void *arg)
{
    struct baselines *baselines = arg;
    while (take_job(baselines)) {
        heartbeat_until(&baselines->beat, monotonic_us() + WRITE_PATIENCE_US);
        do_job(baselines, baselines->at_hand);
        heartbeat_idle(&baselines->beat);
    }
    return NULL;
}

/* ---- jobs ------------------------------------------------------------------------------------------------------------- */

static struct job *find_locked(struct baselines *baselines, const char *camera)
{
    struct job *job = baselines->first;
    while (job && strcmp(job->camera, camera) != 0)
        job = job->next;
    if (!job && baselines->at_hand && strcmp(baselines->at_hand->camera, camera) == 0)
        job = baselines->at_hand;
    return job;
}

static void add(struct baselines *baselines, const char *camera, void *data, size_t size)
{
    struct job *job = calloc(1, sizeof *job);
    if (!job) {                 /* the file before stays */
        free(data);
        return;
    }
    *job = (struct job){.data = data, .size = size};
    snprintf(job->camera, sizeof job->camera, "%s", camera);
    lock_take(&baselines->lock);
    struct job **at = &baselines->first, *replaced = NULL;
    while (*at && strcmp((*at)->camera, camera) != 0)
        at = &(*at)->next;
    replaced = *at;
    job->next = replaced ? replaced->next : NULL;
    *at = job;
    pthread_cond_signal(&baselines->wake);
    lock_give(&baselines->lock);
    job_free(replaced);
}

void baselines_keep(struct baselines *baselines, const char *camera, void *data, size_t size)
{
    add(baselines, camera, data, size);
}

void baselines_forget(struct baselines *baselines, const char *camera)
{
    add(baselines, camera, NULL, 0);
}

int baselines_read(struct baselines *baselines, const char *camera, void **ret, size_t *size, struct error *err)
{
    char path[PATH_MAX], *data = NULL;
    lock_take(&baselines->lock);
    const struct job *job = find_locked(baselines, camera);
    size_t n = job ? job->size : 0;
    if (job && job->data && (data = malloc(n)))
        memcpy(data, job->data, n);
    int r = !job ? 0 : !job->data ? -ENOENT : data ? 1 : -ENOMEM;
    lock_give(&baselines->lock);
    if (r == 0 && (r = path_of(path, baselines, camera)) == 0 && (r = read_file(&data, &n, path, BASELINE_FILE_MOST, err)) < 0)
        return r;
    if (r < 0)
        return error_set(err, r, "%s", strerror(-r));
    *ret = data;
    *size = n;
    return 0;
}

/* ---- opening and closing ---------------------------------------------------------------------------------------------- */

static bool is_of_camera(const char *file, const struct config *config)
{
    size_t n = strcspn(file, ".");
    for (size_t i = 0; i < config->n_cameras; i++)
        if (strlen(config->cameras[i].name) == n && memcmp(config->cameras[i].name, file, n) == 0)
            return true;
    return false;
}

/* Deletes the files of cameras that left the configuration, also those that a killed run left. */
static void delete_strays(const struct baselines *baselines, const struct config *config)
{
    DIR *dir = opendir(baselines->folder);
    for (struct dirent *e; dir && (e = readdir(dir));)
        if (strncmp(e->d_name + strcspn(e->d_name, "."), ending, sizeof ending - 1) == 0 && !is_of_camera(e->d_name, config))
            unlinkat(dirfd(dir), e->d_name, 0);
    if (dir)
        closedir(dir);
}

int baselines_open(struct baselines **ret, const struct baselines_options *options, struct error *err)
{
    struct baselines *baselines = calloc(1, sizeof *baselines);
    size_t size = strlen(options->state_dir) + sizeof "/health";
    char *folder = malloc(size);
    if (!baselines || !folder) {
        free(baselines);
        free(folder);
        return error_set(err, -ENOMEM, "out of memory");
    }
    snprintf(folder, size, "%s/health", options->state_dir);
    baselines->folder = folder;
    baselines->heartbeats = options->heartbeats;
    lock_init(&baselines->lock, LOCK_WAIT);
    lock_cond_init(&baselines->wake);
    heartbeat_add(baselines->heartbeats, &baselines->beat, "baselines");
    delete_strays(baselines, options->config);
    int r = thread_start(&baselines->thread, "baselines", run, baselines);
    if (r < 0) {
        baselines_close(baselines);
        return error_set(err, r, "cannot start the baselines thread: %s", strerror(-r));
    }
    *ret = baselines;
    return 0;
}

bool baselines_end(struct baselines *baselines, int64_t deadline_us)
{
    if (!baselines)
        return true;
    lock_take(&baselines->lock);
    baselines->stop = true;
    baselines->until_us = deadline_us - LAST_US;
    pthread_cond_signal(&baselines->wake);
    lock_give(&baselines->lock);
    return thread_join(baselines->thread, deadline_us);
}

void baselines_close(struct baselines *baselines)
{
    if (!baselines)
        return;
    heartbeat_remove(baselines->heartbeats, &baselines->beat);
    job_free(baselines->at_hand);
    for (struct job *job = baselines->first, *next; job; job = next) {
        next = job->next;
        job_free(job);
    }
    pthread_cond_destroy(&baselines->wake);
    lock_destroy(&baselines->lock);
    free(baselines->folder);
    free(baselines);
}
