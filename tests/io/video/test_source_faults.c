/* Sources may be no video, cut short or damaged. Errors name their cause, and damaged pictures are flagged. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/video/source.h"
#include "tests/clips.h"
#include "tests/io/video/reading.h"

START_TEST(what_is_no_video)
{
    ck_assert_int_eq(open_fails(clip_path("absent.mp4"), &small, "No such file"), -ENOENT);
    clip_write("empty.mp4", "", 0);
    ck_assert_int_eq(open_fails(clip_path("empty.mp4"), &small, "the file is empty"), -EINVAL);
    char text[4096];
    memset(text, 'a', sizeof text);
    clip_write("text.mp4", text, sizeof text);
    ck_assert_int_eq(open_fails(clip_path("text.mp4"), &small, "text.mp4: "), -EINVAL);
    clip_write("text.txt", text, sizeof text);
    int r = open_fails(clip_path("text.txt"), &small, "text.txt: ");
    ck_assert_int_eq(r, -EINVAL);
    clips_ffmpeg("-f lavfi -i sine=d=0.2 -c:a aac @/sound.mp4");
    ck_assert_int_eq(open_fails(clip_path("sound.mp4"), &small, "holds no video"), -EINVAL);
    clips_ffmpeg("-f lavfi -i testsrc=s=32x24 -frames:v 1 @/cover.png");
    clips_ffmpeg("-i @/sound.mp4 -i @/cover.png -map 0 -map 1 -c copy -disposition:v attached_pic @/cover.mp4");
    ck_assert_int_eq(open_fails(clip_path("cover.mp4"), &small, "holds no video"), -EINVAL);
    mkfifo(clip_path("pipe"), 0600);
    ck_assert_int_eq(open_fails(clip_path("pipe"), &small,
                                "expected a regular file or a folder, got a device, a pipe or a socket"), -EINVAL);
    ck_assert_int_eq(open_fails("gopher://host/x", &small,
                                "expected a protocol such as rtsp, rtsps, http, https, rtmp, srt or udp, got \"gopher\""),
                     -EINVAL);
    ck_assert_int_eq(open_fails("unix:///x", &small, "got \"unix\""), -EINVAL);
    ck_assert_int_eq(open_fails("pipe:0", &small, "No such file"), -ENOENT);
    ck_assert_int_eq(open_fails("", &small, "No such file"), -ENOENT);
    struct source_options bad = small;
    bad.width = 0;
    clip_levels("ok.nut", 2, 32, 24, 10, "");
    ck_assert_int_eq(open_fails(clip_path("ok.nut"), &bad, "0x24"), -EINVAL);
    bad = small;
    bad.fps = -1;
    ck_assert_int_eq(open_fails(clip_path("ok.nut"), &bad, "got -1"), -EINVAL);
}
END_TEST

START_TEST(tiny_video_and_odd_names)
{
    clip_levels("tiny.mkv", 5, 1, 1, 10, "");
    read_all(clip_path("tiny.mkv"), &small);
    ck_assert_int_eq(all.n, 5);
    for (int i = 0; i < 5; i++)
        for (int k = 0; k < 32 * 24; k++)
            ck_assert_int_eq(all.pixels[i * 32 * 24 + k], i);
    clips_ffmpeg("-i @/tiny.mkv -vf format=yuv444p -c:v ffv1 @/tiny444.mkv");
    read_all(clip_path("tiny444.mkv"), &small);
    ck_assert_int_eq(all.n, 5);

    rename(clip_path("tiny.mkv"), clip_path("12:30.mkv"));
    ck_assert_int_eq(chdir(clip_path("")), 0);
    read_all("12:30.mkv", &small);
    ck_assert_int_eq(all.n, 5);
    read_all("file:12:30.mkv", &small);
    ck_assert_int_eq(all.n, 5);
    char url[600];
    snprintf(url, sizeof url, "file://%s", clip_path("12:30.mkv"));
    read_all(url, &small);
    ck_assert_int_eq(all.n, 5);
}
END_TEST

/* A file that is cut at any byte gives a clear error or a clean end. A picture without a flag equals that of the whole file. */
START_TEST(files_cut_short)
{
    static const struct {
        const char *name, *options;
    } files[] = {
        {"cut.mkv", "-c:v ffv1 -pix_fmt gray"}, {"cut.avi", "-c:v ffv1 -pix_fmt gray"}, {"cut.ts", "-c:v libx264"},
        {"cut.mp4", "-c:v libx264"}, {"cut.mjpeg", "-c:v mjpeg"}, {"cut.nut", "-c:v mjpeg"},
        {"cutfrag.mp4", "-c:v libx264 -movflags frag_keyframe+empty_moov -g 5"},
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        clips_ffmpeg("-f lavfi -i testsrc2=s=64x48:r=10:d=2 %s @/%s", files[i].options, files[i].name);
        read_all(clip_path(files[i].name), &small);
        ck_assert_int_eq(all.n, 20);
        ck_assert_int_eq(all.result, 0);
        ck_assert_int_eq(all.gaps + all.corrupt, 0);
        uint8_t *whole = malloc(20 * 32 * 24);
        memcpy(whole, all.pixels, 20 * 32 * 24);
        int64_t step_us = all.frames[1].pts_us;
        size_t size;
        uint8_t *data = clip_read(files[i].name, &size);
        int shortened = 0;
        for (size_t cut = 0; cut < size; cut += size / 23) {
            struct source *source = NULL;
            struct error err = {0};
            const char *name = strchr(files[i].name, '.');
            char cut_name[32];
            snprintf(cut_name, sizeof cut_name, "short%s", name);
            clip_write(cut_name, data, cut);
            int r = source_open(&source, clip_path(cut_name), &small, &err);
            if (r < 0) {
                ck_assert_msg(strstr(err.text, cut_name), "%s", err.text);
                continue;
            }
            read_on(source, &small);
            source_close(source);
            ck_assert_msg(all.result == 0 || (all.result == -EINVAL && all.n == 0), "%s at %zu: %d %s", files[i].name, cut,
                          all.result, all.err.text);
            ck_assert_int_le(all.n, 20);
            shortened += all.n > 0 && all.n < 20;
            for (int k = 0; k < all.n; k++)
                if (!all.frames[k].corrupt) {
                    int64_t at = all.frames[k].pts_us / step_us;        /* its place in the whole file, by its time */
                    ck_assert_int_lt(at, 20);
                    ck_assert_msg(memcmp(whole + at * 32 * 24, all.pixels + k * 32 * 24, 32 * 24) == 0,
                                  "%s cut at %zu of %zu: frame %d of %d, %d before", files[i].name, cut, size, k, all.n, (int)at);
                }
        }
        if (strcmp(files[i].name, "cut.mp4") != 0)      /* MP4 has its index at the end */
            ck_assert_int_gt(shortened, 5);
        free(data);
        free(whole);
    }
}
END_TEST

START_TEST(damage_is_flagged_until_the_next_key_frame)
{
    /* Key frames are 0, 20 and 40. Bytes are damaged all over the middle of the file. */
    clips_ffmpeg("-f lavfi -i testsrc2=s=128x96:r=10:d=6 -c:v libx264 -g 20 -bf 0 -sc_threshold 0 -pix_fmt yuv420p @/whole.h264");
    clips_ffmpeg("-r 10 -i @/whole.h264 -c copy @/whole.avi");
    size_t size;
    uint8_t *data = clip_read("whole.avi", &size);
    read_all(clip_path("whole.avi"), &small);
    ck_assert_int_eq(all.n, 60);
    ck_assert_int_eq(all.gaps + all.corrupt, 0);
    uint8_t *whole = malloc(60 * 32 * 24);
    memcpy(whole, all.pixels, 60 * 32 * 24);
    int flagged = 0;
    for (size_t at = size / 5; at < size * 4 / 5; at += size / 17) {
        uint8_t *bad = malloc(size);
        memcpy(bad, data, size);
        for (size_t k = 0; k < 40; k++)
            bad[at + k] ^= (uint8_t)(0x5a + k);
        clip_write("spoilt.avi", bad, size);
        free(bad);
        read_all(clip_path("spoilt.avi"), &small);
        ck_assert_int_eq(all.result, 0);
        ck_assert_int_ge(all.n, 58);
        ck_assert_int_lt(all.corrupt, 45);
        flagged += all.corrupt > 0 || all.stats.packets_lost > 0;
        for (int k = 1; k < all.n; k++)
            if (all.frames[k - 1].corrupt && !all.frames[k].corrupt) {
                ck_assert(all.frames[k].gap);
                const uint8_t *picture = all.pixels + k * 32 * 24;      /* an undamaged key frame */
                ck_assert(memcmp(picture, whole + 20 * 32 * 24, 32 * 24) == 0 ||
                          memcmp(picture, whole + 40 * 32 * 24, 32 * 24) == 0);
            }
    }
    ck_assert_int_gt(flagged, 5);
    free(data);
    free(whole);
}
END_TEST

/* A stream joined in the middle gives pictures from the start, flagged as corrupt until the first key frame. */
START_TEST(what_comes_before_the_first_key_frame_is_corrupt)
{
    clips_ffmpeg("-f lavfi -i testsrc2=s=128x96:r=10:d=4 -c:v libx264 -g 20 -bf 0 -sc_threshold 0 -pix_fmt yuv420p @/joined.mkv");
    clips_ffmpeg("-i @/joined.mkv -c copy -bsf:v noise=drop='lt(n\\,5)' -copyinkf @/middle.mkv");
    read_all(clip_path("middle.mkv"), &small);
    ck_assert_int_eq(all.result, 0);
    ck_assert_int_eq(all.n, 35);
    for (int i = 0; i < 35; i++)
        ck_assert_msg(all.frames[i].corrupt == (i < 15), "frame %d of 35", i);
    ck_assert(all.frames[15].gap && !all.frames[16].gap);
    ck_assert_uint_eq(all.stats.frames_corrupt, 15);
}
END_TEST

int main(void)
{
    bool clips = clips_open();
    source_set_log(NULL);
    TCase *tc = tcase_create("source_faults");
    if (clips) {
        tcase_add_test(tc, what_is_no_video);
        tcase_add_test(tc, tiny_video_and_odd_names);
        tcase_add_test(tc, files_cut_short);
        tcase_add_test(tc, damage_is_flagged_until_the_next_key_frame);
        tcase_add_test(tc, what_comes_before_the_first_key_frame_is_corrupt);
    }
    return run_case(tc, "source_faults");
}
