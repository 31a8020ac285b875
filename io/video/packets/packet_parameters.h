/* A stream of packets as FFmpeg describes it: for a muxer or a decoder. Any thread. */
#ifndef MEMAED_IO_VIDEO_PACKETS_PACKET_PARAMETERS_H
#define MEMAED_IO_VIDEO_PACKETS_PACKET_PARAMETERS_H

#include <libavcodec/codec_par.h>

#include "io/video/packets/packet.h"

/* Writes all of ret, which is blank, as avcodec_parameters_alloc() gives it. 0 or -ENOMEM. */
int packet_parameters(AVCodecParameters *ret, const struct packet_stream *stream);

#endif
