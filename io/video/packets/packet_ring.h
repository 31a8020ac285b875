/* The packets of one camera's last seconds, in order of arrival, for clips that begin before an event.
 *
 * The ring holds whole groups: a group is a key frame and the packets up to the next one. The oldest group is dropped as a
 * whole once the next one begins at least keep_us before the newest packet. It is also dropped once the ring holds more than
 * max_bytes. A group that alone exceeds max_bytes is dropped, too, and counted. Its rest is not kept, and the ring is empty
 * until the next key frame. Packets that come before a key frame are not kept either. After packet_ring_begin() or
 * packet_ring_lose(), too, the ring waits for a key frame; what it holds stays.
 *
 * Packets of audio lie among those of the video, and go with their group. Audio that comes while the ring waits for a key frame
 * is not kept. max_bytes is for the video alone. Audio may take a fourth of that (PACKET_RING_AUDIO_SHARE) besides; what exceeds
 * it is not kept. So the ring keeps the same video with audio and without.
 *
 * Bytes are those of the packets, and PACKET_RING_OVERHEAD for each.
 *
 * A ring is a counted reference. One thread writes at a time; any number of threads read, without a copy. */
#ifndef MEMAED_IO_VIDEO_PACKETS_PACKET_RING_H
#define MEMAED_IO_VIDEO_PACKETS_PACKET_RING_H

#include "io/video/packets/packet.h"

enum { PACKET_RING_OVERHEAD = 192, PACKET_RING_AUDIO_SHARE = 4 };       /* audio: a fourth of max_bytes */

struct packet_ring;

int packet_ring_open(struct packet_ring **ret, size_t max_bytes, int64_t keep_us);      /* 0 or -ENOMEM */
struct packet_ring *packet_ring_ref(struct packet_ring *ring);
void packet_ring_unref(struct packet_ring *ring);               /* takes NULL */

/* ---- the writer ---- */

/* A stream of video or audio begins: packets of its kind that are added belong to it. 0; -EINVAL (packet_format_fault()),
 * -ENOMEM: none of its kind is kept until the next call. */
int packet_ring_begin(struct packet_ring *ring, const struct packet_format *format, const void *extradata);
/* Copies a packet. 0, also where it is not kept; -EINVAL (packet_fault(), or no stream of its kind), -ENOMEM: it is lost. If it
 * is of the video, the caller reports that by packet_ring_lose(). */
int packet_ring_add(struct packet_ring *ring, const struct packet_times *times, const void *data, size_t size);
/* Packets were lost before they came here. */
void packet_ring_lose(struct packet_ring *ring);

/* ---- readers ---- */

/* The number of the newest key frame that arrived at or before at_us (CLOCK_MONOTONIC). If there is none, that of the oldest
 * that is kept; if the ring is empty, that of the next packet. */
uint64_t packet_ring_find(struct packet_ring *ring, int64_t at_us);
/* References to packets from number *next on, at most max; *next is then the number behind them. A number that is no longer
 * kept goes on at the oldest key frame. */
size_t packet_ring_take(struct packet_ring *ring, uint64_t *next, struct packet **ret, size_t max);

/* A reference to the stream of the first audio packet from number `from` on; NULL: there is none. */
struct packet_stream *packet_ring_audio(struct packet_ring *ring, uint64_t from);

struct packet_ring_stats {
    size_t packets, bytes;      /* held now */
    size_t audio_bytes;         /* of them */
    int64_t span_us;            /* between the oldest packet and the newest of the video */
    int64_t newest_us;          /* arrival of the newest packet of the video; 0: there is none */
    uint64_t too_large;         /* groups that exceeded max_bytes alone */
    uint64_t losses;            /* calls of packet_ring_lose() */
};
void packet_ring_stats(struct packet_ring *ring, struct packet_ring_stats *ret);

#endif
