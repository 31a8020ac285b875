/* Turns a stream's packets into pictures, and tells which of these are damaged (io/video/damage/damage.h). Packets go in by
 * decode_packet() whenever decode_picture() asks for one. One thread owns a decode. Never logs. */
#ifndef MEMAED_IO_VIDEO_DECODE_H
#define MEMAED_IO_VIDEO_DECODE_H

#include <libavcodec/avcodec.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/error.h"
#include "io/video/demux.h"

struct decode;

enum decode_result {
    DECODE_PICTURE,             /* a picture was written */
    DECODE_AGAIN,               /* none yet; call again */
    DECODE_PACKET,              /* none before decode_packet() or decode_finish() */
    DECODE_END,                 /* decode_finish() was called, and no picture remains */
};

/* threads: of the decoder; 0: FFmpeg's choice. 0, -ENOMEM. */
int decode_open(struct decode **ret, int threads);
void decode_close(struct decode *decode);       /* takes NULL */

/* Opens and closes the decoders that cameras need most, so that their tables are there: for a process that forks others. */
void decode_warm_up(void);

/* Opens the decoder of the stream's codec, in place of one that is open; stream is borrowed for the call. 0; -EINVAL
 * (FFmpeg has no decoder for it, or it is refused: io/video/input/allowed.h), -ENOMEM …, with the cause in err: the one that is
 * open stays. */
int decode_start(struct decode *decode, const struct demux_stream *stream, struct error *err);

/* Takes over the packet's contents, which leaves it blank. arrival_us: when it came, on any clock. discard is what the decoder
 * may leave out: with AVDISCARD_ALL the packet is not decoded. To be called after DECODE_PACKET only, with an open decoder. */
void decode_packet(struct decode *decode, AVPacket *packet, int64_t arrival_us, enum AVDiscard discard);
/* A packet was lost before it came here. */
void decode_lose(struct decode *decode);
/* No packet follows: decode_picture() gives the pictures that the decoder holds, then DECODE_END. */
void decode_finish(struct decode *decode);

/* The next picture into frame; a reference to it, which frame gives back when it is written next. */
enum decode_result decode_picture(struct decode *decode, AVFrame *frame);

/* Returns true if the picture is damaged. To be called for each picture, in order; at_us is its time, which never goes
 * back. */
bool decode_judge(struct decode *decode, const AVFrame *frame, int64_t at_us);

/* The arrival of the packet that holds this picture, which decode_picture() has given; the last packet's, where the decoder does
 * not tell. To be called before the next decode_packet(). */
int64_t decode_arrival_us(const struct decode *decode, const AVFrame *frame);

/* The number of packets that were lost, or refused by the decoder, so far. */
uint64_t decode_lost(const struct decode *decode);

#endif
