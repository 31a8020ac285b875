/* Requests that wait for an answer from another thread. The web's thread adds a waiter and goes on. Any thread answers it
 * later. Then the web's thread takes the answer.
 *
 * From web_waiter_add() to web_waiter_answer() a waiter belongs to the thread that will answer. That thread may answer after
 * web_waiters_close(), too; the answer is then dropped. struct web_waiters is freed when it is closed and its last waiter is
 * answered. Unless it says otherwise, a function is for the web's thread. */
#ifndef MEMAED_WEB_WAITERS_H
#define MEMAED_WEB_WAITERS_H

#include <stdbool.h>

#include "web/answer.h"

struct web_waiters;
struct web_waiter;

int web_waiters_open(struct web_waiters **ret);             /* 0 or -errno */
/* After this, answers are dropped and owners are not used. Takes NULL. */
void web_waiters_close(struct web_waiters *waiters);
/* Readable while there may be an answer to take. Borrowed until close. */
int web_waiters_fd(const struct web_waiters *waiters);

/* web_waiters_take() gives owner back. NULL: out of memory. */
struct web_waiter *web_waiter_add(struct web_waiters *waiters, void *owner);
/* Removes a waiter that nobody will answer. */
void web_waiter_remove(struct web_waiter *waiter);
/* Answers the request: call it once. Takes *answer and waiter. Any thread; locks that it holds are of a rank below
 * LOCK_WAIT. */
void web_waiter_answer(struct web_waiter *waiter, struct web_answer *answer);
/* Gives the next answer to the caller, with the owner of its waiter. false: there is none, and the descriptor is no longer
 * readable. *owner and *answer are then untouched. */
bool web_waiters_take(struct web_waiters *waiters, void **owner, struct web_answer *answer);

#endif
