/* Tells which of a decoder's pictures are damaged. A picture is damaged when it or its packet is flagged as corrupt. It is also
 * damaged when it is predicted from a picture that is damaged or missing, or whose packet the decoder refused. Damage by
 * prediction ends at the next key frame, or after DAMAGE_US: some streams refresh their pictures without key frames.
 *
 * FFmpeg's decoders do not tell when a picture is missing that others are predicted from. So the headers of H.264
 * (io/video/damage/h264.h) and of HEVC (io/video/damage/hevc.h) are followed. In HEVC, damage spreads to just those
 * pictures that may be predicted from a damaged one. In MPEG-1, -2 and -4, H.263, VP8, VP9 and AV1, everything before the first
 * key frame is damaged.
 *
 * One thread at a time. */
#ifndef MEMAED_IO_VIDEO_DAMAGE_DAMAGE_H
#define MEMAED_IO_VIDEO_DAMAGE_DAMAGE_H

#include <libavcodec/avcodec.h>
#include <stdbool.h>
#include <stdint.h>

struct h264;
struct hevc;

enum { DAMAGE_PACKETS = 256 };          /* more than a decoder holds back */
#define DAMAGE_US INT64_C(10000000)

enum damage_mark { DAMAGE_NONE, DAMAGE_SPREAD, DAMAGE_HERE };

struct damage {
    enum AVCodecID codec;
    bool intra_only;            /* no picture is predicted from another */
    struct h264 *h264;          /* NULL: another codec */
    struct hevc *hevc;
    uint8_t marks[DAMAGE_PACKETS];      /* a ring: enum damage_mark of the last packets, by number */
    int64_t last;               /* number of the last packet; 0: none yet */
    bool flagged;               /* the packet before was flagged as corrupt */
    bool spreading;             /* pictures are predicted from a damaged one */
    int64_t until_us;           /* when damage by prediction ends at the latest; 0: DAMAGE_US after the next picture */
    unsigned whole_jpegs, open_jpegs;   /* packets with and without an end marker */
};

/* parameters: the stream's, borrowed for the call. 0, -ENOMEM (*damage untouched). damage_close() takes a zeroed one. */
int damage_open(struct damage *damage, const AVCodecParameters *parameters);
void damage_close(struct damage *damage);

/* To be called for each packet of the stream, in order. Returns the packet's number, which the decoder gets as
 * AVCodecContext.reordered_opaque with the packet, and hands on with its picture. A packet behind one with the flag
 * AV_PKT_FLAG_CORRUPT counts as corrupt, too, because FFmpeg's parsers set it a picture early. Packets of intra-only codecs do
 * not. A packet of Motion JPEG without an end marker counts as corrupt if it is the first such packet, or if an earlier one had
 * the marker. Some streams have none. */
int64_t damage_packet(struct damage *damage, const AVPacket *packet);

/* The decoder refused this packet, or an unknown one (NULL), so its picture is missing. */
void damage_lost(struct damage *damage, const AVPacket *packet);

/* Returns true if the picture is damaged. To be called for each picture, in order; at_us, its time, never goes back. */
bool damage_judge(struct damage *damage, const AVFrame *frame, int64_t at_us);

#endif
