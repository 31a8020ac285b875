/* A source picks the right pictures of files, folders and patterns, with the right times. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "io/video/source.h"
#include "tests/clips.h"
#include "tests/io/video/reading.h"

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

/* If the codec allows it, pictures between the picked ones are not decoded. The picked ones stay the same. */
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
    clip_levels("jump.nut", 20, 32, 24, 10,
                "-vf 'setpts=if(gte(N\\,10)\\,N+30\\,N)/10/TB' -vsync passthrough -enc_time_base 1:10");
    read_all(clip_path("jump.nut"), &small);
    ck_assert_int_eq(all.n, 20);
    ck_assert_int_eq(all.gaps, 1);
    ck_assert(all.frames[10].gap);
    ck_assert_int_eq(all.frames[9].pts_us, 900000);
    ck_assert_int_eq(all.frames[10].pts_us, 4000000);

    /* The timestamps of the second half begin anew. */
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
    /* Both halves show the same scene. */
    double far = 0;
    for (int i = 0; i < 32 * 24; i++)
        far += abs(all.pixels[9 * 32 * 24 + i] - all.pixels[10 * 32 * 24 + i]);
    ck_assert_double_lt(far / (32 * 24), 40);
}
END_TEST

/* ---- images ---------------------------------------------------------------------------------------------------------- */

/* source_peek() tells the size before the first picture is read. The pictures that are read then are the same. */
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
    /* After its end a source gives the same result again, with or without a picture before. */
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
    ck_assert_int_eq(rename(clip_path("images/009.png"), clip_path("images/x%03d:9.png")), 0);  /* it is no pattern, no URL */
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

        ck_assert(all.frames[1].gap && all.frames[2].gap);      /* the size changes, and changes back */
        ck_assert_int_eq(all.gaps, 2);
    }

    /* The sequence breaks at a file that is no image. */
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

int main(void)
{
    bool clips = clips_open();
    source_set_log(NULL);
    TCase *tc = tcase_create("source");
    if (clips) {
        tcase_add_test(tc, picks_by_time);
        tcase_add_test(tc, decodes_what_is_needed);
        tcase_add_test(tc, tells_jumps_of_timestamps);
        tcase_add_test(tc, goes_on_where_the_size_changes);
        tcase_add_test(tc, tells_the_size_first);
        tcase_add_test(tc, folders_of_images);
        tcase_add_test(tc, patterns_of_images);
    }
    return run_case(tc, "source");
}
