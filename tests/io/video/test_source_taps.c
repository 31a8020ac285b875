/* A tap sees every packet as libavformat reads it, and every picked picture in colour. It changes nothing. */
#include <check.h>
#include <errno.h>
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/adler32.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "io/video/source.h"
#include "tests/clips.h"
#include "tests/io/video/reading.h"

/* ---- a consumer that keeps all it sees -------------------------------------------------------------------------------- */

static struct seen {
    int streams, packets, frames;
    enum AVCodecID codec[8];    /* of each stream */
    int packets_before[8];      /* packets seen before each stream */
    AVRational time_base;
    double fps;
    AVCodecParameters *parameters;      /* of the last stream */
    AVPacket *packet[MAX_FRAMES];
    AVFrame *frame[MAX_FRAMES];
    uint32_t packet_sum[MAX_FRAMES], frame_sum[MAX_FRAMES];
    struct source_frame info[MAX_FRAMES];
} seen;

/* Returns the sum of the first plane, which every pixel format has. */
static uint32_t sum_of_frame(const AVFrame *frame)
{
    uint32_t sum = 1;
    for (int y = 0; y < frame->height; y++)
        sum = av_adler32_update(sum, frame->data[0] + y * frame->linesize[0], (unsigned)frame->width);
    return sum;
}

static uint32_t sum_of_packet(const AVPacket *packet)
{
    return av_adler32_update(1, packet->data, (unsigned)packet->size);
}

static void see_stream(void *arg, const struct source_stream *stream)
{
    ck_assert_ptr_eq(arg, &seen);
    ck_assert_int_lt(seen.streams, 8);
    seen.packets_before[seen.streams] = seen.packets;
    seen.codec[seen.streams++] = stream->parameters->codec_id;
    seen.time_base = (AVRational){stream->time_base_num, stream->time_base_den};
    seen.fps = stream->fps;
    if (!seen.parameters)
        seen.parameters = avcodec_parameters_alloc();
    ck_assert_int_ge(avcodec_parameters_copy(seen.parameters, stream->parameters), 0);
}

static void see_packet(void *arg, const AVPacket *packet)
{
    ck_assert_ptr_eq(arg, &seen);
    ck_assert_int_lt(seen.packets, MAX_FRAMES);
    ck_assert_ptr_nonnull(packet->buf);                 /* the packet can be kept without a copy */
    seen.packet_sum[seen.packets] = sum_of_packet(packet);
    seen.packet[seen.packets++] = av_packet_clone(packet);
}

static void see_frame(void *arg, const AVFrame *frame, const struct source_frame *info)
{
    ck_assert_ptr_eq(arg, &seen);
    ck_assert_int_lt(seen.frames, MAX_FRAMES);
    int at = 0;
    while (at < seen.packets && seen.packet[at]->pts != frame->best_effort_timestamp)
        at++;
    ck_assert_msg(at < seen.packets, "frame %d came before its packet", seen.frames);
    seen.info[seen.frames] = *info;
    seen.frame_sum[seen.frames] = sum_of_frame(frame);
    seen.frame[seen.frames++] = av_frame_clone(frame);
}

/* Checks that packets and frames are unchanged, though the source is closed, and frees them. */
static void forget(void)
{
    for (int i = 0; i < seen.packets; i++) {
        ck_assert_uint_eq(sum_of_packet(seen.packet[i]), seen.packet_sum[i]);
        av_packet_free(&seen.packet[i]);
    }
    for (int i = 0; i < seen.frames; i++) {
        ck_assert_uint_eq(sum_of_frame(seen.frame[i]), seen.frame_sum[i]);
        av_frame_free(&seen.frame[i]);
    }
    avcodec_parameters_free(&seen.parameters);
    seen = (struct seen){0};
}

static const struct source_tap whole_tap = {.arg = &seen, .stream = see_stream, .packet = see_packet, .frame = see_frame};

static struct source_options tapped(double fps)
{
    struct source_options options = small;
    options.fps = fps;
    options.tap = whole_tap;
    return options;
}

/* Checks that the frames seen are those returned, in order, with the same times and flags. */
static void check_frames(void)
{
    ck_assert_int_eq(seen.frames, all.n);
    for (int i = 0; i < all.n; i++) {
        ck_assert_int_eq(seen.info[i].pts_us, all.frames[i].pts_us);
        ck_assert_int_eq(seen.info[i].gap, all.frames[i].gap);
        ck_assert_int_eq(seen.info[i].corrupt, all.frames[i].corrupt);
    }
}

/* Compares the packets seen with those that libavformat alone reads from the file. Returns how many of them are of
 * key frames. */
static int check_packets(const char *path)
{
    AVFormatContext *format = NULL;
    AVPacket *packet = av_packet_alloc();
    char name[600];
    int n = 0, keys = 0;
    snprintf(name, sizeof name, "file:%s", path);
    ck_assert_int_ge(avformat_open_input(&format, name, NULL, NULL), 0);
    ck_assert_int_ge(avformat_find_stream_info(format, NULL), 0);
    int video = av_find_best_stream(format, AVMEDIA_TYPE_VIDEO, -1, -1, NULL, 0);
    ck_assert_int_ge(video, 0);
    const AVStream *stream = format->streams[video];
    while (av_read_frame(format, packet) >= 0) {
        if (packet->stream_index == video) {
            ck_assert_int_lt(n, seen.packets);
            const AVPacket *got = seen.packet[n++];
            ck_assert_int_eq(got->pts, packet->pts);
            ck_assert_int_eq(got->dts, packet->dts);
            ck_assert_int_eq(got->flags, packet->flags);
            ck_assert_int_eq(got->size, packet->size);
            ck_assert_mem_eq(got->data, packet->data, (size_t)packet->size);
            keys += (got->flags & AV_PKT_FLAG_KEY) != 0;
        }
        av_packet_unref(packet);
    }
    ck_assert_int_eq(seen.packets, n);
    ck_assert_int_eq(seen.streams, 1);
    ck_assert_int_eq(seen.packets_before[0], 0);
    ck_assert(seen.time_base.num == stream->time_base.num && seen.time_base.den == stream->time_base.den);
    ck_assert_int_eq(seen.parameters->codec_id, stream->codecpar->codec_id);
    ck_assert_int_eq(seen.parameters->width, stream->codecpar->width);
    ck_assert_int_eq(seen.parameters->height, stream->codecpar->height);
    ck_assert_int_eq(seen.parameters->extradata_size, stream->codecpar->extradata_size);
    if (stream->codecpar->extradata_size)
        ck_assert_mem_eq(seen.parameters->extradata, stream->codecpar->extradata, (size_t)stream->codecpar->extradata_size);
    av_packet_free(&packet);
    avformat_close_input(&format);
    return keys;
}

/* ---- packets ---------------------------------------------------------------------------------------------------------- */

static const struct {
    const char *name, *options;
    int keys;                   /* key frames of 50 packets */
    bool less;                  /* at a low rate not all packets are decoded */
} clips[] = {
    {"sound.mkv", "-f lavfi -i sine=d=5 -c:v libx264 -g 10 -bf 2 -x264-params scenecut=0:b-pyramid=none -c:a pcm_s16le", 5,
     true},
    {"index.mp4", "-c:v libx264 -g 25 -x264-params scenecut=0", 2, true},
    {"stream.ts", "-c:v mpeg2video -g 10 -bf 0 -sc_threshold 1000000000", 5, false},
    {"parts.avi", "-c:v mpeg4 -g 10 -bf 0 -sc_threshold 1000000000", 5, false},
    {"jpeg.mov", "-c:v mjpeg -q:v 3", 50, true},
};

static void make_clip(size_t i)
{
    clips_ffmpeg("-f lavfi -i testsrc2=s=64x48:r=10:d=5 %s -pix_fmt yuv420p -strict -1 @/%s", clips[i].options,
                 clips[i].name);
}

START_TEST(sees_every_packet)
{
    for (size_t i = 0; i < sizeof clips / sizeof *clips; i++) {
        make_clip(i);
        for (int fps = 0; fps <= 2; fps += 2) {
            struct source_options options = tapped(fps);
            read_all(clip_path(clips[i].name), &options);
            ck_assert_int_eq(all.result, 0);
            int keys = check_packets(clip_path(clips[i].name));
            ck_assert_int_eq(seen.packets, 50);
            ck_assert_int_eq(keys, clips[i].keys);
            ck_assert_double_eq_tol(seen.fps, 10, 1e-6);
            if (fps && clips[i].less)
                ck_assert_uint_lt(all.stats.frames_decoded, 40);
            check_frames();
            forget();
        }
    }
}
END_TEST

/* A stream is joined in the middle; another one has a packet that the decoder refuses. */
START_TEST(sees_packets_that_give_no_good_picture)
{
    clips_ffmpeg("-f lavfi -i testsrc2=s=128x96:r=10:d=4 -c:v libx264 -g 20 -bf 0 -sc_threshold 0 -pix_fmt yuv420p "
                 "@/joined.mkv");
    clips_ffmpeg("-i @/joined.mkv -c copy -bsf:v noise=drop='lt(n\\,5)' -copyinkf @/middle.mkv");
    struct source_options options = tapped(0);
    read_all(clip_path("middle.mkv"), &options);
    ck_assert_int_eq(check_packets(clip_path("middle.mkv")), 1);
    ck_assert_int_eq(seen.packets, 35);
    for (int i = 0; i < 35; i++)
        ck_assert_int_eq((seen.packet[i]->flags & AV_PKT_FLAG_KEY) != 0, i == 15);
    check_frames();
    ck_assert_int_eq(all.corrupt, 15);
    forget();

    clips_ffmpeg("-f lavfi -i testsrc2=s=64x48:r=10:d=3 -c:v png @/refused.mov");
    size_t size;
    uint8_t *data = clip_read("refused.mov", &size);
    int images = 0;
    for (size_t k = 0; k + 4 < size; k++)
        if (memcmp(data + k, "\x89PNG", 4) == 0 && images++ == 7)
            memset(data + k, 0, 4);
    clip_write("refused.mov", data, size);
    free(data);
    read_all(clip_path("refused.mov"), &options);
    ck_assert_uint_eq(all.stats.packets_lost, 1);
    check_packets(clip_path("refused.mov"));
    ck_assert_int_eq(seen.packets, 30);
    ck_assert_int_eq(seen.frames, 29);
    check_frames();
    forget();
}
END_TEST

/* ---- frames ----------------------------------------------------------------------------------------------------------- */

/* The clip is red, green and blue for a second each; every second picture is picked. */
START_TEST(sees_the_colour)
{
    static const int colours[3][3] = {{81, 90, 240}, {145, 54, 34}, {41, 240, 110}};    /* Y, U, V of BT.601 */
    static const char *const names[] = {"colours.mkv", "colours.mp4"};
    static const char *const codecs[] = {"ffv1", "libx264 -bf 2"};
    for (int c = 0; c < 2; c++) {
        clips_ffmpeg("-f lavfi -i color=red:s=64x48:r=10:d=1 -f lavfi -i color=lime:s=64x48:r=10:d=1 -f lavfi -i "
                     "color=blue:s=64x48:r=10:d=1 -filter_complex concat=n=3,format=yuv420p -c:v %s @/%s", codecs[c],
                     names[c]);
        struct source_options options = tapped(5);
        read_all(clip_path(names[c]), &options);
        ck_assert_int_eq(all.n, 15);
        check_frames();
        for (int i = 0; i < seen.frames; i++) {
            const AVFrame *frame = seen.frame[i];
            ck_assert(frame->width == 64 && frame->height == 48 && frame->format == AV_PIX_FMT_YUV420P);
            int64_t since = frame->best_effort_timestamp - seen.frame[0]->best_effort_timestamp;
            ck_assert_int_eq(av_rescale_q(since, seen.time_base, (AVRational){1, 1000000}), seen.info[i].pts_us);
            const int *colour = colours[seen.info[i].pts_us / 1000000];
            for (int plane = 0; plane < 3; plane++)
                ck_assert_int_le(abs(frame->data[plane][12 * frame->linesize[plane] + 16] - colour[plane]), 3);
            ck_assert_int_le(abs(level(i) - (colour[0] - 16) * 255 / 219), 4);          /* gray and colour are one picture */
        }
        forget();
    }
}
END_TEST

/* With a tap that keeps all that it sees, pictures, times, flags and counts are the same as without, at any rate and number
 * of threads. */
START_TEST(a_tap_changes_nothing)
{
    static const double rates[] = {0, 2, 7};
    for (size_t i = 0; i < sizeof clips / sizeof *clips; i++) {
        make_clip(i);
        for (int k = 0; k < 6; k++) {
            struct source_options options = small, with;
            options.fps = rates[k / 2];
            options.decoder_threads = k % 2 ? 3 : 1;
            read_all(clip_path(clips[i].name), &options);
            struct all without = all;
            all.pixels = NULL;
            with = options;
            with.tap = whole_tap;
            read_all(clip_path(clips[i].name), &with);
            ck_assert_int_gt(seen.packets, 0);
            check_frames();
            forget();
            ck_assert_int_eq(all.n, without.n);
            ck_assert_mem_eq(all.pixels, without.pixels, (size_t)all.n * 32 * 24);
            for (int n = 0; n < all.n; n++)
                ck_assert(all.frames[n].pts_us == without.frames[n].pts_us && all.frames[n].gap == without.frames[n].gap &&
                          all.frames[n].corrupt == without.frames[n].corrupt);
            ck_assert_uint_eq(all.stats.frames_decoded, without.stats.frames_decoded);
            ck_assert_uint_eq(all.stats.packets_lost, without.stats.packets_lost);
            ck_assert(all.stats.fps_in == without.stats.fps_in);
            free(without.pixels);
        }
    }
}
END_TEST

/* ---- streams ---------------------------------------------------------------------------------------------------------- */

START_TEST(is_told_each_stream)
{
    struct source *source = NULL;
    struct source_options options = tapped(0);
    struct error err;
    clip_levels("told.mkv", 5, 32, 24, 10, "");
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(source_open(&source, clip_path("told.mkv"), &options, &err), 0);
        ck_assert(seen.streams == i + 1 && seen.packets == 5 * i);      /* it is told in opening, before any packet */
        read_on(source, &options);
        source_close(source);
        ck_assert(seen.streams == i + 1 && seen.packets == 5 * (i + 1) && seen.frames == 5 * (i + 1));
    }
    forget();
    open_fails(clip_path("absent.mkv"), &options, "No such file");
    ck_assert_int_eq(seen.streams, 0);

    /* A folder tells a stream before its first packet and where the kind of images changes. An empty file is no packet. */
    mkdir(clip_path("mixed"), 0700);
    clips_ffmpeg("-i @/told.mkv @/mixed/%%d.png");
    clips_ffmpeg("-f lavfi -i color=gray:s=64x48 -frames:v 1 @/mixed/3a.jpg");
    clip_write("mixed/4a.png", "", 0);
    ck_assert_int_eq(source_open(&source, clip_path("mixed"), &options, &err), 0);
    ck_assert_int_eq(seen.streams, 0);
    read_on(source, &options);
    source_close(source);
    static const enum AVCodecID codecs[] = {AV_CODEC_ID_PNG, AV_CODEC_ID_MJPEG, AV_CODEC_ID_PNG};
    static const int before[] = {0, 3, 4};
    ck_assert_int_eq(seen.streams, 3);
    for (int i = 0; i < 3; i++)
        ck_assert(seen.codec[i] == codecs[i] && seen.packets_before[i] == before[i]);
    ck_assert(seen.time_base.num == 1 && seen.time_base.den == SOURCE_DEFAULT_FPS);
    ck_assert_int_eq(seen.packets, 6);
    for (int i = 0; i < 6; i++)
        ck_assert_int_eq(seen.packet[i]->pts, i < 5 ? i : i + 1);
    check_frames();
    forget();
}
END_TEST

START_TEST(a_peeked_picture_is_seen_when_it_is_read)
{
    struct source *source = NULL;
    struct source_options options = tapped(0);
    struct error err;
    struct source_frame frame;
    static uint8_t pixels[32 * 24];
    int width, height;
    clip_levels("peeked.mkv", 5, 32, 24, 10, "");
    ck_assert_int_eq(source_open(&source, clip_path("peeked.mkv"), &options, &err), 0);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(source_peek(source, &width, &height, &err), 1);
        ck_assert(seen.packets > 0 && seen.frames == 0);
    }
    ck_assert_int_eq(source_read(source, pixels, &frame, &err), 1);
    ck_assert_int_eq(seen.frames, 1);
    source_close(source);
    forget();
}
END_TEST

/* A tap may leave out any of its functions. */
START_TEST(a_tap_need_not_see_all)
{
    clip_levels("some.mkv", 5, 32, 24, 10, "");
    for (int which = 0; which < 3; which++) {
        struct source_options options = tapped(0);
        options.tap = (struct source_tap){.arg = &seen, .stream = which == 0 ? see_stream : NULL,
                                          .packet = which == 1 ? see_packet : NULL};
        read_all(clip_path("some.mkv"), &options);
        ck_assert_int_eq(all.n, 5);
        ck_assert(seen.streams == (which == 0) && seen.packets == 5 * (which == 1) && seen.frames == 0);
        forget();
    }
}
END_TEST

int main(void)
{
    bool there = clips_open();
    source_set_log(NULL);
    TCase *tc = tcase_create("source_taps");
    if (there) {
        tcase_add_test(tc, sees_every_packet);
        tcase_add_test(tc, sees_packets_that_give_no_good_picture);
        tcase_add_test(tc, sees_the_colour);
        tcase_add_test(tc, a_tap_changes_nothing);
        tcase_add_test(tc, is_told_each_stream);
        tcase_add_test(tc, a_peeked_picture_is_seen_when_it_is_read);
        tcase_add_test(tc, a_tap_need_not_see_all);
    }
    return run_case(tc, "source_taps");
}
