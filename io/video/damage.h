/* Which of a decoder's pictures are damaged: by the flags of packets and pictures, by packets that the decoder refused, and
 * by prediction from such pictures. The last holds until the next key frame, and for DAMAGE_US at most, for streams that
 * refresh their pictures without key frames. One thread at a time. */
#ifndef MEMAED_IO_VIDEO_DAMAGE_H
#define MEMAED_IO_VIDEO_DAMAGE_H

#include <libavcodec/avcodec.h>
#include <stdbool.h>
#include <stdint.h>

enum { DAMAGE_MARKS = 16 };
#define DAMAGE_US INT64_C(10000000)

struct damage {
    enum AVCodecID codec;
    bool intra_only;            /* no picture is predicted from another */
    int64_t marks[DAMAGE_MARKS];        /* pts of corrupt packets whose pictures are to come */
    unsigned next_mark;
    bool mark_next;             /* such a packet, without pts */
    bool spreading;
    int64_t until_us;           /* 0: from the next picture on */
    unsigned whole_jpegs, open_jpegs;   /* packets with and without an end marker */
};

void damage_init(struct damage *damage, enum AVCodecID codec);

/* A packet that goes to the decoder. One of Motion JPEG that lacks its end marker, in a stream whose packets have it, counts as
 * corrupt. */
void damage_packet(struct damage *damage, const AVPacket *packet);

/* The decoder refused a packet (NULL: not known which). */
void damage_lost(struct damage *damage, const AVPacket *packet);

/* Whether a picture is damaged; each, in order. at_us never goes back. */
bool damage_judge(struct damage *damage, const AVFrame *frame, int64_t at_us);

#endif
