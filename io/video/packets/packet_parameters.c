#include "io/video/packets/packet_parameters.h"

#include <errno.h>
#include <libavcodec/avcodec.h>
#include <libavutil/mem.h>
#include <string.h>

int packet_parameters(AVCodecParameters *ret, const struct packet_stream *stream)
{
    const struct packet_format *f = &stream->format;
    ret->codec_type = f->kind == PACKET_AUDIO ? AVMEDIA_TYPE_AUDIO : AVMEDIA_TYPE_VIDEO;
    ret->codec_id = (enum AVCodecID)f->codec;
    ret->codec_tag = f->tag;
    ret->format = f->pixel_format;
    ret->bits_per_coded_sample = f->bits_per_sample;
    ret->profile = f->profile;
    ret->level = f->level;
    ret->width = f->width;
    ret->height = f->height;
    ret->sample_aspect_ratio = (AVRational){f->aspect_num, f->aspect_den};
    if (f->kind == PACKET_AUDIO) {
        ret->sample_rate = f->sample_rate;
        ret->frame_size = f->frame_samples;
        ret->block_align = f->block_align;
        av_channel_layout_default(&ret->ch_layout, f->channels);
    }
    if (f->extradata_size == 0)
        return 0;
    ret->extradata = av_mallocz(f->extradata_size + AV_INPUT_BUFFER_PADDING_SIZE);
    if (!ret->extradata)
        return -ENOMEM;
    memcpy(ret->extradata, stream->extradata, f->extradata_size);
    ret->extradata_size = (int)f->extradata_size;
    return 0;
}
