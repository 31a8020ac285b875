#include "daemon/watch/store/outbox.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/watch/store/connection.h"
#include "io/base/lock.h"
#include "io/database/outbox_rows.h"

enum { NOTES_MAX = 256 };               /* of an endpoint; more are refused until the store has written some */

/* An event that was taken, or is dead, and of which the database does not know yet. */
struct note {
    int64_t seq;
    unsigned generation;
    bool is_dead;
};

struct mark {
    struct mark *next;
    char key[OUTBOX_KEY_SIZE];
    bool is_gone;                       /* the configuration does not have it any more */
    struct note notes[NOTES_MAX];
    size_t n_notes;
    bool reviving;                      /* DELIVERY_REVIVED is not written yet */
    int64_t forgotten;                  /* number of the latest DELIVERY_ENDPOINTS that forgets it; 0: none */
    unsigned failures;                  /* DELIVERY_FAILED, not written */
    uint64_t changes;                   /* of the notes */
    bool has_state;                     /* state was set in this run, and holds; else the database has it */
    struct outbox_state state;
    unsigned generation;                /* of the store, as the entry was read that was given last; the sender's thread alone */
};

struct store_outbox {
    struct store *store;
    const char *scope;
    void (*woken)(void *arg);
    void *arg;
    struct connection sender;           /* for the sender's thread */

    struct lock reading;                /* guards others: */
    struct connection others;           /* for counts and dead letters */

    struct lock lock;                   /* a leaf; guards: */
    struct mark *marks;
    int64_t orders, orders_written;     /* DELIVERY_ENDPOINTS; their numbers begin at 1 */
};

/* ---- marks ---------------------------------------------------------------------------------------------------------- */

static struct mark *find_locked(struct store_outbox *outbox, const char *key)
{
    struct mark *mark = outbox->marks;
    while (mark && strcmp(mark->key, key) != 0)
        mark = mark->next;
    return mark;
}

/* Returns true if the endpoint has no entry now, because its rows are about to change. */
static bool waits_locked(const struct store_outbox *outbox, const struct mark *mark)
{
    return mark->reviving || mark->forgotten > outbox->orders_written;
}

static struct mark *find_present_locked(struct store_outbox *outbox, const char *key)
{
    struct mark *mark = find_locked(outbox, key);
    return mark && !mark->is_gone ? mark : NULL;
}

/* The notes of an endpoint that a reader of the database needs. */
struct notes {
    size_t n, dead;
    int64_t seqs[NOTES_MAX];
    uint64_t changes;
    bool waits;
};

/* Takes the notes for a database of that generation. 0 or -ENOENT. */
static int take_notes(struct store_outbox *outbox, const char *key, unsigned generation, struct notes *ret)
{
    lock_take(&outbox->lock);
    const struct mark *mark = find_present_locked(outbox, key);
    *ret = (struct notes){.changes = mark ? mark->changes : 0, .waits = mark && waits_locked(outbox, mark)};
    for (size_t i = 0; mark && i < mark->n_notes; i++)
        if (mark->notes[i].generation == generation) {
            ret->seqs[ret->n++] = mark->notes[i].seq;
            ret->dead += mark->notes[i].is_dead;
        }
    lock_give(&outbox->lock);
    return mark ? 0 : -ENOENT;
}

static bool has_changed(struct store_outbox *outbox, const char *key, const struct notes *notes)
{
    lock_take(&outbox->lock);
    const struct mark *mark = find_present_locked(outbox, key);
    bool changed = mark && mark->changes != notes->changes;
    lock_give(&outbox->lock);
    return changed;
}

static bool is_noted(const struct notes *notes, int64_t seq)
{
    for (size_t i = 0; i < notes->n; i++)
        if (notes->seqs[i] == seq)
            return true;
    return false;
}

/* The endpoint's first row of which nothing is noted. 1, 0 or -errno. */
static int first_row(struct database *database, const char *key, const struct notes *notes, struct outbox_row *ret,
                     struct error *err)
{
    int64_t from = INT64_MIN;
    for (;;) {
        int r = outbox_rows_next(database, key, from, ret, err);
        if (r <= 0 || !is_noted(notes, ret->seq))
            return r;
        free(ret->body);
        from = ret->seq + 1;
    }
}

/* ---- what the store's thread has written ---------------------------------------------------------------------------- */

static void remove_note_locked(struct mark *mark, const struct delivery *delivery)
{
    for (size_t i = 0; i < mark->n_notes; i++)
        if (mark->notes[i].seq == delivery->seq && mark->notes[i].generation == delivery->generation) {
            mark->notes[i] = mark->notes[--mark->n_notes];
            mark->changes++;
            return;
        }
}

static void take_written(void *arg, const struct delivery *delivery)
{
    struct store_outbox *outbox = arg;
    bool wakes = delivery->kind == DELIVERY_REVIVED || delivery->kind == DELIVERY_ENDPOINTS;
    lock_take(&outbox->lock);
    struct mark *mark = find_locked(outbox, delivery->key);
    if (mark && (delivery->kind == DELIVERY_TAKEN || delivery->kind == DELIVERY_DEAD))
        remove_note_locked(mark, delivery);
    else if (mark && delivery->kind == DELIVERY_FAILED)
        mark->failures--;
    else if (mark && delivery->kind == DELIVERY_REVIVED)
        mark->reviving = false;
    else if (delivery->kind == DELIVERY_ENDPOINTS)
        outbox->orders_written = delivery->seq;
    lock_give(&outbox->lock);
    if (wakes)
        outbox->woken(outbox->arg);
}

static struct delivery *new_delivery(struct store_outbox *outbox, enum delivery_kind kind, const char *key)
{
    struct delivery *delivery = calloc(1, sizeof *delivery);
    if (delivery) {
        delivery->kind = kind;
        snprintf(delivery->key, sizeof delivery->key, "%s", key);
        delivery->written = take_written;
        delivery->arg = outbox;
    }
    return delivery;
}

/* ---- endpoints, the sender's thread --------------------------------------------------------------------------------- */

static bool is_among(const char *const *keys, size_t n, const char *key)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(keys[i], key) == 0)
            return true;
    return false;
}

static int copy_keys(struct delivery *delivery, const char *const *keys, size_t n)
{
    delivery->keys = calloc(n + 1, sizeof *delivery->keys);
    for (size_t i = 0; i < n && delivery->keys; i++) {
        delivery->keys[i] = strdup(keys[i]);
        if (!delivery->keys[i])
            return -ENOMEM;
        delivery->n_keys++;
    }
    return delivery->keys ? 0 : -ENOMEM;
}

/* Adds marks for the keys that have none. */
static int add_marks(struct store_outbox *outbox, const char *const *keys, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct mark *mark = calloc(1, sizeof *mark);
        if (!mark)
            return -ENOMEM;
        snprintf(mark->key, sizeof mark->key, "%s", keys[i]);
        mark->is_gone = true;           /* cleared once all of them have a mark */
        lock_take(&outbox->lock);
        bool is_new = !find_locked(outbox, keys[i]);
        if (is_new) {
            mark->next = outbox->marks;
            outbox->marks = mark;
        }
        lock_give(&outbox->lock);
        if (!is_new)
            free(mark);
    }
    return 0;
}

/* Frees marks that say nothing any more. */
static void drop_marks_locked(struct store_outbox *outbox)
{
    for (struct mark **at = &outbox->marks; *at;) {
        struct mark *mark = *at;
        if (!mark->is_gone || mark->n_notes || mark->failures || waits_locked(outbox, mark)) {
            at = &mark->next;
            continue;
        }
        *at = mark->next;
        free(mark);
    }
}

static int set_endpoints(void *context, const char *const *keys, size_t n)
{
    struct store_outbox *outbox = context;
    struct delivery *delivery = new_delivery(outbox, DELIVERY_ENDPOINTS, outbox->scope);
    int r = delivery && copy_keys(delivery, keys, n) == 0 ? add_marks(outbox, keys, n) : -ENOMEM;
    if (r < 0) {
        delivery_free(delivery);
        return r;
    }
    delivery->seq = outbox->orders + 1;         /* only this function changes it */
    if ((r = store_add_delivery(outbox->store, delivery)) < 0)
        return r;
    lock_take(&outbox->lock);
    outbox->orders++;
    for (struct mark *mark = outbox->marks; mark; mark = mark->next) {
        bool is_gone = !is_among(keys, n, mark->key);
        if (is_gone && !mark->is_gone) {
            mark->forgotten = outbox->orders;
            mark->has_state = true;
            mark->state = (struct outbox_state){0};
        }
        mark->is_gone = is_gone;
    }
    drop_marks_locked(outbox);
    lock_give(&outbox->lock);
    return 0;
}

static int get_state(void *context, const char *key, struct outbox_state *ret)
{
    struct store_outbox *outbox = context;
    struct error err = {""};
    lock_take(&outbox->lock);
    const struct mark *mark = find_present_locked(outbox, key);
    int r = mark ? 0 : -ENOENT;
    bool is_known = mark && mark->has_state;
    if (is_known)
        *ret = mark->state;
    lock_give(&outbox->lock);
    if (r < 0 || is_known)
        return r;
    struct outbox_rows_state state;
    r = connection_renew(&outbox->sender, outbox->store, &err);
    if (r == 0)
        r = outbox_rows_state(outbox->sender.database, key, &state, &err);
    if (r == 0) {
        *ret = (struct outbox_state){.disabled_us = state.disabled_us};
        snprintf(ret->reason, sizeof ret->reason, "%s", state.reason);
        snprintf(ret->mark, sizeof ret->mark, "%s", state.mark);
    }
    return connection_tell(&outbox->sender, r, &err);
}

static int set_state(struct store_outbox *outbox, struct delivery *delivery, const struct outbox_state *state)
{
    if (!delivery)
        return -ENOMEM;
    lock_take(&outbox->lock);
    struct mark *mark = find_present_locked(outbox, delivery->key);
    lock_give(&outbox->lock);
    if (!mark) {
        delivery_free(delivery);
        return -ENOENT;
    }
    int r = store_add_delivery(outbox->store, delivery);
    lock_take(&outbox->lock);           /* the mark stays: only this thread frees marks */
    if (r == 0) {
        mark->has_state = true;
        mark->state = *state;
    }
    lock_give(&outbox->lock);
    return r;
}

static int disable(void *context, const char *key, int64_t time_us, const char *reason, const char *mark)
{
    struct store_outbox *outbox = context;
    struct delivery *delivery = new_delivery(outbox, DELIVERY_DISABLED, key);
    struct outbox_state state = {.disabled_us = time_us};
    snprintf(state.reason, sizeof state.reason, "%s", reason);
    snprintf(state.mark, sizeof state.mark, "%s", mark);
    if (delivery) {
        delivery->time_us = time_us;
        memcpy(delivery->text, state.reason, sizeof delivery->text);
        memcpy(delivery->mark, state.mark, sizeof delivery->mark);
    }
    return set_state(outbox, delivery, &state);
}

static int enable(void *context, const char *key)
{
    struct store_outbox *outbox = context;
    return set_state(outbox, new_delivery(outbox, DELIVERY_ENABLED, key), &(struct outbox_state){0});
}

/* ---- entries, the sender's thread ----------------------------------------------------------------------------------- */

static int next(void *context, const char *key, struct outbox_entry *ret)
{
    struct store_outbox *outbox = context;
    struct outbox_row row;
    struct notes notes;
    struct error err = {""};
    int r = connection_renew(&outbox->sender, outbox->store, &err);
    if (r < 0)
        return connection_tell(&outbox->sender, r, &err);
    /* Notes first: what is noted then may be gone from the database now, but nothing is missing. */
    unsigned generation = outbox->sender.generation;
    r = take_notes(outbox, key, generation, &notes);
    if (r < 0 || notes.waits)
        return r;
    r = connection_tell(&outbox->sender, first_row(outbox->sender.database, key, &notes, &row, &err), &err);
    if (r <= 0)
        return r;
    if (!row.ready) {
        free(row.body);
        return 0;
    }
    lock_take(&outbox->lock);
    struct mark *mark = find_locked(outbox, key);
    mark->generation = generation;
    lock_give(&outbox->lock);
    *ret = (struct outbox_entry){.seq = (uint64_t)row.seq, .time_us = row.time_us, .queued_us = row.queued_us,
                                 .attempts = (unsigned)row.attempts, .due_us = row.due_us, .size = strlen(row.body),
                                 .body = row.body};
    snprintf(ret->id, sizeof ret->id, "%s", row.id);
    return 1;
}

/* Queues a delivery of the entry that was given last, with its note. */
static int settle(struct store_outbox *outbox, struct delivery *delivery)
{
    if (!delivery)
        return -ENOMEM;
    int r = 0;
    lock_take(&outbox->lock);
    struct mark *mark = find_present_locked(outbox, delivery->key);
    if (!mark) {
        r = -ENOENT;
    } else if (delivery->kind == DELIVERY_FAILED) {
        r = mark->failures < NOTES_MAX ? 0 : -EAGAIN;
        mark->failures += r == 0;
    } else if (mark->n_notes == NOTES_MAX) {
        r = -EAGAIN;
    } else {
        mark->notes[mark->n_notes++] = (struct note){.seq = delivery->seq, .generation = mark->generation,
                                                     .is_dead = delivery->kind == DELIVERY_DEAD};
        mark->changes++;
    }
    if (r == 0)
        delivery->generation = mark->generation;
    const struct delivery copy = *delivery;
    lock_give(&outbox->lock);
    if (r < 0) {
        delivery_free(delivery);
        return r;
    }
    r = store_add_delivery(outbox->store, delivery);
    if (r < 0)
        take_written(outbox, &copy);    /* nothing is to be written */
    return r;
}

static struct delivery *new_outcome(struct store_outbox *outbox, enum delivery_kind kind, const char *key, uint64_t seq,
                                    unsigned attempts, int64_t time_us, const char *text)
{
    struct delivery *delivery = new_delivery(outbox, kind, key);
    if (delivery) {
        delivery->seq = (int64_t)seq;
        delivery->attempts = attempts;
        delivery->time_us = time_us;
        snprintf(delivery->text, sizeof delivery->text, "%s", text);
    }
    return delivery;
}

static int delivered(void *context, const char *key, uint64_t seq, int64_t time_us)
{
    return settle(context, new_outcome(context, DELIVERY_TAKEN, key, seq, 0, time_us, ""));
}

static int failed(void *context, const char *key, uint64_t seq, unsigned attempts, int64_t due_us, const char *cause)
{
    return settle(context, new_outcome(context, DELIVERY_FAILED, key, seq, attempts, due_us, cause));
}

static int dead(void *context, const char *key, uint64_t seq, unsigned attempts, int64_t time_us, const char *reason)
{
    return settle(context, new_outcome(context, DELIVERY_DEAD, key, seq, attempts, time_us, reason));
}

/* ---- any thread ----------------------------------------------------------------------------------------------------- */

/* Reads counts, and the oldest row, of one moment of the database. */
static int read_counts(struct database *database, const char *key, const struct notes *notes, struct outbox_counts *ret,
                       struct error *err)
{
    struct outbox_rows_counts rows;
    struct outbox_row oldest;
    int r = outbox_rows_counts(database, key, &rows, err);
    int found = r < 0 ? r : first_row(database, key, notes, &oldest, err);
    if (found < 0)
        return found;
    *ret = (struct outbox_counts){.queued = (uint64_t)rows.queued > notes->n ? (uint64_t)rows.queued - notes->n : 0,
                                  .dead = (uint64_t)rows.dead + notes->dead, .oldest_us = found ? oldest.queued_us : 0};
    if (found)
        free(oldest.body);
    return 0;
}

static int counts(void *context, const char *key, struct outbox_counts *ret)
{
    enum { TRIES = 16 };
    struct store_outbox *outbox = context;
    struct error err = {""};
    struct notes notes;
    lock_take(&outbox->reading);
    int r = connection_tell(&outbox->others, connection_renew(&outbox->others, outbox->store, &err), &err);
    for (int i = 0; i < TRIES && r == 0; i++) {         /* ends when notes and rows are of the same moment */
        r = take_notes(outbox, key, outbox->others.generation, &notes);
        if (r == 0)
            r = connection_tell(&outbox->others, read_counts(outbox->others.database, key, &notes, ret, &err), &err);
        if (r < 0 || !has_changed(outbox, key, &notes))
            break;
    }
    lock_give(&outbox->reading);
    return r;
}

/* The sender's thread. An order that is not written yet serves a second call, too: no entry is given until then, so none dies. */
static int retry_dead(void *context, const char *key, int64_t time_us)
{
    struct store_outbox *outbox = context;
    struct outbox_counts now;
    int r = counts(outbox, key, &now);
    if (r < 0 || now.dead == 0)
        return r;
    lock_take(&outbox->lock);
    struct mark *mark = find_locked(outbox, key);
    bool is_ordered = mark->reviving;
    mark->reviving = true;
    lock_give(&outbox->lock);
    if (is_ordered)
        return (int)now.dead;
    struct delivery *delivery = new_delivery(outbox, DELIVERY_REVIVED, key);
    if (delivery)
        delivery->time_us = time_us;
    r = delivery ? store_add_delivery(outbox->store, delivery) : -ENOMEM;
    if (r < 0) {
        lock_take(&outbox->lock);
        mark->reviving = false;         /* the mark stays: only this thread frees marks */
        lock_give(&outbox->lock);
    }
    return r < 0 ? r : (int)now.dead;
}

struct letters {
    struct outbox_dead *list;
    size_t n, max;
    bool short_of_memory;
};

static bool add_letter(void *arg, const struct outbox_dead_row *row)
{
    struct letters *letters = arg;
    if (letters->n == letters->max)
        return false;
    struct outbox_dead *list = realloc(letters->list, (letters->n + 1) * sizeof *list);
    char *body = strdup(row->body);
    if (list)
        letters->list = list;
    if (!list || !body) {
        free(body);
        letters->short_of_memory = true;
        return false;
    }
    struct outbox_dead *letter = &list[letters->n++];
    *letter = (struct outbox_dead){.seq = (uint64_t)row->seq, .time_us = row->time_us, .died_us = row->died_us,
                                   .attempts = (unsigned)row->attempts, .body = body};
    snprintf(letter->id, sizeof letter->id, "%s", row->id);
    snprintf(letter->reason, sizeof letter->reason, "%s", row->reason);
    return true;
}

static int list_dead(void *context, const char *key, struct outbox_dead **ret, size_t max)
{
    struct store_outbox *outbox = context;
    struct letters letters = {.max = max};
    struct error err = {""};
    lock_take(&outbox->lock);
    bool is_there = find_present_locked(outbox, key);
    lock_give(&outbox->lock);
    if (!is_there)
        return -ENOENT;
    lock_take(&outbox->reading);
    int r = connection_renew(&outbox->others, outbox->store, &err);
    if (r == 0)
        r = outbox_rows_each_dead(outbox->others.database, key, add_letter, &letters, &err);
    connection_tell(&outbox->others, r, &err);
    lock_give(&outbox->reading);
    if (r == 0 && letters.short_of_memory)
        r = -ENOMEM;
    if (r < 0) {
        outbox_dead_free(letters.list, letters.n);
        return r;
    }
    *ret = letters.list;
    return (int)letters.n;
}

/* ---- life ----------------------------------------------------------------------------------------------------------- */

struct outbox store_outbox(struct store_outbox *outbox)
{
    return (struct outbox){.context = outbox, .endpoints = set_endpoints, .state = get_state, .disable = disable,
                           .enable = enable, .next = next, .delivered = delivered, .failed = failed, .dead = dead,
                           .retry_dead = retry_dead, .counts = counts, .list_dead = list_dead};
}

int store_outbox_open(struct store_outbox **ret, struct store *store, const char *scope, void (*woken)(void *arg), void *arg,
                      struct error *err)
{
    struct store_outbox *outbox = calloc(1, sizeof *outbox);
    if (!outbox)
        return error_set(err, -ENOMEM, "out of memory");
    lock_init(&outbox->reading, LOCK_DATABASE);
    lock_init(&outbox->lock, LOCK_VIEW);
    outbox->store = store;
    outbox->scope = scope;
    outbox->woken = woken;
    outbox->arg = arg;
    *ret = outbox;
    return 0;
}

void store_outbox_close(struct store_outbox *outbox)
{
    if (!outbox)
        return;
    connection_close(&outbox->sender);
    connection_close(&outbox->others);
    while (outbox->marks) {
        struct mark *mark = outbox->marks;
        outbox->marks = mark->next;
        free(mark);
    }
    lock_destroy(&outbox->reading);
    lock_destroy(&outbox->lock);
    free(outbox);
}
