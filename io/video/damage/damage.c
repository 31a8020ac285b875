#include "io/video/damage/damage.h"

void damage_init(struct damage *damage, enum AVCodecID codec)
{
    const AVCodecDescriptor *descriptor = avcodec_descriptor_get(codec);
    *damage = (struct damage){.codec = codec, .intra_only = descriptor && descriptor->props & AV_CODEC_PROP_INTRA_ONLY};
    for (int i = 0; i < DAMAGE_MARKS; i++)
        damage->marks[i] = AV_NOPTS_VALUE;
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

void damage_packet(struct damage *damage, const AVPacket *packet)
{
    if (!(packet->flags & AV_PKT_FLAG_CORRUPT) && !(damage->codec == AV_CODEC_ID_MJPEG && lacks_end(damage, packet)))
        return;
    if (packet->pts == AV_NOPTS_VALUE)
        damage->mark_next = true;
    else
        damage->marks[damage->next_mark++ % DAMAGE_MARKS] = packet->pts;
}

void damage_lost(struct damage *damage, const AVPacket *packet)
{
    if (damage->intra_only || (packet && packet->flags & AV_PKT_FLAG_DISPOSABLE))
        return;
    damage->spreading = true;
    damage->until_us = 0;
}

static bool is_flagged(struct damage *damage, const AVFrame *frame)
{
    bool flagged = frame->flags & AV_FRAME_FLAG_CORRUPT || frame->decode_error_flags || damage->mark_next;
    damage->mark_next = false;
    for (int i = 0; frame->pts != AV_NOPTS_VALUE && i < DAMAGE_MARKS; i++)
        if (damage->marks[i] == frame->pts) {
            damage->marks[i] = AV_NOPTS_VALUE;
            flagged = true;
        }
    return flagged;
}

bool damage_judge(struct damage *damage, const AVFrame *frame, int64_t at_us)
{
    bool flagged = is_flagged(damage, frame);
    if (damage->intra_only)
        return flagged;
    if (damage->spreading && !damage->until_us)
        damage->until_us = at_us + DAMAGE_US;
    if (frame->key_frame || at_us > damage->until_us)
        damage->spreading = false;
    if (flagged) {
        damage->spreading = true;
        damage->until_us = at_us + DAMAGE_US;
    }
    return flagged || damage->spreading;
}
