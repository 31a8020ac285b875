/* Requests that wait for an answer from another thread. The web's thread adds a waiter and goes on; any thread answers it later;
 * the web's thread takes the answer.
 *
 * Who owns a waiter: from web_waiter_add() until web_waiter_answer() it belongs to whoever will answer, who may do so even after
 * web_waiters_close(). Then it is freed, at once after close, else by web_waiters_take(). struct web_waiters lives until it
 * was closed and its last waiter was answered. */
#ifndef MEMAED_WEB_WAITERS_H
#define MEMAED_WEB_WAITERS_H

#include <stdbool.h>

#include "web/answer.h"

struct web_waiters;
struct web_waiter;

int web_waiters_open(struct web_waiters **ret);             /* 0 or -errno */
/* From here on answers are dropped, and no owner is used any more. Takes NULL. */
void web_waiters_close(struct web_waiters *waiters);
/* Readable while there may be an answer to take. Borrowed until close. */
int web_waiters_fd(const struct web_waiters *waiters);

/* owner comes back from web_waiters_take(). NULL: out of memory. */
struct web_waiter *web_waiter_add(struct web_waiters *waiters, void *owner);
/* Takes back a waiter that nobody will answer. */
void web_waiter_remove(struct web_waiter *waiter);
/* Answers, once; takes *answer and frees waiter sooner or later. Any thread; holds no lock afterwards and takes a leaf only
 * (LOCK_WAIT). */
void web_waiter_answer(struct web_waiter *waiter, struct web_answer *answer);
/* The next answer, which is then the caller's, and the owner of its waiter. false: none is there; the descriptor is quiet again. */
bool web_waiters_take(struct web_waiters *waiters, void **owner, struct web_answer *answer);

#endif
