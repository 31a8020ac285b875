#include "io/video/damage/damage.h"

#include "io/video/damage/h264.h"
#include "io/video/damage/hevc.h"

/* Returns true for codecs whose decoder gives pictures before the first key frame and does not flag them. */
static bool needs_key_frame(enum AVCodecID codec)
{
    switch (codec) {
    case AV_CODEC_ID_MPEG4: case AV_CODEC_ID_H263: case AV_CODEC_ID_MPEG1VIDEO: case AV_CODEC_ID_MPEG2VIDEO:
    case AV_CODEC_ID_VP8: case AV_CODEC_ID_VP9: case AV_CODEC_ID_AV1:
        return true;
    default:
        return false;
    }
}

int damage_open(struct damage *damage, const AVCodecParameters *parameters)
{
    const AVCodecDescriptor *descriptor = avcodec_descriptor_get(parameters->codec_id);
    const uint8_t *extradata = parameters->extradata;
    size_t size = (size_t)parameters->extradata_size;
    struct h264 *h264 = NULL;
    struct hevc *hevc = NULL;
    int r = 0;
    if (parameters->codec_id == AV_CODEC_ID_HEVC)
        r = hevc_open(&hevc, extradata, size);
    else if (parameters->codec_id == AV_CODEC_ID_H264)
        r = h264_open(&h264, extradata, size);
    if (r == 0)
        *damage = (struct damage){.codec = parameters->codec_id, .h264 = h264, .hevc = hevc,
                                  .intra_only = descriptor && descriptor->props & AV_CODEC_PROP_INTRA_ONLY,
                                  .spreading = needs_key_frame(parameters->codec_id)};
    return r;
}

void damage_close(struct damage *damage)
{
    h264_close(damage->h264);
    hevc_close(damage->hevc);
    damage->h264 = NULL;
    damage->hevc = NULL;
}

/* Returns true if the JPEG is cut short. The decoder fills up the rest of such a picture and reports nothing. */
static bool lacks_end(struct damage *damage, const AVPacket *packet)
{
    int n = packet->size;
    while (n > 2 && !packet->data[n - 1])       /* some containers pad with zeros */
        n--;
    if (n >= 2 && packet->data[n - 2] == 0xff && packet->data[n - 1] == 0xd9) {
        damage->whole_jpegs++;
        return false;
    }
    return damage->open_jpegs++ == 0 || damage->whole_jpegs;
}

static enum damage_mark follow(struct damage *damage, const AVPacket *packet, bool corrupt)
{
    size_t size;
    const uint8_t *extradata = av_packet_get_side_data(packet, AV_PKT_DATA_NEW_EXTRADATA, &size);
    if (extradata && damage->hevc)
        hevc_extradata(damage->hevc, extradata, size);
    else if (extradata)
        h264_extradata(damage->h264, extradata, size);
    if (!packet->data)
        return DAMAGE_NONE;
    enum follow_result r = damage->hevc ? hevc_packet(damage->hevc, packet->data, (size_t)packet->size, corrupt)
                                        : h264_packet(damage->h264, packet->data, (size_t)packet->size, corrupt);
    return r == FOLLOW_DAMAGED ? DAMAGE_HERE : r == FOLLOW_SPREAD ? DAMAGE_SPREAD : DAMAGE_NONE;
}

int64_t damage_packet(struct damage *damage, const AVPacket *packet)
{
    enum damage_mark mark = DAMAGE_NONE;
    bool flagged = packet->flags & AV_PKT_FLAG_CORRUPT, corrupt = flagged || (damage->flagged && !damage->intra_only);
    damage->flagged = flagged;
    if (damage->hevc || damage->h264)
        mark = follow(damage, packet, corrupt);
    else if (corrupt || (damage->codec == AV_CODEC_ID_MJPEG && lacks_end(damage, packet)))
        mark = DAMAGE_HERE;
    damage->marks[++damage->last % DAMAGE_PACKETS] = (uint8_t)mark;
    return damage->last;
}

void damage_lost(struct damage *damage, const AVPacket *packet)
{
    if (damage->intra_only || (packet && packet->flags & AV_PKT_FLAG_DISPOSABLE))
        return;
    damage->spreading = true;
    damage->until_us = 0;
}

static enum damage_mark mark_of(const struct damage *damage, const AVFrame *frame)
{
    int64_t number = frame->reordered_opaque;
    if (number < 1 || number > damage->last || number <= damage->last - DAMAGE_PACKETS)
        return DAMAGE_NONE;
    return (enum damage_mark)damage->marks[number % DAMAGE_PACKETS];
}

bool damage_judge(struct damage *damage, const AVFrame *frame, int64_t at_us)
{
    enum damage_mark mark = mark_of(damage, frame);
    bool told = frame->flags & AV_FRAME_FLAG_CORRUPT || frame->decode_error_flags;
    bool flagged = told || mark == DAMAGE_HERE;
    if (damage->intra_only)
        return flagged;
    if (damage->spreading && !damage->until_us)
        damage->until_us = at_us + DAMAGE_US;
    if (frame->key_frame || at_us > damage->until_us)
        damage->spreading = false;
    if (flagged) {
        damage->spreading |= told || !damage->hevc;
        damage->until_us = at_us + DAMAGE_US;
    }
    return flagged || damage->spreading || (mark == DAMAGE_SPREAD && at_us <= damage->until_us);
}
