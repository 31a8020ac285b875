/* A tap of a source (io/video/source.h) that gives each packet of video and audio to a consumer as plain data: to a ring, or to
 * another process.
 *
 * A file holds one set of parameters for all its packets. So a new stream begins for the consumer when the parameter sets of
 * H.264 or HEVC change. One also begins when a key frame brings the first sets, because the source has told none. Audio begins
 * with the packet that tells what the source has not: io/video/packets/audio_tap.h.
 *
 * The source's thread. */
#ifndef MEMAED_IO_VIDEO_PACKETS_PACKET_TAP_H
#define MEMAED_IO_VIDEO_PACKETS_PACKET_TAP_H

#include "io/video/packets/packet.h"
#include "io/video/source.h"

struct packet_consumer {
    void *arg;
    /* A stream begins, of video or audio. The consumer may borrow both until the next one of its kind begins, or the tap is
     * closed. */
    void (*begin)(void *arg, const struct packet_format *format, const void *extradata);
    /* The next packet of the stream of its kind; borrowed for the call. */
    void (*add)(void *arg, const struct packet_times *times, const void *data, size_t size);
};

struct packet_tap;

int packet_tap_open(struct packet_tap **ret, const struct packet_consumer *consumer);   /* 0 or -ENOMEM */
void packet_tap_close(struct packet_tap *tap);          /* takes NULL; the source is closed */

/* For struct source_options. */
struct source_tap packet_tap_source(struct packet_tap *tap);

#endif
