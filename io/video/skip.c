#include "io/video/skip.h"

#include <math.h>
#include <string.h>

/* A step between packets that is longer, in intervals of the source, may be a gap. The first picture after a gap is picked. */
static const double long_step = 4;

void skip_init(struct skip *skip, enum AVCodecID codec)
{
    const AVCodecDescriptor *descriptor = avcodec_descriptor_get(codec);
    *skip = (struct skip){.intra_only = descriptor && descriptor->props & AV_CODEC_PROP_INTRA_ONLY,
                          .before_us = AV_NOPTS_VALUE};
}

static void mark(struct skip *skip, int64_t us)
{
    int i = skip->n++;
    for (; i > 0 && skip->marks_us[i - 1] > us; i--)
        skip->marks_us[i] = skip->marks_us[i - 1];
    skip->marks_us[i] = us;
}

enum AVDiscard skip_packet(struct skip *skip, const struct pacing *pacing, const AVPacket *packet, int64_t us,
                           int64_t arrival_us)
{
    int64_t before_us = skip->before_us;
    skip->before_us = us;
    if (skip->off || us == AV_NOPTS_VALUE || before_us == AV_NOPTS_VALUE || packet->flags & AV_PKT_FLAG_CORRUPT ||
        skip->n == SKIP_MARKS || fabs((double)us - (double)before_us) > long_step * pacing_interval_us(pacing) ||
        pacing_wants(pacing, us, arrival_us))
        return AVDISCARD_DEFAULT;
    mark(skip, us);
    return skip->intra_only ? AVDISCARD_ALL : AVDISCARD_NONREF;
}

void skip_picture(struct skip *skip, struct pacing *pacing, const AVFrame *picture, int64_t us)
{
    if (picture->pts == AV_NOPTS_VALUE || picture->pts != picture->best_effort_timestamp) {
        skip->off = true;
        skip->n = 0;
    }
    int n = 0;
    for (; n < skip->n && skip->marks_us[n] <= us; n++)
        if (skip->marks_us[n] < us)             /* an equal one is this picture: it was decoded */
            pacing_skip(pacing, skip->marks_us[n]);
    skip->n -= n;
    memmove(skip->marks_us, skip->marks_us + n, (size_t)skip->n * sizeof *skip->marks_us);
}
