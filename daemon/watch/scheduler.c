#include "daemon/watch/scheduler.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/base/clock.h"
#include "io/base/lock.h"
#include "io/base/thread.h"

/* A window is expected within twenty times the slowest so far, and never sooner than this; the first one, which no time
 * is known of, within FIRST_WINDOW_US. */
#define LEAST_PATIENCE_US INT64_C(5000000)
#define FIRST_WINDOW_US INT64_C(120000000)
enum { PATIENCE = 20, ALIGNMENT = 64 };

/* A window that was claimed and whose result has not been passed on. */
struct claimed {
    bool finished;
    struct scheduler_result result;
};

struct client {
    struct scheduler_client client;
    uint64_t virtual_time;
    bool active;                /* was seen with a window due, and not without since */
    uint64_t claimed, committed;        /* windows; claimed - committed <= capacity of `order` */
    struct claimed *order;      /* window with ticket t at t % capacity */
    bool committing;            /* a worker is passing on results of this client */
};

struct worker {
    struct scheduler *scheduler;
    pthread_t thread;
    bool started, joined;
    void *workspace;
    struct heartbeat beat;
    int64_t slowest_us;         /* the worker's own */
};

struct scheduler {
    size_t n_clients;
    int n_workers;
    uint64_t capacity;          /* of each client's order */
    struct worker *workers;
    _Atomic uint64_t windows, busy_us;

    struct lock lock;           /* guards all below */
    pthread_cond_t due;
    struct client *clients;
    uint64_t virtual_time;      /* of the window claimed last, before it was counted */
    bool stop;
};

static void *worker_main(void *arg);

int scheduler_open(struct scheduler **ret, const struct scheduler_options *options)
{
    if (options->workers < 1)
        return -EINVAL;
    struct scheduler *scheduler = calloc(1, sizeof *scheduler);
    if (!scheduler)
        return -ENOMEM;
    lock_init(&scheduler->lock, LOCK_SCHEDULER);
    lock_cond_init(&scheduler->due);
    scheduler->capacity = 2 * (uint64_t)options->workers;
    scheduler->workers = calloc((size_t)options->workers, sizeof *scheduler->workers);
    scheduler->clients = calloc(options->n_clients + 1, sizeof *scheduler->clients);
    if (!scheduler->workers || !scheduler->clients)
        goto fail;
    for (size_t i = 0; i < options->n_clients; i++) {
        scheduler->clients[i].client = options->clients[i];
        scheduler->n_clients++;
        scheduler->clients[i].order = calloc(scheduler->capacity, sizeof *scheduler->clients[i].order);
        if (!scheduler->clients[i].order)
            goto fail;
    }
    for (int i = 0; i < options->workers; i++) {
        struct worker *worker = &scheduler->workers[i];
        worker->scheduler = scheduler;
        scheduler->n_workers++;
        if (options->workspace_size == 0)
            continue;
        size_t size = (options->workspace_size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
        worker->workspace = aligned_alloc(ALIGNMENT, size);
        if (!worker->workspace)
            goto fail;
        memset(worker->workspace, 0, size);     /* resident from the start */
    }
    for (int i = 0; options->heartbeats && i < options->workers; i++) {
        char name[32];
        snprintf(name, sizeof name, "worker %d", i);
        heartbeat_add(options->heartbeats, &scheduler->workers[i].beat, name);
    }
    *ret = scheduler;
    return 0;

fail:
    scheduler_close(scheduler);
    return -ENOMEM;
}

int scheduler_start(struct scheduler *scheduler)
{
    for (int i = 0; i < scheduler->n_workers; i++) {
        struct worker *worker = &scheduler->workers[i];
        char name[24];
        snprintf(name, sizeof name, "worker-%d", i);
        int r = thread_start(&worker->thread, name, worker_main, worker);
        if (r < 0) {
            scheduler_stop(scheduler);
            scheduler_join(scheduler, INT64_MAX);
            return r;
        }
        worker->started = true;
    }
    return 0;
}

static bool is_open_locked(const struct scheduler *scheduler, const struct client *client)
{
    return client->claimed - client->committed < scheduler->capacity;
}

/* Notes whether the client has windows due, and lifts it where it had none. */
static bool refresh_locked(struct scheduler *scheduler, struct client *client)
{
    bool due = frame_ring_waiting_since(client->client.ring) != INT64_MAX;
    if (due && !client->active && client->virtual_time < scheduler->virtual_time)
        client->virtual_time = scheduler->virtual_time;
    client->active = due;
    return due;
}

static struct client *choose_locked(struct scheduler *scheduler)
{
    struct client *best = NULL;
    int64_t best_since = INT64_MAX;
    for (size_t i = 0; i < scheduler->n_clients; i++) {
        struct client *client = &scheduler->clients[i];
        if (!refresh_locked(scheduler, client) || !is_open_locked(scheduler, client))
            continue;
        int64_t since = frame_ring_waiting_since(client->client.ring);
        if (!best || client->virtual_time < best->virtual_time ||
            (client->virtual_time == best->virtual_time && since < best_since)) {
            best = client;
            best_since = since;
        }
    }
    return best;
}

/* The next window by the choice above; NULL: none is due. */
static struct client *claim_locked(struct scheduler *scheduler, struct frame_ring_window *window)
{
    struct client *client;
    while ((client = choose_locked(scheduler))) {
        /* Its decoder may have skipped the window since; then choose again. */
        if (!frame_ring_claim(client->client.ring, window))
            continue;
        scheduler->virtual_time = client->virtual_time++;
        assert(window->ticket == client->claimed);
        client->claimed++;
        refresh_locked(scheduler, client);
        return client;
    }
    return NULL;
}

/* Passes on the results that are next in order, unless another worker is at it, who then takes this one along. */
static void commit_locked(struct scheduler *scheduler, struct client *client)
{
    if (client->committing)
        return;
    client->committing = true;
    while (client->committed < client->claimed && client->order[client->committed % scheduler->capacity].finished) {
        struct claimed *claimed = &client->order[client->committed % scheduler->capacity];
        lock_give(&scheduler->lock);
        client->client.commit(client->client.arg, &claimed->result);
        lock_take(&scheduler->lock);
        claimed->finished = false;
        bool was_open = is_open_locked(scheduler, client);
        client->committed++;
        if (!was_open)
            pthread_cond_broadcast(&scheduler->due);
    }
    client->committing = false;
}

static void run_window(struct worker *worker, const struct client *client, struct frame_ring_window *window,
                       struct scheduler_result *ret)
{
    struct scheduler *scheduler = worker->scheduler;
    const struct frame_ring_frame *centre = window->frames[client->client.length / 2];
    *ret = (struct scheduler_result){
        .window = window->index,
        .gap_before = window->gap_before,
        .frame = centre->number,
        .pts_us = centre->pts_us,
        .time_us = centre->time_us,
        .due_us = window->frames[client->client.length - 1]->due_us,
    };
    int64_t start_us = monotonic_us();
    int64_t patience_us = worker->slowest_us ? PATIENCE * worker->slowest_us : FIRST_WINDOW_US;
    heartbeat_until(&worker->beat, start_us + (patience_us > LEAST_PATIENCE_US ? patience_us : LEAST_PATIENCE_US));
    client->client.run(client->client.arg, window, worker->workspace, ret);
    frame_ring_release(client->client.ring, window);
    if (ret->is_static)
        return;                 /* tells nothing of how long a window takes */
    int64_t took_us = monotonic_us() - start_us;
    worker->slowest_us = took_us >= worker->slowest_us ? took_us + 1 : worker->slowest_us;
    atomic_fetch_add(&scheduler->windows, 1);
    atomic_fetch_add(&scheduler->busy_us, (uint64_t)took_us);
}

static void *worker_main(void *arg)
{
    struct worker *worker = arg;
    struct scheduler *scheduler = worker->scheduler;
    struct frame_ring_window window;

    lock_take(&scheduler->lock);
    while (!scheduler->stop) {
        struct client *client = claim_locked(scheduler, &window);
        if (!client) {
            heartbeat_idle(&worker->beat);
            lock_wait(&scheduler->lock, &scheduler->due);
            continue;
        }
        /* Nobody else touches it before it is finished. */
        struct claimed *claimed = &client->order[window.ticket % scheduler->capacity];
        lock_give(&scheduler->lock);
        run_window(worker, client, &window, &claimed->result);
        lock_take(&scheduler->lock);
        claimed->finished = true;
        commit_locked(scheduler, client);
    }
    heartbeat_idle(&worker->beat);
    lock_give(&scheduler->lock);
    return NULL;
}

void scheduler_due(struct scheduler *scheduler, size_t i)
{
    lock_take(&scheduler->lock);
    refresh_locked(scheduler, &scheduler->clients[i]);
    pthread_cond_signal(&scheduler->due);
    lock_give(&scheduler->lock);
}

void scheduler_stop(struct scheduler *scheduler)
{
    lock_take(&scheduler->lock);
    scheduler->stop = true;
    pthread_cond_broadcast(&scheduler->due);
    lock_give(&scheduler->lock);
}

int scheduler_join(struct scheduler *scheduler, int64_t deadline_us)
{
    int running = 0;
    for (int i = 0; i < scheduler->n_workers; i++) {
        struct worker *worker = &scheduler->workers[i];
        if (worker->started && !worker->joined)
            worker->joined = thread_join(worker->thread, deadline_us);
        running += worker->started && !worker->joined;
    }
    return running;
}

void scheduler_close(struct scheduler *scheduler)
{
    if (!scheduler)
        return;
    for (int i = 0; i < scheduler->n_workers; i++) {
        assert(!scheduler->workers[i].started || scheduler->workers[i].joined);
        free(scheduler->workers[i].workspace);
    }
    for (size_t i = 0; i < scheduler->n_clients; i++)
        free(scheduler->clients[i].order);
    pthread_cond_destroy(&scheduler->due);
    lock_destroy(&scheduler->lock);
    free(scheduler->clients);
    free(scheduler->workers);
    free(scheduler);
}

void scheduler_stats(struct scheduler *scheduler, struct scheduler_stats *ret)
{
    *ret = (struct scheduler_stats){.windows = atomic_load(&scheduler->windows), .seconds = (double)atomic_load(&scheduler->busy_us) / 1e6};
}
