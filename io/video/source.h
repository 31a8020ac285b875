/* A source of gray pictures. It is what FFmpeg opens (RTSP, HTTP, RTMP, UDP, files, image sequence patterns), or a folder of
 * image files as one sequence in name order. Formats and codecs are those that cameras and footage use
 * (io/video/input/allowed.h).
 *
 * A picture takes three steps. io/video/demux.h reads the packets. io/video/decode.h decodes those whose pictures may be needed.
 * io/video/pick.h picks pictures at the analysis rate by their timestamps and turns them to gray at the model's size, as a viewer
 * shows them (io/video/display.h). A tap (struct source_tap) sees the packets before they are decoded and the colour pictures
 * before they turn gray.
 *
 * Images of a folder or a pattern have no times. They are taken to come at options.fps, or at SOURCE_DEFAULT_FPS where that
 * is 0, and every one is picked.
 *
 * Input from the network cannot make FFmpeg open files of this machine: a playlist with file:// is refused. A file cannot
 * make it open the network, except a session description (*.sdp). Files must be regular files or folders.
 *
 * A server that sends a source on gets no password for another host, nor for the same one without TLS. It cannot lead to the
 * loopback of this machine by an address. An HTTP request without a password may go there before it is refused.
 *
 * Certificates are verified, unless options.tls_unverified. FFmpeg 5.1 takes any certificate of rtsps. There, source_open()
 * verifies it on a connection of its own first, which does not stop a stranger who lets that one through.
 *
 * One thread owns a source; any thread may set options.stop. Never logs; source_set_log() hands on what FFmpeg logs. */
#ifndef MEMAED_IO_VIDEO_SOURCE_H
#define MEMAED_IO_VIDEO_SOURCE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/error.h"

struct AVCodecParameters;
struct AVFrame;
struct AVPacket;
struct source;

/* Pictures a second where neither the stream nor the options say how many there are. */
enum { SOURCE_DEFAULT_FPS = 25 };
/* A source stalls, too, when packets arrive but no picture comes of them. The limit is one stall time-out, and
 * SOURCE_PICTURE_STALLS before the first picture of an opening. A stream that is joined between two key frames has no picture
 * until the next one. */
enum { SOURCE_PICTURE_STALLS = 3 };

/* The sources of the time at which a picture was taken (io/video/timing/timing.h). */
enum source_time {
    SOURCE_TIME_STREAM,         /* the stream's time stamps */
    SOURCE_TIME_ARRIVAL,        /* of a live source: when a picture's data came, because the time stamps are wrong */
    SOURCE_TIME_RATE,           /* of a file: its rate, because it has no time stamps */
};

/* The state of the audio beside the video. It is never decoded. */
enum source_audio {
    SOURCE_AUDIO_OFF,           /* it was not asked for: an RTSP server is not asked to send it, and FFmpeg drops its packets */
    SOURCE_AUDIO_NONE,          /* there is none, or the server refuses it */
    SOURCE_AUDIO_REFUSED,       /* it is of a codec that is not kept (io/video/input/allowed.h) */
    SOURCE_AUDIO_KEPT,          /* the tap has its packets */
};

/* The cause of a break of the sequence. */
enum source_break {
    SOURCE_UNBROKEN,
    SOURCE_BREAK_GAP,           /* no picture for more than 0.5 s and four intervals */
    SOURCE_BREAK_CLOCK,         /* the time stamps went back, or were of a wrong unit */
    SOURCE_BREAK_LOST,          /* the decoder refused packets, or an image could not be read */
    SOURCE_BREAK_SIZE,          /* the size of the pictures changed */
    SOURCE_BREAK_CORRUPT,       /* the picture before was corrupt */
};

/* The mean colour of a picture as it was coded, in 1/256 of a level of 8 bits. */
struct source_chroma {
    bool known;                 /* false: of this pixel format it is not measured */
    uint16_t saturation;        /* the mean length of (u, v); 0 for gray */
    uint16_t u, v;              /* means; 128 * 256 for gray */
};

enum { SOURCE_NO_BLOCKS = UINT16_MAX };                 /* source_frame.blocks: not measured */

/* A picture that was picked for analysis. */
struct source_frame {
    int64_t pts_us;             /* since the first picture, which has 0; rises strictly */
    bool gap;                   /* the sequence broke before this picture: timestamps jumped, frames were corrupt or lost,
                                 * or the size changed. A player sets its clock anew. Never set for the first picture. */
    enum source_break cause;    /* of the gap; else SOURCE_UNBROKEN */
    bool corrupt;               /* the decoder flagged this picture, or it is predicted from one that it flagged (until the
                                 * next key frame, for ten seconds at most). Count it; do not learn or score it. */
    int64_t arrival_us;         /* CLOCK_MONOTONIC: when its packet had been read from the network or the file */
    struct source_chroma chroma;        /* known with source_options.chroma alone */
    uint16_t blocks;            /* with source_options.chroma: as of blocks_measure() (io/video/damage/blocks.h) */
};

/* The stream that a tap's packets and frames belong to. Of audio: parameters and time base alone. */
struct source_stream {
    const struct AVCodecParameters *parameters; /* codec, size, extradata; of a folder of images: the codec alone */
    int time_base_num, time_base_den;   /* num / den seconds are one tick of the timestamps of packets and frames */
    double fps;                 /* pictures a second, as the container says; 0: unknown */
    bool swap, flip_x, flip_y;  /* how a viewer turns the pictures, as the container says (io/video/display.h) */
};

/* A consumer of packets and colour pictures: packets serve for clips that are copied without decoding, pictures for
 * snapshots. Each function may be NULL. Where all are, nothing is referenced or copied for them. Tap or no tap, the same
 * packets are decoded, and the gray pictures are the same.
 *
 * The functions are called by source_open(), source_peek() and source_read(), on their caller's thread, which waits for
 * them. They must not block and must not call the source. What they are given is borrowed for the call and must not be
 * changed. Packets and frames are reference counted: av_packet_ref() and av_frame_ref() keep them without a copy, as long
 * as the consumer likes, also after source_close(). avcodec_parameters_copy() keeps the parameters. */
struct source_tap {
    void *arg;

    /* A stream begins: at the end of each source_open() that succeeds (of a folder: before its first packet). In a folder with
     * images of several codecs, also before the first packet of another codec. A new opening continues nothing: its timestamps
     * are unrelated to those of the opening before. A change that keeps the codec, such as other parameter sets of H.264, makes
     * no call: it is in the packets and in their side data (AV_PKT_DATA_NEW_EXTRADATA). */
    void (*stream)(void *arg, const struct source_stream *stream);

    /* Every packet of the video stream, in order of arrival, before the decoder has it. That includes packets that are never
     * decoded because nobody needs their pictures (io/video/skip.h) and packets before the first key frame. It also includes
     * corrupt ones (AV_PKT_FLAG_CORRUPT) and those that the decoder refuses. It excludes packets of other streams, image files
     * that cannot be read, and a packet that comes out of a stall, which may be cut. A timestamp may be AV_NOPTS_VALUE. A
     * picture's packet comes before its frame. */
    void (*packet)(void *arg, const struct AVPacket *packet);

    /* The same two of the audio, with source_options.audio. The stream is told after that of the video; its parameters may lack
     * what the packets tell, such as the sample rate of AAC in MPEG-TS. Where the server sends no video, audio is no sign of
     * life. */
    void (*audio_stream)(void *arg, const struct source_stream *stream);
    void (*audio)(void *arg, const struct AVPacket *packet);

    /* The colour picture of every picture that is picked, corrupt ones too, just before source_read() turns it to gray and
     * returns it. It is as it was coded: at the stream's size, in the decoder's pixel format, not turned, mirrored or
     * stretched. info is what source_read() then returns. Where turning to gray fails, source_read() returns the error instead.
     * frame->best_effort_timestamp is its time among the packets. Pictures that are not picked make no call. Whether the
     * decoder gives one at all depends on the codec and on what was skipped, while alerts name picked pictures only. */
    void (*frame)(void *arg, const struct AVFrame *frame, const struct source_frame *info);
};

struct source_options {
    int width, height;          /* of the gray pictures, 1 to 8192; both 0: source_resize() sets them before source_read() */
    double fps;                 /* analysis rate, 0 to 1000; 0: every frame */
    const char *user, *password;        /* for signing in: as they are, nothing encoded; NULL: what the URL says. Borrowed for
                                 * source_open() */
    bool udp;                   /* RTSP over UDP, else TCP */
    bool tls_unverified;        /* any certificate is taken */
    const char *tls_ca_file, *tls_host;         /* a file of trusted certificates, and the name that the server's has to hold;
                                 * NULL: those of the system, and the URL's host. Borrowed for the life of the source */
    int stall_timeout_ms;       /* network: -ETIMEDOUT after so long without a packet of the video, without a picture, or
                                 * without a picked one; for the last, two periods of fps if that is longer. The first
                                 * picture may take SOURCE_PICTURE_STALLS times as long. Also bounds opening; 0: never. Files
                                 * never stall. */
    const atomic_bool *stop;    /* becomes true: calls return -EINTR within a fifth of a second, but looking up a host's
                                 * name cannot be interrupted. May be NULL; must outlive the source. */
    int decoder_threads;        /* 0: FFmpeg's choice */
    bool packets_only;          /* nothing is decoded, the tap has its packets: source_read() returns 1 about once a second,
                                 * without a picture. For sources that pace themselves alone */
    bool audio;                 /* the tap has the packets of the audio, too, if there is some */
    bool chroma;                /* source_frame.chroma and blocks are measured */
    struct source_tap tap;      /* zero: nobody taps; its arg must outlive the source */
};

struct source_stats {
    double fps_in;              /* frames a second that the stream gives, measured over its last frames by pts; 0: unknown */
    uint64_t frames_decoded, frames_corrupt;
    enum source_time time;      /* what tells now when a picture was taken */
    bool live;                  /* this opening paces itself; else the reader does, by the pictures' times. source_is_live() */
    bool images;                /* a folder or a pattern of still images, whose rate is options.fps */
    uint64_t packets_lost;      /* the decoder refused them, or their image file could not be read */
    int width, height;          /* of the last picture, as a viewer shows it; 0: not known yet */
    char codec[32];
    enum source_audio audio;
    char audio_codec[32];       /* its name, with SOURCE_AUDIO_REFUSED and SOURCE_AUDIO_KEPT */
};

/* 0; -ENOENT, -EINVAL (not a video), -ETIMEDOUT, -ECONNREFUSED, -EACCES (also a wrong password), -EPERM (sent on), -EINTR, -EIO
 * (also a host that is not found, and TLS) …. err holds the cause, with credentials in the URL redacted (io/base/redact.h).
 * *ret is the caller's; untouched on failure. */
int source_open(struct source **ret, const char *url, const struct source_options *options, struct error *err);
/* Takes NULL. Spends at most a third of a second on a server's goodbye, whether options.stop is set or not. */
void source_close(struct source *source);

/* Decodes the stream's next picture and tells its size, as a viewer shows it. source_read() then begins with that picture.
 * Returns as source_read(); width and height are written with 1 only. */
int source_peek(struct source *source, int *width, int *height, struct error *err);
/* Gray pictures have this size from now on. 0; -EINVAL (not 1 to 8192), -ENOMEM: the size stays. */
int source_resize(struct source *source, int width, int height, struct error *err);

/* The next picture at the analysis rate into pixels [height * width]. 1: a picture; 0: the stream has ended; negative:
 * -ETIMEDOUT (stalled), -EINTR (stop), -EINVAL (a file that ended without a picture), -EIO (another source that did) … with the
 * cause in err. pixels and frame are written with 1 only. After 0 or an error every further call returns the same. A file that is
 * cut short ends at the cut. Where the resolution changes midway, pictures keep the model's size, and the first one of the new
 * resolution has gap set. */
int source_read(struct source *source, uint8_t *pixels, struct source_frame *frame, struct error *err);

/* Figures of the stream so far. The owner's thread. */
void source_stats(const struct source *source, struct source_stats *ret);

/* Checks what can be told from a URL alone: its protocol, that it has a host, its port, and that its user and password hold no
 * character that ends the host. 0, or -EINVAL with the cause in err, which holds nothing secret. source_open() begins with it.
 * Any thread. */
int source_check(const char *url, struct error *err);

/* Checks that a source takes user and password beside its URL. Its protocol is RTSP or HTTP, the URL names no user itself, no
 * user has a colon, and both are short enough for FFmpeg. NULL: there is none. 0, or -EINVAL as source_check(). Any thread. */
int source_check_sign_in(const char *url, const char *user, const char *password, struct error *err);

/* Returns true if a URL of this protocol goes by TLS: https, rtsps, rtmps … Any thread. */
bool source_is_tls(const char *url);

/* Returns true for a source that paces itself whatever it answers: rtsp, rtmp, udp … The reader paces a file or a folder. HTTP
 * tells by its answer (source_stats.live). Multipart is live. So is an answer without a length and without a duration that
 * takes no requests for parts of it. HLS is not: its segments come in bursts, so the reader paces it. Any thread. */
bool source_is_live(const char *url);

/* The name to show for a clip. A file has its base name without extension, a folder or a pattern the folder's name. Another URL
 * has the last part of its path, or its host. Never holds a password. Cut to size. Any thread. */
void source_name(char *out, size_t size, const char *url);

/* FFmpeg's log lines go to handler(priority as in syslog(3), camera, text): whole, redacted, without line ends, repeats
 * counted. camera is the thread's source_log_as(). NULL: they are dropped. The handler is called from any thread.
 * Process-wide; call once, early. Until then FFmpeg writes to standard error itself, and errors of sources name fewer causes. */
void source_set_log(void (*handler)(int priority, const char *camera, const char *text));
/* Hands on a line of FFmpeg's log that came from elsewhere, as the handler's: for the calling thread's camera. */
void source_log(int priority, const char *text);
/* Prepares what every source needs, so that processes forked afterwards share it. Reads nothing. */
void source_warm_up(void);
/* Names the camera whose sources the calling thread reads, for log lines. Borrowed for the thread's life; NULL: none. */
void source_log_as(const char *camera);

#endif
