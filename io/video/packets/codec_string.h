/* The names of a stream's codec: "h264", and the `codecs=` of a media type (RFC 6381). By it a browser tells whether it can
 * play a file. Any thread. */
#ifndef MEMAED_IO_VIDEO_PACKETS_CODEC_STRING_H
#define MEMAED_IO_VIDEO_PACKETS_CODEC_STRING_H

#include "io/video/packets/packet.h"

enum { CODEC_NAME_SIZE = 32, CODEC_STRING_SIZE = 64 };

/* FFmpeg's name of the codec. */
void codec_name(char ret[CODEC_NAME_SIZE], const struct packet_stream *stream);
/* "avc1.64001f", "hvc1.1.6.L93.B0", "av01.0.04M.08", "mp4v.20"; of audio "mp4a.40.2", "mp4a.6b", "opus"; "" for a codec that MP4
 * is not used for here, or where the parameter sets are missing or cut. */
void codec_string(char ret[CODEC_STRING_SIZE], const struct packet_stream *stream);

#endif
