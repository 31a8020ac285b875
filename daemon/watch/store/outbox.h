/* The outbox of webhooks (io/sinks/outbox.h) in the store's database. It reads by connections of its own, so that the sender
 * waits for no writer. Outcomes go to the store's thread (delivery.h), which writes them soon. Until then a note in
 * memory holds them, so that an entry that was delivered is not given again. If memaed is killed in between, the entry is sent
 * once more at the next start.
 *
 * Only events that are ready are given. While dead letters are made to wait again, or an endpoint is forgotten, the endpoint has
 * no entry; woken() is called once that is written. list_dead() returns only letters that are written. */
#ifndef MEMAED_DAEMON_WATCH_STORE_OUTBOX_H
#define MEMAED_DAEMON_WATCH_STORE_OUTBOX_H

#include "daemon/watch/store/store.h"

struct store_outbox;

/* scope: what the keys of its endpoints begin with; "": they have no ':'. It is static. Endpoints of other scopes are left alone.
 * woken(arg): the sender is to look for entries again (webhooks_wake()); on the store's thread, not after the store was silenced.
 * The store is borrowed until close, and lives until then. */
int store_outbox_open(struct store_outbox **ret, struct store *store, const char *scope, void (*woken)(void *arg), void *arg,
                      struct error *err);
void store_outbox_close(struct store_outbox *outbox);   /* takes NULL; the store's thread has ended */

/* The functions of outbox, which they borrow. */
struct outbox store_outbox(struct store_outbox *outbox);

#endif
