#include "io/video/input/streams.h"

#include <errno.h>
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <string.h>

#include "io/video/input/allowed.h"

/* Returns true for a codec that FFmpeg could decode, and that is not allowed. */
static bool is_refused(enum AVCodecID codec)
{
    return avcodec_find_decoder(codec) && !allowed_codec(codec);
}

enum AVCodecID streams_refuse_videos(AVFormatContext *format)
{
    enum AVCodecID refused = AV_CODEC_ID_NONE;
    for (unsigned i = 0; i < format->nb_streams; i++) {
        AVCodecParameters *parameters = format->streams[i]->codecpar;
        bool cover = format->streams[i]->disposition & AV_DISPOSITION_ATTACHED_PIC;
        if (parameters->codec_type != AVMEDIA_TYPE_VIDEO || (!cover && !is_refused(parameters->codec_id)))
            continue;
        if (!cover)
            refused = parameters->codec_id;
        parameters->codec_type = AVMEDIA_TYPE_ATTACHMENT;
        format->streams[i]->discard = AVDISCARD_ALL;
    }
    return refused;
}

/* Takes the stream if it is the first audio that is kept. */
static bool take_audio(struct streams_audio *audio, const AVFormatContext *format, unsigned i)
{
    const AVCodecParameters *parameters = format->streams[i]->codecpar;
    if (!audio->wanted || audio->index >= 0 || parameters->codec_type != AVMEDIA_TYPE_AUDIO)
        return false;
    audio->codec = parameters->codec_id;
    if (allowed_audio(parameters->codec_id))
        audio->index = (int)i;
    return audio->index >= 0;
}

int streams_hide_audio(AVFormatContext *format, struct streams_audio *audio)
{
    for (unsigned i = 0; i < format->nb_streams; i++) {
        AVCodecParameters *parameters = format->streams[i]->codecpar;
        if (parameters->codec_type != AVMEDIA_TYPE_AUDIO && parameters->codec_type != AVMEDIA_TYPE_SUBTITLE)
            continue;
        if (take_audio(audio, format, i)) {
            audio->parameters = avcodec_parameters_alloc();
            if (!audio->parameters || avcodec_parameters_copy(audio->parameters, parameters) < 0)
                return -ENOMEM;
        } else {
            format->streams[i]->discard = AVDISCARD_ALL;
        }
        parameters->codec_type = AVMEDIA_TYPE_DATA;
        parameters->codec_id = AV_CODEC_ID_NONE;
    }
    return 0;
}

int streams_choose_audio(AVFormatContext *format, struct streams_audio *audio)
{
    for (unsigned i = 0; i < format->nb_streams; i++)
        take_audio(audio, format, i);
    if (audio->index < 0)
        return 0;
    AVStream *stream = format->streams[audio->index];
    stream->discard = AVDISCARD_DEFAULT;
    return audio->parameters && avcodec_parameters_copy(stream->codecpar, audio->parameters) < 0 ? -ENOMEM : 0;
}

bool streams_have_both(const AVFormatContext *format)
{
    bool video = false, audio = false;
    for (unsigned i = 0; i < format->nb_streams; i++) {
        video |= format->streams[i]->codecpar->codec_type == AVMEDIA_TYPE_VIDEO;
        audio |= format->streams[i]->codecpar->codec_type == AVMEDIA_TYPE_AUDIO;
    }
    return video && audio;
}

void streams_hasten(AVFormatContext *format)
{
    if (!(format->ctx_flags & AVFMTCTX_NOHEADER))
        return;
    format->fps_probe_size = 0;
    format->max_analyze_duration = strcmp(format->iformat->name, "flv") == 0 ? 1000000 : 3500000;
    if (av_find_best_stream(format, AVMEDIA_TYPE_VIDEO, -1, -1, NULL, 0) >= 0)
        format->ctx_flags &= ~AVFMTCTX_NOHEADER;
}
