/* io/picture/moment: which picture a moment gives, in many containers and with key frames at many distances. Colours, turns,
 * aspects and sizes are as FFmpeg's own tools show them. Also: limits and faults. */
#include "io/picture/moment.h"

#include <check.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "io/base/clock.h"
#include "tests/io/video/packets/packets.h"

static const struct moment_options whole = {.longest = PICTURE_MAX_SIDE};

static struct moment read_at(const char *path, int64_t pts_us, const struct moment_options *options)
{
    struct moment moment;
    struct error err;
    ck_assert_msg(moment_read(&moment, path, pts_us, options, &err) == 0, "%s", err.text);
    ck_assert_int_ge(moment.pts_us, 0);
    return moment;
}

/* The number of a picture of levels.*: a quarter of its gray level. */
static int number_of(const struct moment *moment)
{
    return (*picture_at(&moment->picture, moment->picture.width / 2, moment->picture.height / 2) + 2) / 4;
}

/* Makes 60 pictures at 10 a second. Picture i has gray level 4 i. */
static void make_levels(const char *options, const char *name)
{
    clips_ffmpeg("-f lavfi -i color=black:s=64x48:r=10:d=6 -vf format=gray,geq=lum=4*N,format=yuvj420p %s @/%s", options, name);
}

START_TEST(the_last_picture_at_or_before)
{
    static const struct {
        const char *options, *name;
    } clips[] = {
        {"-c:v libx264 -crf 1 -g 10 -bf 2", "a.mp4"}, {"-c:v libx264 -crf 1 -g 250 -bf 3", "b.mkv"},
        {"-c:v libx264 -crf 1 -g 20 -movflags +frag_keyframe+empty_moov", "c.mp4"}, {"-c:v libx264 -crf 1 -g 20 -bf 2", "d.ts"},
        {"-c:v mjpeg -q:v 1", "e.mkv"}, {"-c:v libx265 -x265-params log-level=none:crf=1 -g 20", "f.mp4"},
        {"-c:v libx264 -crf 1 -g 10", "g.flv"}, {"-c:v libx264 -crf 1 -g 20 -x264-params open-gop=1 -bf 3", "h.mp4"},
        {"-c:v libx264 -crf 1 -g 10 -bf 0", "i.h264"}, {"-c:v mjpeg -q:v 1", "j.avi"},
    };
    static const int64_t moments_us[] = {0, 1, 99999, 100000, 1950000, 2000000, 3100000, 4444444, 5900000, 99000000, -5};
    for (size_t c = 0; c < sizeof clips / sizeof *clips; c++) {
        make_levels(clips[c].options, clips[c].name);
        for (size_t i = 0; i < sizeof moments_us / sizeof *moments_us; i++) {
            struct moment moment = read_at(clip_path(clips[c].name), moments_us[i], &whole);
            int number = (int)fmin(fmax((double)(moments_us[i] / 100000), 0), 59);
            ck_assert_msg(number_of(&moment) == number, "%s at %lld us: picture %d, expected %d", clips[c].name,
                          (long long)moments_us[i], number_of(&moment), number);
            ck_assert_msg(llabs(moment.pts_us - number * 100000) <= 1000, "%s at %lld us: its time is %lld us", clips[c].name,
                          (long long)moments_us[i], (long long)moment.pts_us);
            ck_assert(!moment.corrupt);
            picture_close(&moment.picture);
        }
    }
}
END_TEST

/* Each `step`th of 40 pictures must be the one that decoding from the beginning gives, bit for bit. */
static void same_as_from_start(const char *name, int step)
{
    const struct moment_options from_start = {.longest = PICTURE_MAX_SIDE, .from_start = true};
    for (int i = 0; i < 40; i += step) {
        struct moment found = read_at(clip_path(name), i * 100000 + 50000, &whole);
        struct moment decoded = read_at(clip_path(name), i * 100000 + 50000, &from_start);
        ck_assert_msg(found.pts_us == decoded.pts_us && !found.corrupt, "%s: picture %d: %lld us, expected %lld", name, i,
                      (long long)found.pts_us, (long long)decoded.pts_us);
        ck_assert_msg(memcmp(found.picture.pixels, decoded.picture.pixels, 3 * 64 * 48) == 0, "%s: picture %d is damaged", name,
                      i);
        picture_close(&found.picture);
        picture_close(&decoded.picture);
    }
}

/* Fragments that begin with a key frame, fragments that do not, open groups, other containers. */
START_TEST(whatever_the_container)
{
    static const struct {
        const char *options, *name;
    } clips[] = {
        {"-c:v libx264 -g 10 -bf 0 -movflags +frag_keyframe+empty_moov", "a.mp4"},
        {"-c:v libx264 -g 8 -bf 2 -movflags +dash -frag_duration 300000", "b.mp4"},
        {"-c:v libx264 -g 8 -bf 0 -frag_duration 500000", "c.mp4"},
        {"-c:v libx264 -g 8 -bf 3 -x264-params open-gop=1 -movflags +empty_moov -frag_duration 500000", "d.mp4"},
        {"-c:v libx264 -g 8 -bf 2", "e.mp4"}, {"-c:v libx264 -g 8 -bf 2", "f.mkv"}, {"-c:v mpeg4 -g 8 -bf 2", "g.avi"},
        {"-c:v libx264 -g 8 -bf 0", "h.avi"},
    };
    for (size_t c = 0; c < sizeof clips / sizeof *clips; c++) {
        clips_ffmpeg("-f lavfi -i testsrc2=s=64x48:r=10:d=4 -pix_fmt yuv420p %s @/%s", clips[c].options, clips[c].name);
        same_as_from_start(clips[c].name, 3);
    }
}
END_TEST

/* Clips as memaed writes them: with their index, and without it, as a crash leaves them. */
START_TEST(clips_with_and_without_an_index)
{
    static const char *const codecs[] = {"libx264 -g 8 -bf 0", "libx264 -g 20 -bf 3",
                                         "libx265 -x265-params log-level=none -g 16"};
    for (size_t c = 0; c < sizeof codecs / sizeof *codecs; c++) {
        size_t size;
        clips_ffmpeg("-f lavfi -i testsrc2=s=64x48:r=10:d=4 -pix_fmt yuv420p -c:v %s @/footage.mkv", codecs[c]);
        read_packets(clip_path("footage.mkv"));
        write_clip("clip.mp4", 0, n_packets);
        same_as_from_start("clip.mp4", 1);
        uint8_t *data = clip_read("clip.mp4", &size), *index = memmem(data, size, "sidx", 4);
        ck_assert_ptr_nonnull(index);
        memcpy(index, "free", 4);
        clip_write("killed.mp4", data, size);
        same_as_from_start("killed.mp4", 1);
        free(data);
        free_packets();
    }
}
END_TEST

START_TEST(images_by_their_rate)
{
    make_levels("-c:v png -start_number 0", "%03d.png");
    struct moment_options options = {.longest = 100, .source = {.fps = 4}};
    struct moment moment = read_at(clip_path("%03d.png"), 2600000, &options);
    ck_assert_int_eq(number_of(&moment), 10);
    picture_close(&moment.picture);
}
END_TEST

/* The processor time that reading a moment takes, in microseconds. */
static int64_t cost_of(const char *clip, int64_t at_us)
{
    int64_t start_us = clock_us(CLOCK_PROCESS_CPUTIME_ID);
    struct moment moment = read_at(clip_path(clip), at_us, &whole);
    int64_t cost_us = clock_us(CLOCK_PROCESS_CPUTIME_ID) - start_us;
    ck_assert_int_ge(moment.pts_us, at_us - 40000);
    picture_close(&moment.picture);
    return cost_us;
}

START_TEST(decodes_from_the_key_frame_only)
{
    /* Both moments are the last before a key frame. To decode the ten minutes before one of them would cost 600 times as much
     * as the second before the other. To read their packets costs a few times as much. */
    clips_ffmpeg("-f lavfi -i testsrc2=s=640x360:r=25:d=60 -c:v libx264 -preset ultrafast -g 25 @/minute.mp4");
    clips_ffmpeg("-stream_loop 9 -i @/minute.mp4 -c copy @/long.mp4");
    int64_t second_us = cost_of("minute.mp4", 960000), minutes_us = cost_of("long.mp4", INT64_C(598960000));
    ck_assert_msg(minutes_us < 60 * second_us, "%lld us, against %lld us", (long long)minutes_us, (long long)second_us);
}
END_TEST

/* Compares the first picture with ffmpeg's conversion of it at that size. */
static void compare(const char *name, const char *filter, int width, int height, int longest, double tolerance)
{
    size_t size;
    double sum = 0;
    clips_ffmpeg("-i @/%s -frames:v 1 -vf %s,format=rgb24 -f rawvideo @/expected.rgb", name, filter);
    uint8_t *expected = clip_read("expected.rgb", &size);
    struct moment moment = read_at(clip_path(name), 0, &(struct moment_options){.longest = longest});
    ck_assert_msg(moment.picture.width == width && moment.picture.height == height, "%s: %dx%d", name, moment.picture.width,
                  moment.picture.height);
    ck_assert_uint_eq(size, 3 * (size_t)width * (size_t)height);
    for (size_t i = 0; i < size; i++)
        sum += abs(expected[i] - moment.picture.pixels[i]);
    ck_assert_msg(sum / (double)size <= tolerance, "%s: pixels differ by %g on average, at %dx%d", name, sum / (double)size,
                  width, height);
    picture_close(&moment.picture);
    free(expected);
}

START_TEST(colours_as_ffmpeg_converts_them)
{
    static const char *const formats[] = {
        "format=yuv420p -color_range tv -c:v ffv1", "format=yuv420p -color_range pc -c:v ffv1",
        "format=yuvj420p -c:v mjpeg -q:v 2", "format=yuv422p10le -c:v ffv1", "format=bgr0 -c:v ffv1", "format=gray -c:v ffv1",
        "format=rgb24 -c:v png", "format=pal8 -c:v png", "format=yuv444p -c:v libx264 -qp 10",
    };
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        clips_ffmpeg("-f lavfi -i testsrc2=s=98x62:r=10:d=0.3 -vf %s @/colour.mkv", formats[i]);
        compare("colour.mkv", "scale=flags=bilinear+accurate_rnd+full_chroma_int", 98, 62, PICTURE_MAX_SIDE, 1.5);
        compare("colour.mkv", "scale=49:31:flags=bilinear+accurate_rnd+full_chroma_int", 49, 31, 49, 3);
    }
    /* HD without a colour matrix counts as BT.709, and it is made so here. */
    clips_ffmpeg("-f lavfi -i color=red:s=1280x720:r=10:d=0.2 -vf scale=out_color_matrix=bt709,format=yuv420p -c:v ffv1 "
                 "@/hd.mkv");
    struct moment moment = read_at(clip_path("hd.mkv"), 0, &(struct moment_options){.longest = 640});
    const uint8_t *at = picture_at(&moment.picture, 100, 100);
    ck_assert_msg(moment.picture.height == 360 && at[0] >= 250 && at[1] <= 4 && at[2] <= 4, "%d %d %d", at[0], at[1], at[2]);
    picture_close(&moment.picture);
}
END_TEST

START_TEST(turned_and_stretched_as_a_viewer_shows_it)
{
    /* ffmpeg itself turns the pictures of a file that says so. */
    clips_ffmpeg("-f lavfi -i testsrc2=s=96x64:r=10:d=0.3 -vf boxblur=5:1:5 -c:v libx264 -qp 5 @/upright.mp4");
    for (int angle = 0; angle < 360; angle += 90) {
        clips_ffmpeg("-i @/upright.mp4 -c copy -metadata:s:v rotate=%d @/turned.mp4", angle);
        bool swap = angle % 180;
        compare("turned.mp4", "scale=flags=bilinear+accurate_rnd+full_chroma_int", swap ? 64 : 96, swap ? 96 : 64,
                PICTURE_MAX_SIDE, 4);
        compare("turned.mp4", swap ? "scale=32:48:flags=bilinear+accurate_rnd+full_chroma_int" :
                "scale=48:32:flags=bilinear+accurate_rnd+full_chroma_int", swap ? 32 : 48, swap ? 48 : 32, 48, 5);
    }
    clips_ffmpeg("-f lavfi -i testsrc2=s=96x64:r=10:d=0.3 -vf setsar=2/1 -c:v ffv1 @/wide.mkv");
    compare("wide.mkv", "scale=192:64:flags=bilinear+accurate_rnd+full_chroma_int", 192, 64, PICTURE_MAX_SIDE, 4);
    compare("wide.mkv", "scale=100:33:flags=bilinear+accurate_rnd+full_chroma_int", 100, 33, 100, 5);
}
END_TEST

START_TEST(damaged_files_give_what_they_have)
{
    size_t size;
    make_levels("-c:v libx264 -crf 1 -g 10 -movflags +frag_keyframe+empty_moov", "whole.mp4");
    uint8_t *data = clip_read("whole.mp4", &size);
    clip_write("cut.mp4", data, size * 2 / 3);
    struct moment moment = read_at(clip_path("cut.mp4"), 5900000, &whole);
    ck_assert_int_ge(number_of(&moment), 15);
    picture_close(&moment.picture);
    make_levels("-c:v libx264 -crf 1 -g 60 -bsf:v noise=amount=300", "noise.mkv");
    struct error err;
    if (moment_read(&moment, clip_path("noise.mkv"), 3000000, &whole, &err) == 0) {
        ck_assert(moment.corrupt || moment.picture.width == 64);
        picture_close(&moment.picture);
    }
    free(data);
}
END_TEST

START_TEST(ends_when_told_or_late)
{
    struct moment moment = {.pts_us = 7};
    struct error err;
    atomic_bool stop = true;
    clips_ffmpeg("-f lavfi -i testsrc2=s=1280x720:r=25:d=20 -c:v libx264 -preset ultrafast -g 500 @/far.mkv");
    ck_assert_int_eq(moment_read(&moment, clip_path("far.mkv"), 19000000,
                                 &(struct moment_options){.longest = 64, .source = {.stop = &stop}}, &err), -EINTR);
    ck_assert_int_eq(moment_read(&moment, clip_path("far.mkv"), 19000000,
                                 &(struct moment_options){.longest = 64, .limit_ms = 50}, &err), -ETIMEDOUT);
    ck_assert_ptr_nonnull(strstr(err.text, "far.mkv: no picture within the time limit"));
    ck_assert_int_eq(moment.pts_us, 7);
}
END_TEST

START_TEST(faults_name_the_file)
{
    static const struct {
        const char *name;
        int longest, r;
    } cases[] = {{"missing.mp4", 64, -ENOENT}, {"text.mp4", 64, -EINVAL}, {"a.mkv", 0, -EINVAL},
                 {"a.mkv", PICTURE_MAX_SIDE + 1, -EINVAL}};
    struct moment moment;
    struct error err;
    clip_write("text.mp4", "no video", 8);
    make_levels("-c:v ffv1", "a.mkv");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ck_assert_int_eq(moment_read(&moment, clip_path(cases[i].name), 0, &(struct moment_options){.longest = cases[i].longest},
                                     &err),
                         cases[i].r);
        ck_assert_msg(strstr(err.text, cases[i].name) != NULL, "%s", err.text);
    }
}
END_TEST

int main(void)
{
    source_set_log(NULL);
    TCase *tc = tcase_create("moment");
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, the_last_picture_at_or_before);
    tcase_add_test(tc, whatever_the_container);
    tcase_add_test(tc, clips_with_and_without_an_index);
    tcase_add_test(tc, images_by_their_rate);
    tcase_add_test(tc, decodes_from_the_key_frame_only);
    tcase_add_test(tc, colours_as_ffmpeg_converts_them);
    tcase_add_test(tc, turned_and_stretched_as_a_viewer_shows_it);
    tcase_add_test(tc, damaged_files_give_what_they_have);
    tcase_add_test(tc, ends_when_told_or_late);
    tcase_add_test(tc, faults_name_the_file);
    return clips_run("moment", tc);
}
