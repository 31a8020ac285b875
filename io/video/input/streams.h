/* Chooses the streams of a format that are read, and hides those that FFmpeg need not look at while it opens the format. For the
 * thread that opens. */
#ifndef MEMAED_IO_VIDEO_INPUT_STREAMS_H
#define MEMAED_IO_VIDEO_INPUT_STREAMS_H

#include <libavcodec/codec_id.h>
#include <stdbool.h>

struct AVCodecParameters;
struct AVFormatContext;

/* The audio that is read beside the video: the first one of a codec that is kept. */
struct streams_audio {
    bool wanted;
    int index;                  /* of its stream; -1: none */
    enum AVCodecID codec;       /* of it, or of one that is not kept; AV_CODEC_ID_NONE: there is none */
    struct AVCodecParameters *parameters;       /* the caller's to free: those of a stream that is hidden; NULL: none is */
};

/* Returns the codec of a video that is not allowed; AV_CODEC_ID_NONE: there is none. Marks such a stream, and the cover of a
 * sound recording, as no video. */
enum AVCodecID streams_refuse_videos(struct AVFormatContext *format);

/* Hides audio and subtitles that the header tells of, so that FFmpeg opens no decoder for them and does not wait for them. Not
 * for a format that finds its streams as it goes (FLV), because that knows a stream by its type. Chooses the audio that is
 * wanted. 0 or -ENOMEM. */
int streams_hide_audio(struct AVFormatContext *format, struct streams_audio *audio);

/* To be called once FFmpeg has looked at the streams and all but the video are discarded. Shows the chosen audio again; if the
 * header told of none, chooses one. 0 or -ENOMEM. */
int streams_choose_audio(struct AVFormatContext *format, struct streams_audio *audio);

/* Returns true if there are streams of video and of audio. */
bool streams_have_both(const struct AVFormatContext *format);

/* Lets FFmpeg look at a live stream of a format that finds its streams as it goes, until it knows the video, and no longer. By
 * itself it waits for audio that FLV promises for 90 s, and looks at MPEG-TS for 5 s. FLV tells the codec's parameters first; in
 * MPEG-TS they come with a key frame, and its table tells the streams before that. */
void streams_hasten(struct AVFormatContext *format);

#endif
