#include "web/waiters.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "io/base/lock.h"

struct web_waiter {
    struct web_waiters *waiters;
    void *owner;
    struct web_answer answer;
    struct web_waiter *next;        /* among the answered */
};

struct web_waiters {
    struct lock lock;               /* guards all below */
    int fd;                         /* eventfd; written before close only */
    bool closed;
    size_t references;              /* waiters without an answer, and one until close */
    struct web_waiter *first, **last;   /* answered, oldest first */
};

int web_waiters_open(struct web_waiters **ret)
{
    struct web_waiters *w = calloc(1, sizeof *w);
    if (!w)
        return -ENOMEM;
    w->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (w->fd < 0) {
        int r = -errno;
        free(w);
        return r;
    }
    lock_init(&w->lock, LOCK_WAIT);
    w->references = 1;
    w->last = &w->first;
    *ret = w;
    return 0;
}

/* Drops a reference. The caller holds the lock; this releases it. */
static void give_reference(struct web_waiters *w)
{
    bool last = --w->references == 0;
    lock_give(&w->lock);
    if (last) {
        lock_destroy(&w->lock);
        free(w);
    }
}

void web_waiters_close(struct web_waiters *w)
{
    if (!w)
        return;
    lock_take(&w->lock);
    w->closed = true;
    struct web_waiter *left = w->first;
    close(w->fd);
    give_reference(w);
    while (left) {
        struct web_waiter *next = left->next;
        web_answer_clear(&left->answer);
        free(left);
        left = next;
    }
}

int web_waiters_fd(const struct web_waiters *w)
{
    return w->fd;
}

struct web_waiter *web_waiter_add(struct web_waiters *w, void *owner)
{
    struct web_waiter *waiter = calloc(1, sizeof *waiter);
    if (!waiter)
        return NULL;
    waiter->waiters = w;
    waiter->owner = owner;
    lock_take(&w->lock);
    w->references++;
    lock_give(&w->lock);
    return waiter;
}

void web_waiter_remove(struct web_waiter *waiter)
{
    struct web_waiters *w = waiter->waiters;
    free(waiter);
    lock_take(&w->lock);
    give_reference(w);
}

void web_waiter_answer(struct web_waiter *waiter, struct web_answer *answer)
{
    struct web_waiters *w = waiter->waiters;
    lock_take(&w->lock);
    bool closed = w->closed;
    if (!closed) {
        waiter->answer = *answer;
        *w->last = waiter;
        w->last = &waiter->next;
        const uint64_t one = 1;
        while (write(w->fd, &one, sizeof one) < 0 && errno == EINTR)
            ;
    }
    give_reference(w);
    if (closed) {
        web_answer_clear(answer);
        free(waiter);
    }
}

bool web_waiters_take(struct web_waiters *w, void **owner, struct web_answer *answer)
{
    lock_take(&w->lock);
    struct web_waiter *waiter = w->first;
    if (waiter) {
        w->first = waiter->next;
        if (!w->first)
            w->last = &w->first;
    } else {
        uint64_t count;
        while (read(w->fd, &count, sizeof count) < 0 && errno == EINTR)
            ;
    }
    lock_give(&w->lock);
    if (!waiter)
        return false;
    *owner = waiter->owner;
    *answer = waiter->answer;
    free(waiter);
    return true;
}
