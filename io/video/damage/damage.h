/* Tells which of a decoder's pictures are damaged. A picture is damaged when it or its packet is flagged as corrupt, or
 * when it is predicted from a picture that is damaged, or whose packet the decoder refused. Damage by prediction ends at
 * the next key frame, or after DAMAGE_US: some streams refresh their pictures without key frames. One thread at a time. */
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
    int64_t marks[DAMAGE_MARKS];        /* a ring: pts of corrupt packets whose pictures have not come yet */
    unsigned next_mark;
    bool mark_next;             /* a corrupt packet had no pts: the next picture is damaged */
    bool spreading;             /* pictures are predicted from a damaged one */
    int64_t until_us;           /* when spreading ends at the latest; 0: DAMAGE_US after the next picture */
    unsigned whole_jpegs, open_jpegs;   /* packets with and without an end marker */
};

void damage_init(struct damage *damage, enum AVCodecID codec);

/* To be called for each packet of the stream, in order. A packet of Motion JPEG without an end marker counts as corrupt
 * if it is the first packet or if an earlier one had an end marker: a stream may have none at all. */
void damage_packet(struct damage *damage, const AVPacket *packet);

/* The decoder refused this packet, or an unknown one (NULL), so its picture is missing. */
void damage_lost(struct damage *damage, const AVPacket *packet);

/* Returns true if the picture is damaged. To be called for each picture, in order; at_us, its time, never goes back. */
bool damage_judge(struct damage *damage, const AVFrame *frame, int64_t at_us);

#endif
