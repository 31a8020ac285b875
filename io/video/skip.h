/* Pictures that need not be decoded: those between the ones that io/video/pacing.h picks, of which the codec lets each be left out
 * without harm to another. A codec whose pictures are all by themselves is not given the packet; another one is given it
 * with leave (AVDISCARD_NONREF) to leave out a picture that no other is predicted from. What is picked is what would have been
 * picked, but where a live source's timestamps jitter by more than a tenth of an interval.
 *
 * The pictures left out are told to the pacing by their packets' timestamps, in their place, as it learns the source's rate
 * and gaps from all. A stream whose pictures come with other timestamps than its packets is decoded whole. One thread at a
 * time. */
#ifndef MEMAED_IO_VIDEO_SKIP_H
#define MEMAED_IO_VIDEO_SKIP_H

#include <libavcodec/avcodec.h>
#include <stdbool.h>

#include "io/video/pacing.h"

enum { SKIP_MARKS = 64 };

struct skip {
    bool intra_only;
    bool off;                   /* timestamps don't serve here */
    int64_t before_us;          /* of the packet before */
    int64_t marks_us[SKIP_MARKS];       /* of packets that may give no picture, rising */
    int n;
};

void skip_init(struct skip *skip, enum AVCodecID codec);

/* The next packet of the stream, with its timestamp in us (AV_NOPTS_VALUE: none): AVDISCARD_ALL, not to be decoded;
 * AVDISCARD_NONREF, as above; or AVDISCARD_DEFAULT. */
enum AVDiscard skip_packet(struct skip *skip, const struct pacing *pacing, const AVPacket *packet, int64_t us);

/* A picture came out, with its timestamp in us: to be called before pacing_next(). */
void skip_picture(struct skip *skip, struct pacing *pacing, const AVFrame *picture, int64_t us);

#endif
