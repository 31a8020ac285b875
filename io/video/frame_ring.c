#include "io/video/frame_ring.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "io/base/lock.h"
#include "io/base/snapshot.h"

enum { ALIGNMENT = 64, MAX_FRAMES = 1 << 20 };

struct slot {
    struct frame_ring_frame frame;      /* first, so that a pointer to it is a pointer to the slot */
    int refs;                   /* one from `kept`, one from each window that holds the frame */
};

struct due_window {
    uint64_t index, sequence;
    int64_t due_us;
};

struct frame_ring {
    struct frame_ring_options options;
    size_t capacity;            /* of `kept` and of `due`: length + backlog */
    struct slot *slots;
    uint8_t *pixels;
    struct slot *filling;       /* the decoder thread's; NULL: none */

    struct lock lock;           /* guards the fields from here to `stats` */
    struct slot **free;
    size_t n_free;
    /* A ring of the needed frames, in order. The first one belongs to the oldest due window, or to the next window if none
     * is due. The frames of a window are neighbours. */
    struct slot **kept;
    size_t kept_head, n_kept;
    struct due_window *due;
    size_t due_head, n_due;
    uint64_t next_number;       /* number of the frame to be published next */
    uint64_t next_window;       /* index of the first window that may still become due */
    uint64_t sequence;          /* breaks so far */
    uint64_t claimed_sequence;  /* `sequence` of the window claimed last */
    int held;                   /* windows held by workers */
    struct frame_ring_stats stats;

    struct snapshot published;  /* a copy of `stats` for readers without the lock */
    _Atomic int64_t waiting_since;      /* as frame_ring_waiting_since() returns it */
};

/* Frames in `kept`, frames that only held windows need, and the frame being filled. */
static size_t slots_of(const struct frame_ring_options *o)
{
    return (size_t)o->length + (size_t)o->backlog + (size_t)o->readers * (size_t)o->length + 1;
}

static size_t pitch_of(const struct frame_ring_options *o)
{
    return (o->frame_size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

size_t frame_ring_bytes(const struct frame_ring_options *options)
{
    return slots_of(options) * pitch_of(options);
}

int frame_ring_open(struct frame_ring **ret, const struct frame_ring_options *options)
{
    const struct frame_ring_options *o = options;
    if (o->frame_size == 0 || o->frame_size > PTRDIFF_MAX / MAX_FRAMES - ALIGNMENT || o->length < 1 ||
        o->length > FRAME_RING_MAX_LENGTH || o->stride < 1 || o->backlog < 0 || o->readers < 1)
        return -EINVAL;
    size_t capacity = (size_t)o->length + (size_t)o->backlog, n_slots = slots_of(o), pitch = pitch_of(o);
    if (n_slots > MAX_FRAMES)
        return -EINVAL;

    struct frame_ring *ring = calloc(1, sizeof *ring);
    if (!ring)
        return -ENOMEM;
    lock_init(&ring->lock, LOCK_RING);
    ring->options = *o;
    ring->capacity = capacity;
    atomic_init(&ring->waiting_since, INT64_MAX);
    ring->slots = calloc(n_slots, sizeof *ring->slots);
    ring->free = calloc(n_slots, sizeof *ring->free);
    ring->kept = calloc(capacity, sizeof *ring->kept);
    ring->due = calloc(capacity, sizeof *ring->due);
    ring->pixels = o->memory ? o->memory : aligned_alloc(ALIGNMENT, n_slots * pitch);
    if (!ring->slots || !ring->free || !ring->kept || !ring->due || !ring->pixels) {
        frame_ring_close(ring);
        return -ENOMEM;
    }
    /* Touch the memory now, so that resident memory does not grow later. */
    memset(ring->pixels, 0, n_slots * pitch);
    for (size_t i = 0; i < n_slots; i++) {
        ring->slots[i].frame.pixels = ring->pixels + i * pitch;
        ring->free[ring->n_free++] = &ring->slots[i];
    }
    *ret = ring;
    return 0;
}

void frame_ring_close(struct frame_ring *ring)
{
    if (!ring)
        return;
    assert(ring->held == 0);
    lock_destroy(&ring->lock);
    if (!ring->options.memory)
        free(ring->pixels);
    free(ring->due);
    free(ring->kept);
    free(ring->free);
    free(ring->slots);
    free(ring);
}

static uint64_t first_frame(const struct frame_ring *ring, uint64_t window)
{
    return window * (uint64_t)ring->options.stride;
}

static void unref_locked(struct frame_ring *ring, struct slot *slot)
{
    assert(slot->refs > 0);
    if (--slot->refs == 0)
        ring->free[ring->n_free++] = slot;
}

/* Drops the frames at the head that no window needs any more. Returns how many. */
static size_t trim_locked(struct frame_ring *ring)
{
    uint64_t needed = first_frame(ring, ring->n_due ? ring->due[ring->due_head].index : ring->next_window);
    size_t n = 0;
    while (ring->n_kept && ring->kept[ring->kept_head]->frame.number < needed) {
        unref_locked(ring, ring->kept[ring->kept_head]);
        ring->kept_head = (ring->kept_head + 1) % ring->capacity;
        ring->n_kept--;
        n++;
    }
    return n;
}

static void pop_due_locked(struct frame_ring *ring)
{
    ring->due_head = (ring->due_head + 1) % ring->capacity;
    ring->n_due--;
}

static void skip_oldest_locked(struct frame_ring *ring)
{
    pop_due_locked(ring);
    ring->stats.windows_skipped++;
    ring->stats.frames_dropped += trim_locked(ring);
}

static void show_locked(struct frame_ring *ring)
{
    struct frame_ring_stats *s = &ring->stats;
    s->windows_pending = ring->n_due;
    assert(s->windows_due == s->windows_claimed + s->windows_skipped + s->windows_pending);
    snapshot_write(&ring->published, (uint64_t[]){s->frames, s->frames_dropped, s->windows_due, s->windows_claimed,
                                                  s->windows_skipped, s->windows_pending}, 6);
    atomic_store(&ring->waiting_since, ring->n_due ? ring->due[ring->due_head].due_us : INT64_MAX);
}

struct frame_ring_frame *frame_ring_frame(struct frame_ring *ring)
{
    if (!ring->filling) {
        lock_take(&ring->lock);
        assert(ring->n_free > 0);
        ring->filling = ring->free[--ring->n_free];
        lock_give(&ring->lock);
    }
    return &ring->filling->frame;
}

int frame_ring_publish(struct frame_ring *ring)
{
    struct slot *slot = ring->filling;
    assert(slot);
    ring->filling = NULL;

    int due = 0;
    lock_take(&ring->lock);
    slot->frame.number = ring->next_number++;
    slot->refs = 1;
    ring->stats.frames++;
    uint64_t start = first_frame(ring, ring->next_window);
    if (slot->frame.number < start) {
        unref_locked(ring, slot);           /* the stride exceeds the length, and no window holds this frame */
    } else {
        /* If no window were due, fewer frames than a window has would be kept. So one is due here. */
        while (ring->n_kept == ring->capacity)
            skip_oldest_locked(ring);
        ring->kept[(ring->kept_head + ring->n_kept++) % ring->capacity] = slot;
        if (slot->frame.number + 1 == start + (uint64_t)ring->options.length) {
            ring->due[(ring->due_head + ring->n_due++) % ring->capacity] =
                (struct due_window){.index = ring->next_window++, .sequence = ring->sequence, .due_us = slot->frame.due_us};
            ring->stats.windows_due++;
            due = 1;
        }
    }
    show_locked(ring);
    lock_give(&ring->lock);
    return due;
}

void frame_ring_break(struct frame_ring *ring)
{
    uint64_t stride = (uint64_t)ring->options.stride;
    lock_take(&ring->lock);
    ring->sequence++;
    ring->next_window = (ring->next_number + stride - 1) / stride;
    /* Drop the frames behind the last due window: windows that need them cannot become due any more. */
    uint64_t end = 0;
    if (ring->n_due)
        end = first_frame(ring, ring->due[(ring->due_head + ring->n_due - 1) % ring->capacity].index) +
              (uint64_t)ring->options.length;
    while (ring->n_kept) {
        struct slot *last = ring->kept[(ring->kept_head + ring->n_kept - 1) % ring->capacity];
        if (last->frame.number < end)
            break;
        unref_locked(ring, last);
        ring->n_kept--;
    }
    lock_give(&ring->lock);
}

bool frame_ring_claim(struct frame_ring *ring, struct frame_ring_window *ret)
{
    lock_take(&ring->lock);
    if (ring->n_due == 0) {
        lock_give(&ring->lock);
        return false;
    }
    assert(ring->held < ring->options.readers);
    ring->held++;
    const struct due_window *window = &ring->due[ring->due_head];
    ret->index = window->index;
    ret->gap_before = ring->stats.windows_claimed > 0 && window->sequence != ring->claimed_sequence;
    ret->ticket = ring->stats.windows_claimed++;
    ring->claimed_sequence = window->sequence;
    for (size_t i = 0; i < (size_t)ring->options.length; i++) {
        struct slot *slot = ring->kept[(ring->kept_head + i) % ring->capacity];
        assert(slot->frame.number == first_frame(ring, ret->index) + i);
        slot->refs++;
        ret->frames[i] = &slot->frame;
    }
    pop_due_locked(ring);
    trim_locked(ring);
    show_locked(ring);
    lock_give(&ring->lock);
    return true;
}

void frame_ring_release(struct frame_ring *ring, struct frame_ring_window *window)
{
    lock_take(&ring->lock);
    for (int i = 0; i < ring->options.length; i++) {
        unref_locked(ring, (struct slot *)window->frames[i]);
        window->frames[i] = NULL;
    }
    ring->held--;
    lock_give(&ring->lock);
}

int64_t frame_ring_waiting_since(struct frame_ring *ring)
{
    return atomic_load(&ring->waiting_since);
}

void frame_ring_skip_pending(struct frame_ring *ring)
{
    lock_take(&ring->lock);
    while (ring->n_due)
        skip_oldest_locked(ring);
    show_locked(ring);
    lock_give(&ring->lock);
}

void frame_ring_stats(struct frame_ring *ring, struct frame_ring_stats *ret)
{
    uint64_t w[6];
    snapshot_read(&ring->published, w, 6);
    *ret = (struct frame_ring_stats){.frames = w[0], .frames_dropped = w[1], .windows_due = w[2], .windows_claimed = w[3],
                                     .windows_skipped = w[4], .windows_pending = w[5]};
}
