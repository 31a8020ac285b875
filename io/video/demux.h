/* The packets of a source's video stream, in the order in which they arrive: of whatever FFmpeg opens, or of a folder of image
 * files. With options.audio, packets of the audio beside it go to options.tap within demux_read(). Tells a stall, a stop and the
 * end of the stream apart. Decodes nothing but what FFmpeg needs to learn the stream's parameters while it opens.
 *
 * One thread owns a demux; any thread may set options.stop. Never logs. */
#ifndef MEMAED_IO_VIDEO_DEMUX_H
#define MEMAED_IO_VIDEO_DEMUX_H

#include <libavcodec/codec_par.h>
#include <libavcodec/packet.h>
#include <libavutil/rational.h>
#include <stdbool.h>

#include "core/error.h"
#include "io/video/display.h"
#include "io/video/source.h"

struct demux;

/* The video stream. The demux owns it; it may change in demux_read(). */
struct demux_stream {
    unsigned version;           /* grows whenever the codec changes; 0: a folder of which no image has been read */
    const AVCodecParameters *parameters;        /* of a folder: the codec alone */
    AVRational time_base;       /* seconds a tick of the packets' timestamps */
    double fps;                 /* pictures a second, as the container says; 0: unknown */
    struct display display;     /* as the container says */
    bool images;                /* still images, of a folder or a pattern: their timestamps are made up */
    bool folder;
    bool timeless;              /* the format has no timestamps (raw Motion JPEG, images …): they are made up from fps */
    bool stamped_here;          /* the format has no timestamps: a packet has the time of its arrival */
    bool live;                  /* paces itself: by its protocol, or by what HTTP answered (source_is_live()) */
    int stall_ms;               /* the time without a packet after which it has stalled; 0: it cannot stall */
    enum source_audio audio_state;
    enum AVCodecID audio_codec; /* AV_CODEC_ID_NONE: there is no audio */
    const AVCodecParameters *audio;     /* as the container says; NULL: none is read */
    AVRational audio_time_base;
};

/* Opens the source and finds its video stream. options is borrowed for the call, options->stop and options->tap.arg for the
 * demux's life. Errors are those of source_open(); *ret is untouched then. */
int demux_open(struct demux **ret, const char *url, const struct source_options *options, struct error *err);
/* Takes NULL. Spends at most a third of a second on a server's goodbye. */
void demux_close(struct demux *demux);

const struct demux_stream *demux_stream(const struct demux *demux);

/* The next packet of the video into packet, which is blank; the caller unreferences it. 1: a packet; 0: the stream has ended (a
 * file that is cut short ends at the cut); -ETIMEDOUT: stalled; -EINTR: stopped; another negative errno: reading failed.
 * -EAGAIN: an image of the folder could not be read, and the next call goes on behind it. err holds the cause. Time between
 * calls does not count as a stall. */
int demux_read(struct demux *demux, AVPacket *packet, struct error *err);

#endif
