/* The formats and codecs that cameras and footage use can be opened. Others are refused by name. No decoder of audio is ever
 * opened. */
#include <check.h>
#include <dlfcn.h>
#include <errno.h>
#include <libavcodec/avcodec.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "io/video/input/allowed.h"
#include "io/video/source.h"
#include "tests/clips.h"
#include "tests/io/video/reading.h"

static int sound_opened;

/* Replaces FFmpeg's own function, also for calls out of libavformat. */
int avcodec_open2(AVCodecContext *context, const AVCodec *codec, AVDictionary **options)
{
    static int (*own)(AVCodecContext *, const AVCodec *, AVDictionary **);
    if (!own)
        own = (int (*)(AVCodecContext *, const AVCodec *, AVDictionary **))dlsym(RTLD_NEXT, "avcodec_open2");
    int r = own(context, codec, options);
    bool sound = codec && codec->type != AVMEDIA_TYPE_VIDEO;
    sound_opened += sound && r == 0;
    return r;
}

static void make_moving(const char *options, const char *name)
{
    clips_ffmpeg("-f lavfi -i testsrc2=s=128x96:r=25:d=1 -f lavfi -i sine=d=1 %s @/%s", options, name);
}

START_TEST(allowed_kinds_open)
{
    static const struct {
        const char *options, *name;
    } kinds[] = {
        {"-c:v libx264 -an", "a.h264"}, {"-c:v libx265 -x265-params log-level=none -an", "a.hevc"}, {"-c:v mpeg4 -an", "a.m4v"},
        {"-c:v mjpeg -an", "a.mjpeg"}, {"-c:v mpeg2video -an", "a.m2v"}, {"-c:v mpeg1video -an", "a.m1v"},
        {"-c:v libx264 -c:a aac", "a.mp4"}, {"-c:v libx264 -c:a aac", "b.mkv"}, {"-c:v libx264 -c:a aac", "b.ts"},
        {"-c:v mpeg2video -c:a mp2", "c.mpg"}, {"-c:v libx264 -c:a aac", "d.flv"}, {"-c:v flv -c:a mp3", "e.flv"},
        {"-c:v libvpx -deadline realtime -c:a libvorbis", "f.webm"}, {"-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -an",
                                                                      "g.webm"},
        {"-c:v libsvtav1 -preset 12 -an", "h.mkv"}, {"-c:v libsvtav1 -preset 12 -an", "h.ivf"},
        {"-c:v libsvtav1 -preset 12 -an", "h.obu"}, {"-c:v libtheora -c:a libvorbis", "i.ogv"},
        {"-c:v msmpeg4 -c:a mp3", "j.avi"}, {"-c:v msmpeg4v2 -an", "k.avi"}, {"-c:v wmv1 -an", "l.asf"},
        {"-c:v wmv2 -c:a wmav2", "l.wmv"}, {"-c:v mjpeg -c:a pcm_s16le", "m.avi"},
        {"-c:v rawvideo -pix_fmt yuv420p -an", "n.avi"}, {"-c:v huffyuv -an", "o.avi"}, {"-c:v ffvhuff -an", "p.avi"},
        {"-c:v utvideo -an", "q.avi"}, {"-c:v cinepak -an -frames:v 3", "r.avi"}, {"-c:v ffv1 -an", "s.nut"},
        {"-pix_fmt yuv420p -an", "t.y4m"}, {"-c:v prores -c:a pcm_s16le", "u.mov"}, {"-c:v svq1 -an", "v.mov"},
        {"-c:v png -an", "w.mov"}, {"-c:v jpeg2000 -an", "x.mov"}, {"-s 720x576 -pix_fmt yuv420p -c:v dvvideo -an", "y.dv"},
        {"-s 1280x720 -c:v dnxhd -b:v 90M -pix_fmt yuv422p -an", "z.mxf"},
        {"-c:v h263 -s 176x144 -an", "za.3gp"}, {"-an", "zb.gif"}, {"-c:v magicyuv -an", "zc.avi"}, {"-c:v v210 -an", "zd.mov"},
        {"-an -f apng", "ze.apng"}, {"-c:v libx264 -c:a aac -hls_list_size 0 -hls_time 1", "zf.m3u8"},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        make_moving(kinds[i].options, kinds[i].name);
        read_all(clip_path(kinds[i].name), &small);
        ck_assert_msg(all.result == 0 && all.n >= 3, "%s: %d pictures, %d %s", kinds[i].name, all.n, all.result, all.err.text);
    }
    ck_assert_int_eq(sound_opened, 0);
}
END_TEST

START_TEST(allowed_pictures_open)
{
    static const char *const names[] = {"a.jpg", "a.png", "a.bmp", "a.tiff", "a.webp", "a.gif", "a.jp2", "a.jls", "a.pbm",
                                        "a.pgm", "a.ppm", "a.pam", "a.pgmyuv", "a.pfm", "a.sgi", "a.ras", "a.tga", "a.dpx",
                                        "a.exr"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        clips_ffmpeg("-f lavfi -i testsrc2=s=64x48:r=25 -frames:v 1 %s @/%s", strstr(names[i], "pfm") ? "-pix_fmt gbrpf32le" : "",
                     names[i]);
        read_all(clip_path(names[i]), &small);
        ck_assert_msg(all.n == 1, "%s", names[i]);
    }
}
END_TEST

START_TEST(other_formats_and_codecs_are_refused_by_name)
{
    static const struct {
        const char *options, *name, *cause;
    } kinds[] = {
        {"-vn", "a.wav", "the format is wav, which is not one that cameras or footage use"},
        {"-vn", "a.flac", "the format is flac, "},
        {"-c:v rv10 -an", "a.rm", "the format is rm, "},
        {"-c:v flv -s 128x96 -r 25 -an", "a.swf", "the format is swf, "},
        {"-c:v flashsv -an", "a.flv", "the codec is flashsv, which is not one that cameras or footage use"},
        {"-c:v snow -strict -2 -an", "a.nut", "the codec is snow, "},
        {"-c:v vc2 -strict -2 -pix_fmt yuv422p -an", "a.mkv", "the codec is dirac, "},
        {"-c:v zmbv -an", "a.avi", "the codec is zmbv, "},
        {"-c:v qtrle -an", "a.mov", "the codec is qtrle, "},
        {"-vn -c:a aac", "sound.mp4", "holds no video (1 streams)"},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        make_moving(kinds[i].options, kinds[i].name);
        ck_assert_int_eq(open_fails(clip_path(kinds[i].name), &small, kinds[i].cause), -EINVAL);
    }
    ck_assert_int_eq(sound_opened, 0);
}
END_TEST

/* Texts that name other inputs, and pictures that FFmpeg draws from a text. */
START_TEST(texts_are_refused_by_name)
{
    static const struct {
        const char *name, *text, *cause;
    } texts[] = {
        {"a.ffconcat", "ffconcat version 1.0\nfile whole.ts\n", "the format is concat, "},
        {"a.mpd",
         "<?xml version=\"1.0\"?>\n<MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\" type=\"static\" "
         "profiles=\"urn:mpeg:dash:profile:isoff-live:2011\">\n</MPD>\n", "the format is dash, "},
        {"a.svg", "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"4\" height=\"4\"></svg>", "the codec is svg, "},
        {"a.ans", "\033[1mhello\n", "the format is tty, "},
        {"encrypted.m3u8",
         "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-KEY:METHOD=AES-128,URI=\"key\",IV=0x00000000000000000000000000000001\n"
         "#EXTINF:1,\nwhole.ts\n#EXT-X-ENDLIST\n", "the protocol is crypto, "},
        {"sound.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nsound.mp3\n#EXT-X-ENDLIST\n", "the format is mp3, "},
        {"subfile.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nsubfile,,start,0,end,0,,:whole.ts\n#EXT-X-ENDLIST\n",
         "the protocol is subfile, "},
        {"far.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://127.0.0.1:9/whole.ts\n#EXT-X-ENDLIST\n",
         "the protocol is http, "},
    };
    make_moving("-c:v libx264 -c:a aac", "whole.ts");
    make_moving("-vn", "sound.mp3");
    clip_write("key", "0123456789abcdef", 16);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        clip_write(texts[i].name, texts[i].text, strlen(texts[i].text));
        open_fails(clip_path(texts[i].name), &small, texts[i].cause);
    }
}
END_TEST

/* A file of an allowed format whose codec is not allowed is no picture. */
START_TEST(a_folder_holds_allowed_pictures_alone)
{
    mkdir(clip_path("folder"), 0700);
    clips_ffmpeg("-f lavfi -i testsrc2=s=64x48:r=25 -frames:v 2 @/folder/%%d.jpg");
    clips_ffmpeg("-f lavfi -i testsrc2=s=64x48:r=25 -frames:v 2 -start_number 3 @/folder/%%d.pcx");
    read_all(clip_path("folder"), &small);
    ck_assert_int_eq(all.n, 2);
    ck_assert_int_eq(open_fails(clip_path("folder/3.pcx"), &small, "the format is pcx_pipe, "), -EINVAL);
}
END_TEST

/* Of the demuxers on the list, none reads a device, and none for the network opens files by itself. */
START_TEST(lists)
{
    ck_assert_ptr_nonnull(strstr(allowed_formats(true), ",image2"));
    ck_assert_ptr_null(strstr(allowed_formats(false), "image2"));
    ck_assert(allowed_codec(AV_CODEC_ID_H264) && allowed_codec(AV_CODEC_ID_AV1) && !allowed_codec(AV_CODEC_ID_NONE));
    char names[4096], *rest = names, *name;
    snprintf(names, sizeof names, "%s", allowed_decoders());
    while ((name = strsep(&rest, ","))) {
        const AVCodec *codec = avcodec_find_decoder_by_name(name);
        ck_assert_msg(!codec || codec->type == AVMEDIA_TYPE_VIDEO, "%s", name);
    }
    snprintf(names, sizeof names, "%s", allowed_formats(true));
    for (rest = names; (name = strsep(&rest, ","));)
        ck_assert_msg(*name, "an empty name");
}
END_TEST

int main(void)
{
    bool clips = clips_open();
    source_set_log(NULL);
    setenv("SVT_LOG", "0", 1);
    TCase *tc = tcase_create("allowed");
    tcase_add_test(tc, lists);
    if (clips) {
        tcase_add_test(tc, allowed_kinds_open);
        tcase_add_test(tc, allowed_pictures_open);
        tcase_add_test(tc, other_formats_and_codecs_are_refused_by_name);
        tcase_add_test(tc, texts_are_refused_by_name);
        tcase_add_test(tc, a_folder_holds_allowed_pictures_alone);
    }
    return run_case(tc, "allowed");
}
