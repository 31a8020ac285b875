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

/* A window is expected within PATIENCE times the client's slowest so far, and not sooner than LEAST_PATIENCE_US. A
 * client's first window, for which no time is known, is expected within FIRST_WINDOW_US. */
#define LEAST_PATIENCE_US INT64_C(5000000)
#define FIRST_WINDOW_US INT64_C(120000000)
enum { PATIENCE = 20, ALIGNMENT = 64 };

/* A claimed window whose result has not been passed on. */
struct claimed {
    bool finished;
    struct scheduler_result result;
};

struct scheduled {
    struct scheduler_client client;
    uint64_t virtual_time;
    bool active;                /* had a window due when it was last looked at */
    bool leaving;               /* not chosen any more */
    uint64_t claimed, committed;        /* windows; claimed - committed <= capacity of `order` */
    int64_t slowest_us;         /* of its computed windows; 0: none yet */
    bool committing;            /* a worker is passing on results of this client */
    struct claimed order[];     /* [capacity]; the window with ticket t is at t % capacity */
};

struct worker {
    struct scheduler *scheduler;
    pthread_t thread;
    bool started, joined;
    void *workspace;            /* the worker's own */
    void *larger;               /* guarded by the scheduler's lock: taken over before the next window; or NULL */
    struct heartbeat beat;
};

struct scheduler {
    int n_workers;
    uint64_t capacity;          /* of each client's order */
    struct worker *workers;
    struct heartbeats *heartbeats;
    _Atomic uint64_t windows, busy_us;

    struct lock lock;           /* guards all below */
    pthread_cond_t due;
    pthread_cond_t settled;     /* a leaving client has no window left that runs */
    struct scheduled **clients;
    size_t n_clients, room;     /* room: of `clients` */
    size_t workspace_size;      /* of every worker */
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
    lock_cond_init(&scheduler->settled);
    scheduler->capacity = 2 * (uint64_t)options->workers;
    scheduler->heartbeats = options->heartbeats;
    scheduler->workers = calloc((size_t)options->workers, sizeof *scheduler->workers);
    if (!scheduler->workers) {
        scheduler_close(scheduler);
        return -ENOMEM;
    }
    scheduler->n_workers = options->workers;
    for (int i = 0; i < options->workers; i++) {
        char name[32];
        snprintf(name, sizeof name, "worker %d", i);
        scheduler->workers[i].scheduler = scheduler;
        if (options->heartbeats)
            heartbeat_add(options->heartbeats, &scheduler->workers[i].beat, name);
    }
    *ret = scheduler;
    return 0;
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

/* ---- clients come and go -------------------------------------------------------------------------------------------- */

static void free_all(void **buffers, int n)
{
    for (int i = 0; buffers && i < n; i++)
        free(buffers[i]);
    free(buffers);
}

/* Buffers of size bytes, one for each worker, resident from the start. NULL: out of memory. */
static void **new_workspaces(const struct scheduler *scheduler, size_t size)
{
    void **buffers = calloc((size_t)scheduler->n_workers, sizeof *buffers);
    size_t rounded = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    for (int i = 0; buffers && i < scheduler->n_workers; i++) {
        buffers[i] = aligned_alloc(ALIGNMENT, rounded);
        if (!buffers[i]) {
            free_all(buffers, scheduler->n_workers);
            return NULL;
        }
        memset(buffers[i], 0, rounded);
    }
    return buffers;
}

/* Sets each worker's `larger`. Afterwards buffers holds the previous `larger` of each, for the caller to free. */
static void hand_out_locked(struct scheduler *scheduler, void **buffers, size_t size)
{
    for (int i = 0; i < scheduler->n_workers; i++) {
        void *before = scheduler->workers[i].larger;
        scheduler->workers[i].larger = buffers[i];
        buffers[i] = before;
    }
    scheduler->workspace_size = size;
}

int scheduler_add(struct scheduler *scheduler, const struct scheduler_client *client, struct scheduled **ret)
{
    struct scheduled *added = calloc(1, sizeof *added + scheduler->capacity * sizeof added->order[0]);
    if (!added)
        return -ENOMEM;
    added->client = *client;
    /* Only the thread that adds and removes changes the size, so that it may be read here. */
    bool grows = client->workspace_size > scheduler->workspace_size;
    void **buffers = grows ? new_workspaces(scheduler, client->workspace_size) : NULL;
    if (grows && !buffers) {
        free(added);
        return -ENOMEM;
    }
    int r = 0;
    lock_take(&scheduler->lock);
    if (scheduler->n_clients == scheduler->room) {
        size_t room = scheduler->room ? 2 * scheduler->room : 16;
        struct scheduled **clients = realloc(scheduler->clients, room * sizeof *clients);
        if (clients) {
            scheduler->clients = clients;
            scheduler->room = room;
        } else {
            r = -ENOMEM;
        }
    }
    if (r == 0) {
        scheduler->clients[scheduler->n_clients++] = added;
        if (buffers)
            hand_out_locked(scheduler, buffers, client->workspace_size);
    }
    lock_give(&scheduler->lock);
    free_all(buffers, scheduler->n_workers);
    if (r == 0)
        *ret = added;
    else
        free(added);
    return r;
}

static bool is_settled_locked(const struct scheduled *client)
{
    return client->claimed == client->committed && !client->committing;
}

bool scheduler_remove(struct scheduler *scheduler, struct scheduled *client, int64_t deadline_us)
{
    lock_take(&scheduler->lock);
    client->leaving = true;
    while (!is_settled_locked(client) && lock_wait_until(&scheduler->lock, &scheduler->settled, deadline_us))
        ;
    bool gone = is_settled_locked(client);
    for (size_t i = 0; gone && i < scheduler->n_clients; i++)
        if (scheduler->clients[i] == client) {
            memmove(&scheduler->clients[i], &scheduler->clients[i + 1],
                    (scheduler->n_clients - i - 1) * sizeof scheduler->clients[0]);
            scheduler->n_clients--;
            break;
        }
    lock_give(&scheduler->lock);
    if (gone)
        free(client);
    return gone;
}

/* ---- the choice ----------------------------------------------------------------------------------------------------- */

static bool is_open_locked(const struct scheduler *scheduler, const struct scheduled *client)
{
    return client->claimed - client->committed < scheduler->capacity;
}

/* Notes whether the client has windows due, and lifts its virtual time if it had none. */
static bool refresh_locked(struct scheduler *scheduler, struct scheduled *client)
{
    bool due = frame_ring_waiting_since(client->client.ring) != INT64_MAX;
    if (due && !client->active && client->virtual_time < scheduler->virtual_time)
        client->virtual_time = scheduler->virtual_time;
    client->active = due;
    return due;
}

static struct scheduled *choose_locked(struct scheduler *scheduler)
{
    struct scheduled *best = NULL;
    int64_t best_since = INT64_MAX;
    for (size_t i = 0; i < scheduler->n_clients; i++) {
        struct scheduled *client = scheduler->clients[i];
        if (client->leaving || !refresh_locked(scheduler, client) || !is_open_locked(scheduler, client))
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

/* Claims the next window. Returns its client; NULL: none is due. */
static struct scheduled *claim_locked(struct scheduler *scheduler, struct frame_ring_window *window)
{
    struct scheduled *client;
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

/* Passes on the results that are next in order. If another worker is doing that, it passes on this one, too. */
static void commit_locked(struct scheduler *scheduler, struct scheduled *client)
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
    if (client->leaving && is_settled_locked(client))
        pthread_cond_broadcast(&scheduler->settled);
}

/* Returns how long the window took, waiting included; 0 where it was static. */
static int64_t run_window(struct worker *worker, const struct scheduled *client, struct frame_ring_window *window,
                          int64_t slowest_us, struct scheduler_result *ret)
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
    int64_t patience_us = slowest_us ? PATIENCE * slowest_us : FIRST_WINDOW_US;
    heartbeat_until(&worker->beat, start_us + (patience_us > LEAST_PATIENCE_US ? patience_us : LEAST_PATIENCE_US));
    client->client.run(client->client.arg, window, worker->workspace, ret);
    frame_ring_release(client->client.ring, window);
    if (ret->is_static)
        return 0;
    atomic_fetch_add(&scheduler->windows, 1);
    atomic_fetch_add(&scheduler->busy_us, (uint64_t)ret->computed_us);
    return monotonic_us() - start_us;
}

static void *worker_main(void *arg)
{
    struct worker *worker = arg;
    struct scheduler *scheduler = worker->scheduler;
    struct frame_ring_window window;

    lock_take(&scheduler->lock);
    while (!scheduler->stop) {
        struct scheduled *client = claim_locked(scheduler, &window);
        if (!client) {
            heartbeat_idle(&worker->beat);
            lock_wait(&scheduler->lock, &scheduler->due);
            continue;
        }
        if (worker->larger) {
            free(worker->workspace);
            worker->workspace = worker->larger;
            worker->larger = NULL;
        }
        /* Nobody else touches it before it is finished. */
        struct claimed *claimed = &client->order[window.ticket % scheduler->capacity];
        int64_t slowest_us = client->slowest_us;
        lock_give(&scheduler->lock);
        int64_t took_us = run_window(worker, client, &window, slowest_us, &claimed->result);
        lock_take(&scheduler->lock);
        if (took_us > client->slowest_us)
            client->slowest_us = took_us;
        claimed->finished = true;
        commit_locked(scheduler, client);
    }
    heartbeat_idle(&worker->beat);
    lock_give(&scheduler->lock);
    return NULL;
}

void scheduler_due(struct scheduler *scheduler, struct scheduled *client)
{
    lock_take(&scheduler->lock);
    refresh_locked(scheduler, client);
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
        struct worker *worker = &scheduler->workers[i];
        assert(!worker->started || worker->joined);
        if (scheduler->heartbeats)
            heartbeat_remove(scheduler->heartbeats, &worker->beat);
        free(worker->workspace);
        free(worker->larger);
    }
    for (size_t i = 0; i < scheduler->n_clients; i++)
        free(scheduler->clients[i]);
    pthread_cond_destroy(&scheduler->settled);
    pthread_cond_destroy(&scheduler->due);
    lock_destroy(&scheduler->lock);
    free(scheduler->clients);
    free(scheduler->workers);
    free(scheduler);
}

void scheduler_stats(struct scheduler *scheduler, struct scheduler_stats *ret)
{
    *ret = (struct scheduler_stats){.windows = atomic_load(&scheduler->windows),
                                    .seconds = (double)atomic_load(&scheduler->busy_us) / 1e6};
}
