/* Finds pictures that need not be decoded: io/video/pacing.h will not pick them, and no other picture is predicted from
 * them. Where every picture of a codec is coded by itself (intra-only), such a packet is not given to the decoder. For
 * other codecs the decoder gets the packet and may leave out its picture if no other is predicted from it
 * (AVDISCARD_NONREF). The same pictures are picked as without skipping, unless a live source's timestamps jitter by more
 * than a tenth of an interval.
 *
 * The pacing learns the source's rate and gaps from all pictures. So it is told of each skipped picture, by its packet's
 * timestamp, when its turn comes. A stream whose pictures have other timestamps than its packets is decoded whole. One
 * thread at a time. */
#ifndef MEMAED_IO_VIDEO_SKIP_H
#define MEMAED_IO_VIDEO_SKIP_H

#include <libavcodec/avcodec.h>
#include <stdbool.h>

#include "io/video/pacing.h"

enum { SKIP_MARKS = 64 };

struct skip {
    bool intra_only;            /* no picture is predicted from another */
    bool off;                   /* pictures have other timestamps than their packets: nothing is skipped */
    int64_t before_us;          /* timestamp of the packet before */
    int64_t marks_us[SKIP_MARKS];       /* [n] timestamps of packets that may give no picture, rising */
    int n;
};

void skip_init(struct skip *skip, enum AVCodecID codec);

/* Says how much of the stream's next packet, with timestamp us (AV_NOPTS_VALUE: none) and arrival as of pacing_wants(), the
 * decoder may skip. AVDISCARD_ALL: do not decode it; AVDISCARD_NONREF: its picture, if no other is predicted from it;
 * AVDISCARD_DEFAULT: nothing. */
enum AVDiscard skip_packet(struct skip *skip, const struct pacing *pacing, const AVPacket *packet, int64_t us,
                           int64_t arrival_us);

/* A picture with timestamp us was decoded. Tells the pacing of the pictures skipped before it; call it before
 * pacing_next(). */
void skip_picture(struct skip *skip, struct pacing *pacing, const AVFrame *picture, int64_t us);

#endif
