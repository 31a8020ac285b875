#include "io/video/packets/packet_ring.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "io/base/lock.h"

enum { FIRST_ROOM = 64 };

struct packet_ring {
    atomic_uint references;
    size_t max_bytes;
    int64_t keep_us;

    /* The writer's own. */
    struct packet_stream *stream;       /* NULL: none has begun */
    bool waits;                         /* for a key frame */

    struct lock lock;                   /* guards all below */
    struct packet **slots;              /* [room], a power of two; packet `number` lies at number % room */
    size_t room;
    uint64_t oldest, next;              /* numbers; the oldest is a key frame */
    size_t bytes;
    uint64_t too_large, losses;
};

int packet_ring_open(struct packet_ring **ret, size_t max_bytes, int64_t keep_us)
{
    struct packet_ring *ring = calloc(1, sizeof *ring);
    struct packet **slots = calloc(FIRST_ROOM, sizeof(struct packet *));
    if (!ring || !slots) {
        free(ring);
        free(slots);
        return -ENOMEM;
    }
    atomic_init(&ring->references, 1);
    ring->max_bytes = max_bytes;
    ring->keep_us = keep_us;
    ring->slots = slots;
    ring->room = FIRST_ROOM;
    ring->waits = true;
    lock_init(&ring->lock, LOCK_RING);
    *ret = ring;
    return 0;
}

struct packet_ring *packet_ring_ref(struct packet_ring *ring)
{
    atomic_fetch_add_explicit(&ring->references, 1, memory_order_relaxed);
    return ring;
}

void packet_ring_unref(struct packet_ring *ring)
{
    if (!ring || atomic_fetch_sub_explicit(&ring->references, 1, memory_order_acq_rel) > 1)
        return;
    for (uint64_t i = ring->oldest; i < ring->next; i++)
        packet_unref(ring->slots[i % ring->room]);
    packet_stream_unref(ring->stream);
    lock_destroy(&ring->lock);
    free(ring->slots);
    free(ring);
}

static struct packet *packet_locked(const struct packet_ring *ring, uint64_t number)
{
    return ring->slots[number % ring->room];
}

/* ---- the writer ------------------------------------------------------------------------------------------------------- */

int packet_ring_begin(struct packet_ring *ring, const struct packet_format *format, const void *extradata)
{
    struct packet_stream *stream = packet_format_fault(format) ? NULL : packet_stream_new(format, extradata);
    packet_stream_unref(ring->stream);
    ring->stream = stream;
    ring->waits = true;
    return stream ? 0 : packet_format_fault(format) ? -EINVAL : -ENOMEM;
}

void packet_ring_lose(struct packet_ring *ring)
{
    ring->waits = true;
    lock_take(&ring->lock);
    ring->losses++;
    lock_give(&ring->lock);
}

static bool has_room_locked(struct packet_ring *ring)
{
    if (ring->next - ring->oldest < ring->room)
        return true;
    struct packet **slots = calloc(2 * ring->room, sizeof(struct packet *));
    if (!slots)
        return false;
    for (uint64_t i = ring->oldest; i < ring->next; i++)
        slots[i % (2 * ring->room)] = packet_locked(ring, i);
    free(ring->slots);
    ring->slots = slots;
    ring->room *= 2;
    return true;
}

/* The number of the second key frame that is held; `next` where there is none. */
static uint64_t second_group_locked(const struct packet_ring *ring)
{
    uint64_t i = ring->oldest + 1;
    while (i < ring->next && !packet_locked(ring, i)->times.key)
        i++;
    return i;
}

static void drop_locked(struct packet_ring *ring, uint64_t until)
{
    for (; ring->oldest < until; ring->oldest++) {
        struct packet *packet = packet_locked(ring, ring->oldest);
        ring->bytes -= packet->size + PACKET_RING_OVERHEAD;
        packet_unref(packet);
    }
}

/* Drops what is too old or too much. */
static void shrink_locked(struct packet_ring *ring)
{
    while (ring->oldest < ring->next) {
        int64_t newest_us = packet_locked(ring, ring->next - 1)->times.arrival_us;
        uint64_t second = second_group_locked(ring);
        bool is_last = second == ring->next;
        bool is_old = !is_last && newest_us - packet_locked(ring, second)->times.arrival_us >= ring->keep_us;
        if (ring->bytes <= ring->max_bytes && !is_old)
            return;
        drop_locked(ring, second);
        if (is_last) {          /* a group that exceeds the ring alone */
            ring->too_large++;
            ring->waits = true;
        }
    }
}

int packet_ring_add(struct packet_ring *ring, const struct packet_times *times, const void *data, size_t size)
{
    if (!ring->stream || packet_fault(times, size))
        return -EINVAL;
    if (ring->waits && !times->key)
        return 0;
    struct packet *packet = packet_new(ring->stream, times, data, size);
    ring->waits = packet == NULL;
    if (!packet)
        return -ENOMEM;
    lock_take(&ring->lock);
    bool has_room = has_room_locked(ring);
    if (has_room) {
        ring->slots[ring->next++ % ring->room] = packet;
        ring->bytes += size + PACKET_RING_OVERHEAD;
        shrink_locked(ring);
    }
    lock_give(&ring->lock);
    if (has_room)
        return 0;
    ring->waits = true;
    packet_unref(packet);
    return -ENOMEM;
}

/* ---- readers ---------------------------------------------------------------------------------------------------------- */

uint64_t packet_ring_find(struct packet_ring *ring, int64_t at_us)
{
    lock_take(&ring->lock);
    uint64_t found = ring->oldest;
    for (uint64_t i = ring->oldest; i < ring->next && packet_locked(ring, i)->times.arrival_us <= at_us; i++)
        if (packet_locked(ring, i)->times.key)
            found = i;
    lock_give(&ring->lock);
    return found;
}

size_t packet_ring_take(struct packet_ring *ring, uint64_t *next, struct packet **ret, size_t max)
{
    size_t n = 0;
    lock_take(&ring->lock);
    if (*next < ring->oldest)
        *next = ring->oldest;
    while (n < max && *next < ring->next)
        ret[n++] = packet_ref(packet_locked(ring, (*next)++));
    lock_give(&ring->lock);
    return n;
}

void packet_ring_stats(struct packet_ring *ring, struct packet_ring_stats *ret)
{
    lock_take(&ring->lock);
    *ret = (struct packet_ring_stats){.packets = (size_t)(ring->next - ring->oldest), .bytes = ring->bytes,
                                      .too_large = ring->too_large, .losses = ring->losses};
    if (ret->packets > 0) {
        ret->newest_us = packet_locked(ring, ring->next - 1)->times.arrival_us;
        ret->span_us = ret->newest_us - packet_locked(ring, ring->oldest)->times.arrival_us;
    }
    lock_give(&ring->lock);
}
