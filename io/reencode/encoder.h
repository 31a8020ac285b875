/* H.264 by libx264, as every browser plays it: YUV 4:2:0, 8 bits, no B-frames. One thread owns an encoder. */
#ifndef MEMAED_IO_REENCODE_ENCODER_H
#define MEMAED_IO_REENCODE_ENCODER_H

#include <libavutil/frame.h>
#include <stdbool.h>

#include "core/error.h"
#include "io/video/packets/packet.h"

struct encoder;

/* 0, or -ENOSYS with the cause in err: this FFmpeg has no libx264. Any thread. */
int encoder_check(struct error *err);

/* Opens an encoder for pictures such as this one. live: it is fast, and each picture comes out at once; else quality is better,
 * with a delay. time_base: of the packets' times, num / den seconds a tick. 0; -ENOSYS, -ENOMEM, -EINVAL with the cause in
 * err. */
int encoder_open(struct encoder **ret, const AVFrame *picture, bool live, int time_base_num, int time_base_den,
                 struct error *err);
void encoder_close(struct encoder *encoder);            /* takes NULL */

/* The stream of its packets, which the encoder owns. */
struct packet_stream *encoder_stream(struct encoder *encoder);

/* Encodes the picture, whose packet has these times; where times->key, decoding can begin there. NULL: there is no further
 * picture. 0; -errno with the cause in err. */
int encoder_add(struct encoder *encoder, AVFrame *picture, const struct packet_times *times, struct error *err);
/* The next packet into *ret, which is the caller's. 1; 0: none before the next encoder_add(); -errno. */
int encoder_take(struct encoder *encoder, struct packet **ret, struct error *err);

#endif
