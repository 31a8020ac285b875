#include "daemon/pool.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/clock.h"
#include "daemon/thread.h"
#include "io/lock.h"

/* A window is expected within twenty times the slowest so far, and never sooner than this; the first one, which no time
 * is known of, within FIRST_WINDOW_US. */
#define LEAST_PATIENCE_US INT64_C(5000000)
#define FIRST_WINDOW_US INT64_C(120000000)
enum { PATIENCE = 20, ALIGNMENT = 64 };

/* A window that was claimed and whose result has not been passed on. */
struct claimed {
    bool finished;
    struct pool_result result;
};

struct client {
    struct pool_client client;
    uint64_t virtual_time;
    bool active;                /* was seen with a window due, and not without since */
    uint64_t claimed, committed;        /* windows; claimed - committed <= capacity of `order` */
    struct claimed *order;      /* window with ticket t at t % capacity */
    bool committing;            /* a worker is passing on results of this client */
};

struct worker {
    struct pool *pool;
    pthread_t thread;
    bool started, joined;
    void *workspace;
    struct heartbeat beat;
    int64_t slowest_us;         /* the worker's own */
};

struct pool {
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

int pool_open(struct pool **ret, const struct pool_options *options)
{
    if (options->workers < 1)
        return -EINVAL;
    struct pool *pool = calloc(1, sizeof *pool);
    if (!pool)
        return -ENOMEM;
    lock_init(&pool->lock, LOCK_POOL);
    lock_cond_init(&pool->due);
    pool->capacity = 2 * (uint64_t)options->workers;
    pool->workers = calloc((size_t)options->workers, sizeof *pool->workers);
    pool->clients = calloc(options->n_clients + 1, sizeof *pool->clients);
    if (!pool->workers || !pool->clients)
        goto fail;
    for (size_t i = 0; i < options->n_clients; i++) {
        pool->clients[i].client = options->clients[i];
        pool->n_clients++;
        pool->clients[i].order = calloc(pool->capacity, sizeof *pool->clients[i].order);
        if (!pool->clients[i].order)
            goto fail;
    }
    for (int i = 0; i < options->workers; i++) {
        struct worker *worker = &pool->workers[i];
        worker->pool = pool;
        pool->n_workers++;
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
        heartbeat_add(options->heartbeats, &pool->workers[i].beat, name);
    }
    *ret = pool;
    return 0;

fail:
    pool_close(pool);
    return -ENOMEM;
}

int pool_start(struct pool *pool)
{
    for (int i = 0; i < pool->n_workers; i++) {
        struct worker *worker = &pool->workers[i];
        char name[24];
        snprintf(name, sizeof name, "worker-%d", i);
        int r = thread_start(&worker->thread, name, worker_main, worker);
        if (r < 0) {
            pool_stop(pool);
            pool_join(pool, INT64_MAX);
            return r;
        }
        worker->started = true;
    }
    return 0;
}

static bool is_open_locked(const struct pool *pool, const struct client *client)
{
    return client->claimed - client->committed < pool->capacity;
}

/* Notes whether the client has windows due, and lifts it where it had none. */
static bool refresh_locked(struct pool *pool, struct client *client)
{
    bool due = ring_waiting_since(client->client.ring) != INT64_MAX;
    if (due && !client->active && client->virtual_time < pool->virtual_time)
        client->virtual_time = pool->virtual_time;
    client->active = due;
    return due;
}

static struct client *choose_locked(struct pool *pool)
{
    struct client *best = NULL;
    int64_t best_since = INT64_MAX;
    for (size_t i = 0; i < pool->n_clients; i++) {
        struct client *client = &pool->clients[i];
        if (!refresh_locked(pool, client) || !is_open_locked(pool, client))
            continue;
        int64_t since = ring_waiting_since(client->client.ring);
        if (!best || client->virtual_time < best->virtual_time ||
            (client->virtual_time == best->virtual_time && since < best_since)) {
            best = client;
            best_since = since;
        }
    }
    return best;
}

/* The next window by the choice above; NULL: none is due. */
static struct client *claim_locked(struct pool *pool, struct ring_window *window)
{
    struct client *client;
    while ((client = choose_locked(pool))) {
        /* Its decoder may have skipped the window since; then choose again. */
        if (!ring_claim(client->client.ring, window))
            continue;
        pool->virtual_time = client->virtual_time++;
        assert(window->ticket == client->claimed);
        client->claimed++;
        refresh_locked(pool, client);
        return client;
    }
    return NULL;
}

/* Passes on the results that are next in order, unless another worker is at it, who then takes this one along. */
static void commit_locked(struct pool *pool, struct client *client)
{
    if (client->committing)
        return;
    client->committing = true;
    while (client->committed < client->claimed && client->order[client->committed % pool->capacity].finished) {
        struct claimed *claimed = &client->order[client->committed % pool->capacity];
        lock_give(&pool->lock);
        client->client.commit(client->client.arg, &claimed->result);
        lock_take(&pool->lock);
        claimed->finished = false;
        bool was_open = is_open_locked(pool, client);
        client->committed++;
        if (!was_open)
            pthread_cond_broadcast(&pool->due);
    }
    client->committing = false;
}

static void run_window(struct worker *worker, const struct client *client, struct ring_window *window,
                       struct pool_result *ret)
{
    struct pool *pool = worker->pool;
    const struct ring_frame *centre = window->frames[client->client.length / 2];
    *ret = (struct pool_result){
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
    ring_release(client->client.ring, window);
    if (ret->is_static)
        return;                 /* tells nothing of how long a window takes */
    int64_t took_us = monotonic_us() - start_us;
    worker->slowest_us = took_us >= worker->slowest_us ? took_us + 1 : worker->slowest_us;
    atomic_fetch_add(&pool->windows, 1);
    atomic_fetch_add(&pool->busy_us, (uint64_t)took_us);
}

static void *worker_main(void *arg)
{
    struct worker *worker = arg;
    struct pool *pool = worker->pool;
    struct ring_window window;

    lock_take(&pool->lock);
    while (!pool->stop) {
        struct client *client = claim_locked(pool, &window);
        if (!client) {
            heartbeat_idle(&worker->beat);
            lock_wait(&pool->lock, &pool->due);
            continue;
        }
        /* Nobody else touches it before it is finished. */
        struct claimed *claimed = &client->order[window.ticket % pool->capacity];
        lock_give(&pool->lock);
        run_window(worker, client, &window, &claimed->result);
        lock_take(&pool->lock);
        claimed->finished = true;
        commit_locked(pool, client);
    }
    heartbeat_idle(&worker->beat);
    lock_give(&pool->lock);
    return NULL;
}

void pool_due(struct pool *pool, size_t i)
{
    lock_take(&pool->lock);
    refresh_locked(pool, &pool->clients[i]);
    pthread_cond_signal(&pool->due);
    lock_give(&pool->lock);
}

void pool_stop(struct pool *pool)
{
    lock_take(&pool->lock);
    pool->stop = true;
    pthread_cond_broadcast(&pool->due);
    lock_give(&pool->lock);
}

int pool_join(struct pool *pool, int64_t deadline_us)
{
    int running = 0;
    for (int i = 0; i < pool->n_workers; i++) {
        struct worker *worker = &pool->workers[i];
        if (worker->started && !worker->joined)
            worker->joined = thread_join(worker->thread, deadline_us);
        running += worker->started && !worker->joined;
    }
    return running;
}

void pool_close(struct pool *pool)
{
    if (!pool)
        return;
    for (int i = 0; i < pool->n_workers; i++) {
        assert(!pool->workers[i].started || pool->workers[i].joined);
        free(pool->workers[i].workspace);
    }
    for (size_t i = 0; i < pool->n_clients; i++)
        free(pool->clients[i].order);
    pthread_cond_destroy(&pool->due);
    lock_destroy(&pool->lock);
    free(pool->clients);
    free(pool->workers);
    free(pool);
}

void pool_stats(struct pool *pool, struct pool_stats *ret)
{
    *ret = (struct pool_stats){.windows = atomic_load(&pool->windows), .seconds = (double)atomic_load(&pool->busy_us) / 1e6};
}
