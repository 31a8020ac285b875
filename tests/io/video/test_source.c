#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <libavutil/log.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "io/video/gray.h"
#include "io/video/source.h"
#include "tests/clips.h"

/* ---- all of a source ------------------------------------------------------------------------------------------------ */

enum { MAX_FRAMES = 512 };

struct all {
    int n, result, gaps, corrupt;
    struct source_frame frames[MAX_FRAMES];
    uint8_t *pixels;            /* [n, height, width] */
    struct source_stats stats;
    struct error err;
};

static struct all all;

static const struct source_options small = {.width = 32, .height = 24, .decoder_threads = 1};

static void read_on(struct source *source, const struct source_options *options)
{
    size_t size = (size_t)options->width * (size_t)options->height;
    int64_t last = -1;
    free(all.pixels);
    all = (struct all){.pixels = malloc(MAX_FRAMES * size)};
    while ((all.result = source_read(source, all.pixels + (size_t)all.n * size, &all.frames[all.n], &all.err)) == 1) {
        ck_assert_int_gt(all.frames[all.n].pts_us, last);
        last = all.frames[all.n].pts_us;
        all.gaps += all.frames[all.n].gap;
        all.corrupt += all.frames[all.n].corrupt;
        all.n++;
        ck_assert_int_lt(all.n, MAX_FRAMES);
    }
    if (all.n)
        ck_assert(all.frames[0].pts_us == 0 && !all.frames[0].gap);
    source_stats(source, &all.stats);
    struct error again = {0};
    struct source_frame frame;
    ck_assert_int_eq(source_read(source, all.pixels, &frame, &again), all.result);      /* it stays ended */
    ck_assert_str_eq(again.text, all.err.text);
}

static void read_all(const char *url, const struct source_options *options)
{
    struct source *source = NULL;
    struct error err = {0};
    int r = source_open(&source, url, options, &err);
    ck_assert_msg(r == 0, "%s", err.text);
    read_on(source, options);
    source_close(source);
}

static int open_fails(const char *url, const struct source_options *options, const char *cause)
{
    struct source *source = NULL;
    struct error err = {0};
    int r = source_open(&source, url, options, &err);
    ck_assert_int_lt(r, 0);
    ck_assert_ptr_null(source);
    ck_assert_msg(strstr(err.text, cause), "%s", err.text);
    return r;
}

/* The gray level that picture i is filled with. */
static int level(int i)
{
    return all.pixels[(size_t)i * 32 * 24 + 32 * 12 + 16];
}

/* ---- gray ------------------------------------------------------------------------------------------------------------ */

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

/* Black and white of the limited range, at the same size and at another. */
START_TEST(honours_the_range)
{
    static const char *const ranges[] = {"-color_range tv", "", "-color_range pc"};
    static const uint8_t expected[] = {0, 0, 16};
    for (int i = 0; i < 3; i++) {
        /* BT.601: black is 16 of the limited range, which is 16 of the full one if it is said to be that. */
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
    AVFrame *frame = av_frame_alloc();
    frame->width = 6;
    frame->height = 4;
    frame->format = AV_PIX_FMT_GRAY8;
    ck_assert_int_eq(av_frame_get_buffer(frame, 0), 0);
    for (int y = 0; y < 4; y++)
        memset(frame->data[0] + y * frame->linesize[0], y < 2 ? 16 : 235, 6);
    ck_assert_int_eq(gray_convert(gray, frame, pixels, &err), 0);
    ck_assert(pixels[0] == 16 && pixels[23] == 235);
    frame->color_range = AVCOL_RANGE_MPEG;
    ck_assert_int_eq(gray_convert(gray, frame, pixels, &err), 0);
    ck_assert(pixels[0] == 0 && pixels[23] == 255);
    frame->format = AV_PIX_FMT_VAAPI;
    ck_assert_int_eq(gray_convert(gray, frame, pixels, &err), -EINVAL);
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

/* ---- frames by time -------------------------------------------------------------------------------------------------- */

START_TEST(picks_by_time)
{
    static const struct {
        double source, fps;
        int n, every;
    } cases[] = {{10, 10, 60, 1}, {10, 5, 30, 2}, {10, 0, 60, 1}, {4, 10, 60, 1}, {25, 5, 12, 5}, {30, 10, 20, 3}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct source_options options = small;
        options.fps = cases[i].fps;
        clip_levels("pick.mkv", 60, 32, 24, cases[i].source, "");      /* timestamps rounded to milliseconds */
        read_all(clip_path("pick.mkv"), &options);
        ck_assert_int_eq(all.n, cases[i].n);
        ck_assert_int_eq(all.gaps, 0);
        for (int k = 0; k < all.n; k++) {
            ck_assert_int_eq(level(k), k * cases[i].every);
            ck_assert_double_eq_tol((double)all.frames[k].pts_us, k * cases[i].every * 1e6 / cases[i].source, 1000);
        }
        ck_assert_double_eq_tol(all.stats.fps_in, cases[i].source, 0.1);
        ck_assert_uint_eq(all.stats.frames_decoded, 60);
    }
}
END_TEST

/* Pictures between those that are picked are left out where the codec can, and nobody sees it. */
START_TEST(decodes_what_is_needed)
{
    enum { N = 150, SIZE = 32 * 24 };
    static const struct {
        const char *codec;
        bool less;
    } cases[] = {{"libx264 -bf 0", false}, {"libx264 -bf 3 -x264-params b-pyramid=none", true}, {"mpeg4 -bf 2", true},
                 {"mpeg2video -bf 2", true}, {"mjpeg -q:v 3", true}};
    static const double rates[] = {1, 3, 5, 7, 10, 12, 20};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        clips_ffmpeg("-f lavfi -i testsrc2=s=64x48:r=25:d=6 -pix_fmt yuv420p -strict -1 -c:v %s @/need.mkv", cases[i].codec);
        read_all(clip_path("need.mkv"), &small);
        ck_assert_int_eq(all.n, N);
        struct all whole = all;
        all.pixels = NULL;
        for (size_t k = 0; k < sizeof rates / sizeof *rates; k++) {
            struct source_options options = small;
            options.fps = rates[k];
            options.decoder_threads = k % 2 ? 1 : 3;
            read_all(clip_path("need.mkv"), &options);
            ck_assert_int_ge(all.n, (int)(6 * rates[k]));
            ck_assert_int_le(all.n, (int)(6 * rates[k]) + 1);
            ck_assert_int_eq(all.gaps + all.corrupt, 0);
            ck_assert_double_eq_tol(all.stats.fps_in, 25, 0.5);
            for (int a = 0, b = 0; a < all.n; a++, b++) {
                while (b < N && whole.frames[b].pts_us < all.frames[a].pts_us)
                    b++;
                ck_assert_int_lt(b, N);
                ck_assert_int_eq(whole.frames[b].pts_us, all.frames[a].pts_us);
                ck_assert_mem_eq(all.pixels + a * SIZE, whole.pixels + b * SIZE, SIZE);
            }
            if (!cases[i].less || rates[k] >= 20)
                ck_assert_uint_eq(all.stats.frames_decoded, N);
            else if (rates[k] <= 5)
                ck_assert_uint_lt(all.stats.frames_decoded, 2 * N / 3);
        }
        free(whole.pixels);
    }
}
END_TEST

START_TEST(tells_jumps_of_timestamps)
{
    /* Three seconds are missing after frame 9. */
    clip_levels("jump.nut", 20, 32, 24, 10, "-vf 'setpts=if(gte(N\\,10)\\,N+30\\,N)/10/TB' -vsync passthrough -enc_time_base 1:10");
    read_all(clip_path("jump.nut"), &small);
    ck_assert_int_eq(all.n, 20);
    ck_assert_int_eq(all.gaps, 1);
    ck_assert(all.frames[10].gap);
    ck_assert_int_eq(all.frames[9].pts_us, 900000);
    ck_assert_int_eq(all.frames[10].pts_us, 4000000);

    /* The second half begins anew at its own time. */
    clips_ffmpeg("-f lavfi -i testsrc=s=32x24:r=10:d=2 -c:v mpeg2video -q:v 2 -bf 0 -r 10 -strict -1 @/half.ts");
    clip_join("back.ts", "half.ts", "half.ts");
    for (int fps = 0; fps <= 10; fps += 10) {
        struct source_options options = small;
        options.fps = fps;
        read_all(clip_path("back.ts"), &options);
        ck_assert_int_eq(all.result, 0);
        ck_assert_int_eq(all.n, 40);
        ck_assert_int_eq(all.gaps, 1);
        ck_assert(all.frames[20].gap);
        ck_assert_int_lt(all.frames[39].pts_us, 4200000);
    }
}
END_TEST

START_TEST(goes_on_where_the_size_changes)
{
    clips_ffmpeg("-f lavfi -i testsrc=s=32x24:r=25:d=0.4 -c:v mjpeg @/a.mjpeg");
    clips_ffmpeg("-f lavfi -i testsrc=s=64x40:r=25:d=0.4 -c:v mjpeg @/b.mjpeg");
    clip_join("size.mjpeg", "a.mjpeg", "b.mjpeg");
    read_all(clip_path("size.mjpeg"), &small);
    ck_assert_int_eq(all.result, 0);
    ck_assert_int_eq(all.n, 20);
    ck_assert_int_eq(all.gaps, 1);
    ck_assert(all.frames[10].gap);
    ck_assert_int_eq(all.stats.width, 64);
    ck_assert_int_eq(all.stats.height, 40);
    /* The pictures of both halves are of one scene. */
    double far = 0;
    for (int i = 0; i < 32 * 24; i++)
        far += abs(all.pixels[9 * 32 * 24 + i] - all.pixels[10 * 32 * 24 + i]);
    ck_assert_double_lt(far / (32 * 24), 40);
}
END_TEST

/* ---- images ---------------------------------------------------------------------------------------------------------- */

/* The size of what comes is known before a picture is taken, and the pictures are those that come without asking. */
START_TEST(tells_the_size_first)
{
    mkdir(clip_path("peeked"), 0700);
    clip_levels("peeked.nut", 20, 64, 48, 10, "");
    clips_ffmpeg("-i @/peeked.nut @/peeked/%%02d.png");
    static const char *const names[] = {"peeked.nut", "peeked", "peeked/%02d.png"};
    for (int i = 0; i < 3; i++) {
        struct source *source;
        struct error err = {0};
        struct source_options later = small;
        later.width = later.height = 0;
        ck_assert_int_eq(source_open(&source, clip_path(names[i]), &later, &err), 0);
        for (int k = 0; k < 3; k++) {
            int width = 0, height = 0;
            ck_assert_int_eq(source_peek(source, &width, &height, &err), 1);
            ck_assert_msg(width == 64 && height == 48, "%s: %dx%d", names[i], width, height);
        }
        ck_assert_int_eq(source_resize(source, 0, 24, &err), -EINVAL);
        ck_assert_int_eq(source_resize(source, small.width, small.height, &err), 0);
        read_on(source, &small);
        source_close(source);
        ck_assert_int_eq(all.n, 20);
        ck_assert_int_eq(all.gaps + all.corrupt, 0);
        for (int k = 0; k < 20; k++)
            ck_assert_int_eq(level(k), k);
    }
    /* An end is an end: of a source that gives no picture, and of one that was read. */
    struct source *source;
    struct error err = {0}, again = {0};
    int width = 7, height = 7;
    mkdir(clip_path("spoilt"), 0700);
    clip_write("spoilt/1.png", "no picture", 10);
    ck_assert_int_eq(source_open(&source, clip_path("spoilt"), &small, &err), 0);
    ck_assert_int_eq(source_peek(source, &width, &height, &err), -EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "without a picture"));
    ck_assert_int_eq(source_peek(source, &width, &height, &again), -EINVAL);
    ck_assert_str_eq(again.text, err.text);
    ck_assert(width == 7 && height == 7);
    source_close(source);
    ck_assert_int_eq(source_open(&source, clip_path("peeked.nut"), &small, &err), 0);
    read_on(source, &small);
    ck_assert_int_eq(source_peek(source, &width, &height, &err), 0);
    source_close(source);
}
END_TEST

START_TEST(folders_of_images)
{
    mkdir(clip_path("images"), 0700);
    clip_levels("images.nut", 10, 32, 24, 10, "");
    clips_ffmpeg("-i @/images.nut -start_number 0 @/images/%%03d.png");
    ck_assert_int_eq(rename(clip_path("images/009.png"), clip_path("images/x%03d:9.png")), 0);  /* no pattern, no protocol */
    clips_ffmpeg("-f lavfi -i color=gray:s=64x48 -frames:v 1 @/images/000a.jpg");
    clip_write("images/readme.txt", "text", 4);
    clip_write("images/.hidden.png", "text", 4);
    mkdir(clip_path("images/folder.png"), 0700);

    for (int fps = 0; fps <= 5; fps += 5) {
        struct source_options options = small;
        options.fps = fps;
        char path[512];
        snprintf(path, sizeof path, "%s/", clip_path("images"));
        read_all(path, &options);
        ck_assert_int_eq(all.result, 0);
        ck_assert_int_eq(all.n, 11);
        ck_assert_int_eq(level(0), 0);
        for (int i = 1; i < 10; i++)
            ck_assert_int_eq(level(1 + i), i);
        ck_assert_int_eq(all.frames[10].pts_us, fps ? 2000000 : 400000);

        ck_assert(all.frames[1].gap && all.frames[2].gap);      /* another size, and back */
        ck_assert_int_eq(all.gaps, 2);
    }

    /* One that is no image at all: the sequence breaks there. */
    clip_write("images/000a.jpg", "text", 4);
    clip_write("images/004a.png", "", 0);
    read_all(clip_path("images"), &small);
    ck_assert_int_eq(all.result, 0);
    ck_assert_int_eq(all.n, 10);
    ck_assert_int_eq(all.gaps, 2);
    ck_assert(all.frames[1].gap && all.frames[5].gap);
    ck_assert_uint_eq(all.stats.packets_lost, 2);
    ck_assert_int_eq(all.frames[9].pts_us, 11 * 40000);

    mkdir(clip_path("none"), 0700);
    ck_assert_int_eq(open_fails(clip_path("none"), &small, "no image files"), -EINVAL);
    clip_write("none/a.png", "text", 4);
    read_all(clip_path("none"), &small);
    ck_assert_int_eq(all.result, -EINVAL);
    ck_assert_ptr_nonnull(strstr(all.err.text, "without a picture"));
}
END_TEST

START_TEST(patterns_of_images)
{
    mkdir(clip_path("sequence"), 0700);
    clip_levels("images.nut", 10, 32, 24, 10, "");
    clips_ffmpeg("-i @/images.nut @/sequence/%%03d.pgm");
    for (int fps = 0; fps <= 5; fps += 5) {
        struct source_options options = small;
        options.fps = fps;
        read_all(clip_path("sequence/%03d.pgm"), &options);
        ck_assert_int_eq(all.n, 10);
        ck_assert_int_eq(all.gaps, 0);
        for (int i = 0; i < 10; i++) {
            ck_assert_int_eq(level(i), i);
            ck_assert_int_eq(all.frames[i].pts_us, i * (fps ? 200000 : 40000));
        }
    }
    ck_assert_int_eq(open_fails(clip_path("sequence/x%03d.pgm"), &small, ""), -ENOENT);
    read_all(clip_path("sequence/001.pgm"), &small);
    ck_assert_int_eq(all.n, 1);
}
END_TEST

/* ---- bad input --------------------------------------------------------------------------------------------------------*/

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
    clips_ffmpeg("-f lavfi -i sine=d=0.2 -c:a pcm_s16le @/sound.wav");
    ck_assert_int_eq(open_fails(clip_path("sound.wav"), &small, "holds no video"), -EINVAL);
    clips_ffmpeg("-f lavfi -i testsrc=s=32x24 -frames:v 1 @/cover.png");
    clips_ffmpeg("-i @/sound.wav -i @/cover.png -map 0 -map 1 -c:v copy -disposition:v attached_pic @/cover.flac");
    ck_assert_int_eq(open_fails(clip_path("cover.flac"), &small, "holds no video"), -EINVAL);
    mkfifo(clip_path("pipe"), 0600);
    ck_assert_int_eq(open_fails(clip_path("pipe"), &small, "neither a regular file nor a folder"), -EINVAL);
    ck_assert_int_eq(open_fails("gopher://host/x", &small, "unknown kind of URL"), -EINVAL);
    ck_assert_int_eq(open_fails("unix:///x", &small, "unknown kind of URL"), -EINVAL);
    ck_assert_int_eq(open_fails("pipe:0", &small, "No such file"), -ENOENT);
    ck_assert_int_eq(open_fails("", &small, "No such file"), -ENOENT);
    struct source_options bad = small;
    bad.width = 0;
    clip_levels("ok.nut", 2, 32, 24, 10, "");
    ck_assert_int_eq(open_fails(clip_path("ok.nut"), &bad, "0x24"), -EINVAL);
    bad = small;
    bad.fps = -1;
    ck_assert_int_eq(open_fails(clip_path("ok.nut"), &bad, "-1 pictures a second"), -EINVAL);
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

/* Cut anywhere: an error that is clear, or an end that is clean; what is given out as sound is as it was. */
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
                    int64_t at = all.frames[k].pts_us / step_us;         /* where it was: the ones before may be missing */
                    ck_assert_int_lt(at, 20);
                    ck_assert_msg(memcmp(whole + at * 32 * 24, all.pixels + k * 32 * 24, 32 * 24) == 0,
                                  "%s cut at %zu of %zu: frame %d of %d, %d before", files[i].name, cut, size, k, all.n, (int)at);
                }
        }
        if (strcmp(files[i].name, "cut.mp4") != 0)      /* its index stands at the end */
            ck_assert_int_gt(shortened, 5);
        free(data);
        free(whole);
    }
}
END_TEST

START_TEST(damage_is_flagged_until_the_next_key_frame)
{
    /* Key frames at 0, 20, 40; bytes spoilt in the second group. */
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
                const uint8_t *picture = all.pixels + k * 32 * 24;      /* a key frame, as it was */
                ck_assert(memcmp(picture, whole + 20 * 32 * 24, 32 * 24) == 0 || memcmp(picture, whole + 40 * 32 * 24, 32 * 24) == 0);
            }
    }
    ck_assert_int_gt(flagged, 5);
    free(data);
    free(whole);
}
END_TEST

/* A stream joined in the middle: pictures come from the start, as corrupt, and are sound from the key frame on. */
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

/* ---- servers ----------------------------------------------------------------------------------------------------------*/

struct server {
    int fd, port;
    const uint8_t *answer;      /* sent once a request's blank line has come; NULL: nothing ever */
    size_t size;
    bool hold;                  /* the connection stays open then, silent */
    atomic_bool *stop;          /* set once a client is there, or its answer is sent; may be NULL */
    pthread_t thread;
};

static void *serve(void *arg)
{
    struct server *server = arg;
    for (;;) {
        int client = accept(server->fd, NULL, NULL);
        if (client < 0)
            return NULL;
        char request[4096] = "";
        size_t n = 0;
        while (server->answer && n < sizeof request - 1 && !strstr(request, "\r\n\r\n")) {
            ssize_t got = recv(client, request + n, sizeof request - 1 - n, 0);
            if (got <= 0)
                break;
            request[n += (size_t)got] = 0;
        }
        for (size_t sent = 0; server->answer && sent < server->size;) {
            ssize_t put = send(client, server->answer + sent, server->size - sent, MSG_NOSIGNAL);
            if (put <= 0)
                break;
            sent += (size_t)put;
        }
        if (server->stop)
            atomic_store(server->stop, true);
        while (server->hold && recv(client, request, sizeof request, 0) > 0)
            ;
        close(client);
    }
}

/* body: NULL for a server that never answers; head: NULL for none. */
static void server_open(struct server *server, const char *head, const void *body, size_t size, bool hold, atomic_bool *stop)
{
    static uint8_t answer[1 << 20];
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    *server = (struct server){.fd = socket(AF_INET, SOCK_STREAM, 0), .hold = hold, .stop = stop};
    ck_assert_int_eq(bind(server->fd, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(listen(server->fd, 8), 0);
    ck_assert_int_eq(getsockname(server->fd, (struct sockaddr *)&address, &length), 0);
    server->port = ntohs(address.sin_port);
    if (head) {
        server->size = strlen(head) + size;
        ck_assert_uint_lt(server->size, sizeof answer);
        memcpy(answer, head, strlen(head));
        if (size)
            memcpy(answer + strlen(head), body, size);
        server->answer = answer;
    }
    ck_assert_int_eq(pthread_create(&server->thread, NULL, serve, server), 0);
}

static void server_close(struct server *server)
{
    shutdown(server->fd, SHUT_RDWR);
    pthread_join(server->thread, NULL);
    close(server->fd);
}

static const char *server_url(const struct server *server, const char *scheme, const char *rest)
{
    static char url[256];
    snprintf(url, sizeof url, "%s://user:hunter2@127.0.0.1:%d/%s", scheme, server->port, rest);
    return url;
}

static int server_fails(const struct server *server, const char *scheme, const struct source_options *options, const char *cause)
{
    struct source *source = NULL;
    struct error err = {0};
    int r = source_open(&source, server_url(server, scheme, "clip.nut"), options, &err);
    ck_assert_int_lt(r, 0);
    ck_assert_msg(strstr(err.text, cause), "%s", err.text);
    ck_assert_msg(strstr(err.text, scheme), "%s", err.text);
    ck_assert_msg(!strstr(err.text, "hunter2") && strstr(err.text, "***@"), "%s", err.text);
    return r;
}

static const char *const schemes[] = {"rtsp", "http", "tcp", "rtmp"};

START_TEST(a_dead_server_ends_opening)
{
    struct server server;
    struct source_options options = small;
    options.stall_timeout_ms = 300;
    server_open(&server, NULL, NULL, 0, true, NULL);
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
        ck_assert_int_eq(server_fails(&server, schemes[i], &options, "no packet of the video for 0.3 s"), -ETIMEDOUT);
    options.udp = true;
    ck_assert_int_eq(server_fails(&server, "rtsp", &options, "no packet of the video for 0.3 s"), -ETIMEDOUT);
    server_close(&server);
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
        ck_assert_int_eq(server_fails(&server, schemes[i], &options, "refused"), -ECONNREFUSED);
}
END_TEST

START_TEST(a_stop_ends_opening)
{
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        struct server server;
        atomic_bool stop = false;
        struct source_options options = small;
        options.stop = &stop;           /* and no timeout at all */
        server_open(&server, NULL, NULL, 0, true, &stop);
        ck_assert_int_eq(server_fails(&server, schemes[i], &options, "stopped"), -EINTR);
        ck_assert_int_eq(server_fails(&server, schemes[i], &options, "stopped"), -EINTR);
        server_close(&server);
    }
}
END_TEST

START_TEST(answers_that_are_errors)
{
    static const struct {
        const char *head;
        int code;
    } answers[] = {
        {"HTTP/1.0 404 Not Found\r\n\r\n", -ENOENT},
        {"HTTP/1.0 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\"\r\n\r\n", -EACCES},
        {"HTTP/1.0 403 Forbidden\r\n\r\n", -EACCES},
        {"HTTP/1.0 500 Broken\r\n\r\n", -EIO},
        {"HTTP/1.0 200 OK\r\nContent-Type: text/html\r\nContent-Length: 31\r\n\r\n<html><p>not a video</p></html>", -EINVAL},
        {"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", -EINVAL},
        {"HTTP/1.0 302 Found\r\nLocation: file:///etc/passwd\r\n\r\n", -EINVAL},
        {"HTTP/1.0 200 OK\r\nContent-Type: application/vnd.apple.mpegurl\r\n\r\n#EXTM3U\n#EXT-X-TARGETDURATION:1\n"
         "#EXTINF:1,\nfile:///CLIP\n#EXT-X-ENDLIST\n", -EINVAL},
        {"HTTP/1.0 200 OK\r\n\r\nffconcat version 1.0\nfile file:///CLIP\n", -EPERM},
    };
    clips_ffmpeg("-f lavfi -i testsrc2=s=64x48:r=10:d=1 -c:v libx264 @/local.ts");
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        struct server server;
        struct source_options options = small;
        options.stall_timeout_ms = 10000;
        char head[1024];
        const char *clip = strstr(answers[i].head, "/CLIP");
        if (clip)
            snprintf(head, sizeof head, "%.*s%s%s", (int)(clip - answers[i].head), answers[i].head, clip_path("local.ts"), clip + 5);
        else
            snprintf(head, sizeof head, "%s", answers[i].head);
        server_open(&server, head, NULL, 0, false, NULL);
        int r = server_fails(&server, "http", &options, "");
        ck_assert_msg(r == answers[i].code, "%d for %s", r, head);
        server_close(&server);
    }
}
END_TEST

static void *set_true(void *arg)
{
    atomic_store((atomic_bool *)arg, true);
    return NULL;
}

START_TEST(http_reads_to_the_end_or_stalls)
{
    clips_ffmpeg("-f lavfi -i testsrc2=s=64x48:r=10:d=20 -pix_fmt gray -c:v ffv1 @/http.nut");
    read_all(clip_path("http.nut"), &small);
    uint8_t last[32 * 24];
    memcpy(last, all.pixels + 199 * sizeof last, sizeof last);
    size_t size;
    uint8_t *data = clip_read("http.nut", &size);
    struct source_options options = small;
    options.stall_timeout_ms = 2000;
    struct server server;

    server_open(&server, "HTTP/1.0 200 OK\r\n\r\n", data, size, false, NULL);
    read_all(server_url(&server, "http", "clip.nut"), &options);
    ck_assert_int_eq(all.result, 0);
    ck_assert_int_eq(all.n, 200);
    ck_assert_mem_eq(all.pixels + 199 * sizeof last, last, sizeof last);
    server_close(&server);

    /* Half of it, and then nothing. */
    options.stall_timeout_ms = 500;
    server_open(&server, "HTTP/1.0 200 OK\r\n\r\n", data, size / 2, true, NULL);
    read_all(server_url(&server, "http", "clip.nut"), &options);
    ck_assert_int_eq(all.result, -ETIMEDOUT);
    ck_assert_int_gt(all.n, 5);
    ck_assert_ptr_nonnull(strstr(all.err.text, "no packet of the video for 0.5 s"));
    ck_assert_ptr_null(strstr(all.err.text, "hunter2"));
    server_close(&server);

    /* So too where a parser still holds a packet, which it gives out then. */
    clips_ffmpeg("-f lavfi -i testsrc2=s=64x48:r=10:d=20 -c:v mpeg2video @/http.ts");
    size_t ts_size;
    uint8_t *ts = clip_read("http.ts", &ts_size);
    server_open(&server, "HTTP/1.0 200 OK\r\n\r\n", ts, ts_size / 2, true, NULL);
    read_all(server_url(&server, "http", "clip.ts"), &options);
    ck_assert_int_eq(all.result, -ETIMEDOUT);
    ck_assert_int_gt(all.n, 5);
    server_close(&server);
    free(ts);

    /* Half of what was promised, and then the end. */
    char head[128];
    snprintf(head, sizeof head, "HTTP/1.0 200 OK\r\nContent-Length: %zu\r\n\r\n", size);
    options.stall_timeout_ms = 10000;
    server_open(&server, head, data, size / 2, false, NULL);
    read_all(server_url(&server, "http", "clip.nut"), &options);
    ck_assert_int_eq(all.result, -EIO);
    server_close(&server);

    /* A stop while it waits. */
    atomic_bool stop = false;
    options.stop = &stop;
    options.stall_timeout_ms = 0;
    server_open(&server, "HTTP/1.0 200 OK\r\n\r\n", data, size / 2, true, NULL);
    struct source *source = NULL;
    struct error err;
    ck_assert_int_eq(source_open(&source, server_url(&server, "http", "clip.nut"), &options, &err), 0);
    static uint8_t pixels[32 * 24];
    struct source_frame frame;
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(source_read(source, pixels, &frame, &err), 1);
    pthread_t stopper;
    ck_assert_int_eq(pthread_create(&stopper, NULL, set_true, &stop), 0);
    int r;
    while ((r = source_read(source, pixels, &frame, &err)) == 1)
        ;
    ck_assert_int_eq(r, -EINTR);
    pthread_join(stopper, NULL);
    source_close(source);
    server_close(&server);
    free(data);
}
END_TEST

/* ---- names, log --------------------------------------------------------------------------------------------------------*/

START_TEST(which_are_live)
{
    static const char *const live[] = {"rtsp://h/x", "RTSP://h/x", "rtsps://h/x", "rtmp://h/x", "udp://@239.0.0.1:1234",
                                       "rtp://h:1", "srt://h:1", "tcp://h:1", "camera.sdp", "file:///a/camera.sdp"};
    static const char *const paced[] = {"a.mp4", "/a/b.mkv", "http://h/x", "https://h/x.m3u8", "file:///a.mp4",
                                        "dir/%03d.jpg", "", "rtsp", "rtsp:/x", "a://b"};
    for (size_t i = 0; i < sizeof live / sizeof *live; i++)
        ck_assert_msg(source_is_live(live[i]), "%s", live[i]);
    for (size_t i = 0; i < sizeof paced / sizeof *paced; i++)
        ck_assert_msg(!source_is_live(paced[i]), "%s", paced[i]);
}
END_TEST

START_TEST(names)
{
    static const char *const cases[][2] = {
        {"01.mp4", "01"}, {"/a/b/01.mp4", "01"}, {"a/b.c/night.2024.mkv", "night.2024"}, {"a/noext", "noext"}, {".mp4", ".mp4"},
        {"file:a/01.mp4", "01"}, {"file:///a/01.mp4", "01"}, {"a/frames/%03d.jpg", "frames"}, {"%03d.jpg", "%03d"},
        {"/%03d.jpg", "%03d"}, {"rtsp://u:p@host:554/live/main.sdp?token=x", "main"}, {"rtsp://u:p@host:554/", "host:554"},
        {"rtsp://u:p@cam.example.org", "cam.example.org"}, {"http://h/a/clip.mp4?x=/y.z", "clip"}, {"", "clip"}, {"/", "/"},
    };
    char out[64];
    for (size_t i = 0; i + 1 < sizeof cases / sizeof *cases; i++) {
        source_name(out, sizeof out, cases[i][0]);
        ck_assert_str_eq(out, cases[i][1]);
    }
    mkdir(clip_path("walk.1"), 0700);
    source_name(out, sizeof out, clip_path("walk.1"));
    ck_assert_str_eq(out, "walk.1");
    char path[512];
    snprintf(path, sizeof path, "%s/", clip_path("walk.1"));
    source_name(out, sizeof out, path);
    ck_assert_str_eq(out, "walk.1");
    ck_assert_int_eq(chdir(path), 0);
    source_name(out, sizeof out, ".");
    ck_assert_str_eq(out, "walk.1");
    source_name(out, 4, "abcdefg.mp4");
    ck_assert_str_eq(out, "abc");
}
END_TEST

static struct {
    int n, priority[16];
    char text[16][4096];
} logged;

static void keep_line(int priority, const char *text)
{
    ck_assert_int_lt(logged.n, 16);
    logged.priority[logged.n] = priority;
    snprintf(logged.text[logged.n++], sizeof logged.text[0], "%s", text);
}

START_TEST(log_lines_are_whole_and_redacted)
{
    source_set_log(keep_line);
    av_log(NULL, AV_LOG_ERROR, "Connection to rtsp://user:hunt");
    av_log(NULL, AV_LOG_ERROR, "er2@host/x failed\n");
    av_log(NULL, AV_LOG_WARNING, "again\n");
    av_log(NULL, AV_LOG_WARNING, "again\n");
    av_log(NULL, AV_LOG_WARNING, "again\n");
    av_log(NULL, AV_LOG_DEBUG, "not asked for\n");
    av_log(NULL, AV_LOG_INFO, "\n");
    av_log(NULL, AV_LOG_INFO, "told\r\n");
    ck_assert_int_eq(logged.n, 4);
    ck_assert_str_eq(logged.text[0], "Connection to rtsp://***@host/x failed");
    ck_assert_int_eq(logged.priority[0], LOG_ERR);
    ck_assert_str_eq(logged.text[1], "again");
    ck_assert_int_eq(logged.priority[1], LOG_WARNING);
    ck_assert_str_eq(logged.text[2], "(the line before came 2 times more)");
    ck_assert_str_eq(logged.text[3], "told");
    ck_assert_int_eq(logged.priority[3], LOG_INFO);

    /* A line too long is cut, but not in the middle of a password. */
    char filler[4090];
    memset(filler, 'x', sizeof filler - 1);
    filler[4078] = ' ';
    filler[sizeof filler - 1] = 0;
    av_log(NULL, AV_LOG_ERROR, "%s", filler);
    av_log(NULL, AV_LOG_ERROR, "rtsp://user:hunter2@host/x\n");
    ck_assert_int_eq(logged.n, 5);
    ck_assert_uint_eq(strlen(logged.text[4]), 4078);
    ck_assert_ptr_null(strstr(logged.text[4], "rtsp"));

    source_set_log(NULL);
    av_log(NULL, AV_LOG_ERROR, "nobody hears\n");
    ck_assert_int_eq(logged.n, 5);
}
END_TEST

int main(void)
{
    bool clips = clips_open();
    source_set_log(NULL);
    Suite *suite = suite_create("source");
    TCase *tc = tcase_create("source");
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, gray_that_says_limited);
    tcase_add_test(tc, which_are_live);
    tcase_add_test(tc, names);
    tcase_add_test(tc, log_lines_are_whole_and_redacted);
    tcase_add_test(tc, a_dead_server_ends_opening);
    tcase_add_test(tc, a_stop_ends_opening);
    if (clips) {
        tcase_add_test(tc, lossless_gray_passes_bit_for_bit);
        tcase_add_test(tc, other_pictures_as_ffmpeg_turns_them);
        tcase_add_test(tc, honours_the_range);
        tcase_add_test(tc, real_footage_as_ffmpeg_turns_it);
        tcase_add_test(tc, picks_by_time);
        tcase_add_test(tc, decodes_what_is_needed);
        tcase_add_test(tc, tells_jumps_of_timestamps);
        tcase_add_test(tc, goes_on_where_the_size_changes);
        tcase_add_test(tc, tells_the_size_first);
        tcase_add_test(tc, folders_of_images);
        tcase_add_test(tc, patterns_of_images);
        tcase_add_test(tc, what_is_no_video);
        tcase_add_test(tc, tiny_video_and_odd_names);
        tcase_add_test(tc, files_cut_short);
        tcase_add_test(tc, damage_is_flagged_until_the_next_key_frame);
        tcase_add_test(tc, what_comes_before_the_first_key_frame_is_corrupt);
        tcase_add_test(tc, answers_that_are_errors);
        tcase_add_test(tc, http_reads_to_the_end_or_stalls);
    }
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    clips_close();
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
