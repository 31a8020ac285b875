/* Pictures become gray as by FFmpeg's own scaler. Full-range gray of the output's size stays the same, bit for bit. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/video/gray.h"
#include "io/video/source.h"
#include "tests/clips.h"
#include "tests/frame.h"
#include "tests/io/video/reading.h"

START_TEST(lossless_gray_passes_bit_for_bit)
{
    static const char *const names[] = {"pass.nut", "pass.mkv", "pass.avi"};
    enum { W = 37, H = 21, N = 30 };
    static uint8_t pixels[N * W * H];
    srandom(1);
    for (size_t i = 0; i < sizeof pixels; i++)
        pixels[i] = (uint8_t)random();
    for (int i = 0; i < 3; i++) {
        clip_gray(names[i], pixels, N, W, H, 10, "");
        read_all(clip_path(names[i]), &(struct source_options){.width = W, .height = H});
        ck_assert_int_eq(all.n, N);
        ck_assert_int_eq(all.result, 0);
        ck_assert_int_eq(all.gaps + all.corrupt, 0);
        ck_assert_mem_eq(all.pixels, pixels, sizeof pixels);
        for (int k = 0; k < N; k++)
            ck_assert_int_eq(all.frames[k].pts_us, k * 100000);
        ck_assert_double_eq_tol(all.stats.fps_in, 10, 1e-9);
        ck_assert_str_eq(all.stats.codec, "ffv1");
        ck_assert_uint_eq(all.stats.frames_decoded, N);
        ck_assert_int_eq(all.stats.width, W);
        ck_assert_int_eq(all.stats.height, H);
    }
}
END_TEST

static void compare(const char *path, int width, int height, int tolerance)
{
    int n;
    uint8_t *reference = clip_reference(path, width, height, &n);
    read_all(path, &(struct source_options){.width = width, .height = height, .decoder_threads = 1});
    ck_assert_int_eq(all.n, n);
    for (size_t i = 0; i < (size_t)n * (size_t)width * (size_t)height; i++)
        if (abs(all.pixels[i] - reference[i]) > tolerance)
            ck_abort_msg("%s %dx%d: pixel %zu is %d, FFmpeg says %d", path, width, height, i, all.pixels[i], reference[i]);
    free(reference);
}

START_TEST(other_pictures_as_ffmpeg_turns_them)
{
    static const char *const formats[] = {
        "format=yuv420p -color_range tv -c:v ffv1",     "format=yuv420p -color_range pc -c:v ffv1",
        "format=yuv420p -c:v ffv1",                     "format=yuvj420p -c:v mjpeg -q:v 2",
        "format=yuv422p10le -c:v ffv1",                 "format=bgr0 -c:v ffv1",
        "format=gray -c:v ffv1",                        "format=gray16le -c:v ffv1",
        "format=rgb24 -c:v png",                        "format=yuv420p -c:v libx264",
        "format=yuvj420p -c:v libx264",                 "format=pal8 -c:v png",
    };
    static const int sizes[][2] = {{64, 48}, {40, 30}, {31, 17}, {128, 128}};
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        clips_ffmpeg("-f lavfi -i testsrc2=s=64x48:r=10:d=0.3 -vf %s @/gray.mkv", formats[i]);
        for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++)
            compare(clip_path("gray.mkv"), sizes[k][0], sizes[k][1], 1);
    }
}
END_TEST

/* Black and dark gray, in limited and in full range, at the same size and at another. */
START_TEST(honours_the_range)
{
    static const char *const ranges[] = {"-color_range tv", "", "-color_range pc"};
    static const uint8_t expected[] = {0, 0, 16};
    for (int i = 0; i < 3; i++) {
        /* BT.601: 16 is black in limited range, and dark gray in full range. */
        clips_ffmpeg("-f rawvideo -pix_fmt yuv420p -s 4x4 -r 10 %s -i /dev/zero -frames:v 1 -vf lutyuv=y=16:u=128:v=128 "
                     "-c:v ffv1 %s @/range.mkv", ranges[i], ranges[i]);
        for (int side = 4; side <= 9; side += 5) {
            read_all(clip_path("range.mkv"), &(struct source_options){.width = side, .height = side});
            ck_assert_int_eq(all.n, 1);
            for (int k = 0; k < side * side; k++)
                ck_assert_int_eq(all.pixels[k], expected[i]);
        }
    }
}
END_TEST

START_TEST(gray_that_says_limited)
{
    struct gray *gray = NULL;
    struct error err;
    uint8_t pixels[6 * 4];
    ck_assert_int_eq(gray_open(&gray, 0, 4), -EINVAL);
    ck_assert_int_eq(gray_open(&gray, 4, 8193), -EINVAL);
    ck_assert_int_eq(gray_open(&gray, 6, 4), 0);
    AVFrame *frame = frame_of(AV_PIX_FMT_GRAY8, 6, 4);
    for (int y = 0; y < 4; y++)
        memset(frame->data[0] + y * frame->linesize[0], y < 2 ? 16 : 235, 6);
    ck_assert_int_eq(gray_convert(gray, frame, (struct turn){0}, pixels, &err), 0);
    ck_assert(pixels[0] == 16 && pixels[23] == 235);
    frame->color_range = AVCOL_RANGE_MPEG;
    ck_assert_int_eq(gray_convert(gray, frame, (struct turn){0}, pixels, &err), 0);
    ck_assert(pixels[0] == 0 && pixels[23] == 255);
    frame->format = AV_PIX_FMT_VAAPI;
    ck_assert_int_eq(gray_convert(gray, frame, (struct turn){0}, pixels, &err), -EINVAL);
    frame->format = AV_PIX_FMT_GRAY8;
    av_frame_free(&frame);
    gray_close(gray);
    gray_close(NULL);
}
END_TEST

START_TEST(real_footage_as_ffmpeg_turns_it)
{
    const char *path = "../shared/data/ped2/test/01.mp4";
    if (access(path, R_OK) != 0) {
        printf("SKIPPED: %s is not there\n", path);
        return;
    }
    compare(path, 64, 64, 1);
    ck_assert_int_eq(all.n, 180);
    ck_assert_int_eq(all.gaps + all.corrupt, 0);
    ck_assert_int_eq(all.frames[179].pts_us, 17900000);
    compare(path, 360, 240, 1);
    read_all(path, &(struct source_options){.width = 32, .height = 24, .fps = 10});
    ck_assert_int_eq(all.n, 180);
}
END_TEST

/* Writes matrix [9], 16.16 fixed point, into the track header of an MP4 file. */
static void write_matrix(const char *from, const char *to, const int *matrix)
{
    size_t size, at = 0;
    uint8_t *data = clip_read(from, &size);
    while (at + 4 < size && memcmp(data + at, "tkhd", 4) != 0)
        at++;
    ck_assert_uint_lt(at + 80, size);
    for (int i = 0; i < 9; i++) {
        uint32_t value = (uint32_t)matrix[i] << (i % 3 == 2 ? 30 : 16);
        for (int k = 0; k < 4; k++)
            data[at + 44 + 4 * (size_t)i + (size_t)k] = (uint8_t)(value >> (24 - 8 * k));
    }
    clip_write(to, data, size);
    free(data);
}

static void peek(const char *name, int *width, int *height)
{
    struct source *source;
    struct error err = {0};
    ck_assert_msg(source_open(&source, clip_path(name), &small, &err) == 0, "%s", err.text);
    ck_assert_int_eq(source_peek(source, width, height, &err), 1);
    source_close(source);
}

/* Pictures are turned and mirrored by a display matrix as FFmpeg's own tools do. */
START_TEST(pictures_are_turned_as_a_viewer_shows_them)
{
    static const int turns[8][4] = {{1, 0, 0, 1}, {0, 1, -1, 0}, {-1, 0, 0, -1}, {0, -1, 1, 0},
                                    {-1, 0, 0, 1}, {1, 0, 0, -1}, {0, 1, 1, 0}, {0, -1, -1, 0}};
    clips_ffmpeg("-f lavfi -i testsrc2=s=96x64:r=10:d=0.3 -c:v libx264 -pix_fmt yuv420p -color_range tv @/upright.mp4");
    for (int i = 0; i < 8; i++) {
        const int *t = turns[i];
        int width, height;
        bool turned = t[0] == 0;
        write_matrix("upright.mp4", "turned.mp4", (const int[]){t[0], t[1], 0, t[2], t[3], 0, 96 * (t[0] + t[2] < 0),
                                                                96 * (t[1] + t[3] < 0), 1});
        compare(clip_path("turned.mp4"), turned ? 64 : 96, turned ? 96 : 64, 0);
        compare(clip_path("turned.mp4"), 40, 33, 2);
        peek("turned.mp4", &width, &height);
        ck_assert(width == (turned ? 64 : 96) && height == (turned ? 96 : 64));
        ck_assert_int_eq(all.stats.width, width);
    }
}
END_TEST

/* The stream itself holds a display orientation. */
START_TEST(pictures_that_say_how_they_are_turned)
{
    clips_ffmpeg("-f lavfi -i testsrc2=s=96x64:r=10:d=0.3 -c:v libx264 -bsf:v h264_metadata=display_orientation=insert:rotate=90 "
                 "@/sei.mkv");
    compare(clip_path("sei.mkv"), 64, 96, 0);
    int width, height;
    peek("sei.mkv", &width, &height);
    ck_assert(width == 64 && height == 96);
}
END_TEST

START_TEST(pixels_that_are_not_square)
{
    static const struct { const char *name, *options; int width, height; } clips[] = {
        {"wide.mkv", "setsar=2/1 -c:v ffv1", 192, 64}, {"high.mp4", "setsar=3/4 -c:v libx264", 96, 85},
        {"stream.h264", "setsar=4/3 -c:v libx264", 128, 64}, {"square.mkv", "setsar=1/1 -c:v ffv1", 96, 64},
        {"none.mkv", "setsar=0 -c:v ffv1", 96, 64}, {"absurd.mkv", "setsar=90/1 -c:v ffv1", 96, 64},
    };
    for (size_t i = 0; i < sizeof clips / sizeof *clips; i++) {
        int width, height;
        clips_ffmpeg("-f lavfi -i testsrc2=s=96x64:r=10:d=0.3 -vf %s @/%s", clips[i].options, clips[i].name);
        peek(clips[i].name, &width, &height);
        ck_assert_msg(width == clips[i].width && abs(height - clips[i].height) <= 1, "%s: %dx%d", clips[i].name, width, height);
    }
}
END_TEST

int main(void)
{
    bool clips = clips_open();
    source_set_log(NULL);
    TCase *tc = tcase_create("gray");
    tcase_add_test(tc, gray_that_says_limited);
    if (clips) {
        tcase_add_test(tc, lossless_gray_passes_bit_for_bit);
        tcase_add_test(tc, other_pictures_as_ffmpeg_turns_them);
        tcase_add_test(tc, honours_the_range);
        tcase_add_test(tc, pictures_are_turned_as_a_viewer_shows_them);
        tcase_add_test(tc, pictures_that_say_how_they_are_turned);
        tcase_add_test(tc, pixels_that_are_not_square);
        tcase_add_test(tc, real_footage_as_ffmpeg_turns_it);
    }
    return run_case(tc, "gray");
}
