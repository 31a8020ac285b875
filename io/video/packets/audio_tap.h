/* The audio of a packet tap (io/video/packets/packet_tap.h): gives the consumer packets that a file can hold, and what a muxer
 * has to know of them.
 *
 * MPEG-TS and others tell the sample rate and the channels in the packets alone, where FFmpeg's parsers find them. Those of AAC
 * are read from the ADTS header of each packet. A filter of FFmpeg's removes that header, because MP4 and Matroska hold AAC
 * without it. Opus by RTP gets the header that it lacks. Packets that come before all is known, or that FFmpeg refuses, are
 * dropped. Nothing is decoded.
 *
 * The source's thread. */
#ifndef MEMAED_IO_VIDEO_PACKETS_AUDIO_TAP_H
#define MEMAED_IO_VIDEO_PACKETS_AUDIO_TAP_H

#include "io/video/packets/packet_tap.h"

struct AVPacket;
struct audio_tap;

int audio_tap_open(struct audio_tap **ret, const struct packet_consumer *consumer);     /* 0 or -ENOMEM */
void audio_tap_close(struct audio_tap *tap);            /* takes NULL */

void audio_tap_begin(struct audio_tap *tap, const struct source_stream *stream);
void audio_tap_add(struct audio_tap *tap, const struct AVPacket *packet, int64_t arrival_us);

#endif
