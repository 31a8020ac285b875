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
    struct packet_stream *streams[2];   /* by enum packet_kind; NULL: none has begun */
    bool waits;                         /* for a key frame */

    struct lock lock;                   /* guards all below */
    struct packet **slots;              /* [room], a power of two; packet `number` lies at number % room */
    size_t room;
    uint64_t oldest, next;              /* numbers; the oldest is a key frame */
    size_t bytes, audio_bytes;
    int64_t newest_us;                  /* arrival of the newest packet of the video */
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
    packet_stream_unref(ring->streams[PACKET_VIDEO]);
    packet_stream_unref(ring->streams[PACKET_AUDIO]);
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
    const bool audio = format->kind == PACKET_AUDIO, is_valid = !packet_format_fault(format);
    struct packet_stream **stream = &ring->streams[audio ? PACKET_AUDIO : PACKET_VIDEO];
    packet_stream_unref(*stream);
    *stream = is_valid ? packet_stream_new(format, extradata) : NULL;
    if (!audio)
        ring->waits = true;
    return *stream ? 0 : is_valid ? -ENOMEM : -EINVAL;
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
        ring->audio_bytes -= packet->times.audio ? packet->size + PACKET_RING_OVERHEAD : 0;
        packet_unref(packet);
    }
}

/* Drops what is too old or too much. */
static void shrink_locked(struct packet_ring *ring)
{
    while (ring->oldest < ring->next) {
        uint64_t second = second_group_locked(ring);
        bool is_last = second == ring->next;
        bool is_old = !is_last && ring->newest_us - packet_locked(ring, second)->times.arrival_us >= ring->keep_us;
        if (ring->bytes - ring->audio_bytes <= ring->max_bytes && !is_old)
            return;
        drop_locked(ring, second);
        if (is_last) {          /* a group that exceeds the ring alone */
            ring->too_large++;
            ring->waits = true;
        }
    }
}

/* Takes over the packet. false: there is no memory, and it is freed. */
static bool take_packet(struct packet_ring *ring, struct packet *packet)
{
    size_t bytes = packet->size + PACKET_RING_OVERHEAD;
    bool audio = packet->times.audio;
    lock_take(&ring->lock);
    bool is_kept = !audio || ring->audio_bytes + bytes <= ring->max_bytes / PACKET_RING_AUDIO_SHARE;
    bool has_room = !is_kept || has_room_locked(ring);
    if (is_kept && has_room) {
        ring->slots[ring->next++ % ring->room] = packet;
        ring->bytes += bytes;
        ring->audio_bytes += audio ? bytes : 0;
        ring->newest_us = audio ? ring->newest_us : packet->times.arrival_us;
        packet = NULL;
        shrink_locked(ring);
    }
    lock_give(&ring->lock);
    packet_unref(packet);
    return has_room;
}

int packet_ring_add(struct packet_ring *ring, const struct packet_times *times, const void *data, size_t size)
{
    struct packet_stream *stream = ring->streams[times->audio ? PACKET_AUDIO : PACKET_VIDEO];
    if (!stream || packet_fault(times, size))
        return -EINVAL;
    if (ring->waits && !times->key)
        return 0;
    struct packet *packet = packet_new(stream, times, data, size);
    if (!times->audio)
        ring->waits = false;            /* a group that is too large sets it again */
    if (packet && take_packet(ring, packet))
        return 0;
    if (!times->audio)
        ring->waits = true;
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

struct packet_stream *packet_ring_audio(struct packet_ring *ring, uint64_t from)
{
    struct packet_stream *stream = NULL;
    lock_take(&ring->lock);
    for (uint64_t i = from < ring->oldest ? ring->oldest : from; i < ring->next && !stream; i++)
        if (packet_locked(ring, i)->times.audio)
            stream = packet_stream_ref(packet_locked(ring, i)->stream);
    lock_give(&ring->lock);
    return stream;
}

void packet_ring_stats(struct packet_ring *ring, struct packet_ring_stats *ret)
{
    lock_take(&ring->lock);
    *ret = (struct packet_ring_stats){.packets = (size_t)(ring->next - ring->oldest), .bytes = ring->bytes,
                                      .audio_bytes = ring->audio_bytes, .too_large = ring->too_large, .losses = ring->losses};
    if (ret->packets > 0) {
        ret->newest_us = ring->newest_us;
        ret->span_us = ret->newest_us - packet_locked(ring, ring->oldest)->times.arrival_us;
    }
    lock_give(&ring->lock);
}
