#include <check.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/footage/footage.h"
#include "io/video/source.h"
#include "tests/clips.h"
#include "tests/suite.h"

enum { W = 32, H = 24 };

static struct footage *footage;
static struct error err;

static void open_footage(void)
{
    const struct footage_options options = {.width = W, .height = H, .max_bytes = 1 << 24};
    ck_assert_int_eq(footage_open(&footage, &options, &err), 0);
}

static void close_footage(void)
{
    footage_close(footage);
    footage = NULL;
}

static void reopen(double fps, size_t max_bytes)
{
    const struct footage_options options = {.width = W, .height = H, .fps = fps, .max_bytes = max_bytes};
    close_footage();
    ck_assert_int_eq(footage_open(&footage, &options, &err), 0);
}

static const uint8_t *frame(size_t i)
{
    static uint8_t pixels[W * H];
    ck_assert_int_eq(footage_read(footage, i, 1, pixels, &err), 0);
    return pixels;
}

static int check_all(void)
{
    return footage_check(footage, (struct footage_range){0, footage_frames(footage)}, 16, &err);
}

static void add(const char *name)
{
    int r = footage_add(footage, clip_path(name), &err);
    ck_assert_msg(r == 0, "%s", err.text);
}

START_TEST(parts_and_places)
{
    struct footage_part parts[] = {{{10, 110}, 3, 0, 0.8}, {{10, 110}, 3, 0.8, 0.96}, {{10, 110}, 3, 0.96, 1}};
    size_t at = 10, total[3] = {0};
    for (size_t round = 0; round < 3; round++)          /* the parts cover the whole, in order */
        for (int p = 0; p < 3; p++) {
            struct footage_range range = footage_part_range(&parts[p], round);
            ck_assert_uint_eq(range.begin, at);
            at = range.end;
            total[p] += range.end - range.begin;
        }
    ck_assert_uint_eq(at, 110);
    ck_assert(total[0] >= 78 && total[0] <= 82 && total[1] >= 14 && total[1] <= 18);

    double at_s;
    reopen(0, 1 << 24);
    clip_levels("a.nut", 30, W, H, 10, "");
    clip_levels("b.nut", 40, W, H, 10, "");
    add("a.nut");
    add("b.nut");
    ck_assert_str_eq(footage_place(footage, 0, &at_s), "a");
    ck_assert_double_eq_tol(at_s, 0, 1e-6);
    ck_assert_str_eq(footage_place(footage, 29, &at_s), "a");
    ck_assert_double_eq_tol(at_s, 2.9, 1e-3);
    ck_assert_str_eq(footage_place(footage, 30, &at_s), "b");
    ck_assert_double_eq_tol(at_s, 0, 1e-6);
    ck_assert_str_eq(footage_place(footage, 69, &at_s), "b");
    ck_assert_double_eq_tol(at_s, 3.9, 1e-3);
    ck_assert_uint_eq(footage_rounds(footage, (struct footage_range){0, 70}), 1);
    ck_assert_uint_eq(footage_rounds(footage, (struct footage_range){0, 2 * 36000 + 5}), 2);
}
END_TEST

START_TEST(keeps_every_frame)
{
    clip_levels("a.nut", 30, W, H, 10, "");
    add("a.nut");
    ck_assert_uint_eq(footage_frames(footage), 30);
    ck_assert_uint_eq(footage_clips(footage), 1);
    ck_assert_uint_eq(footage_corrupt(footage), 0);
    ck_assert_double_eq_tol(footage_fps(footage), 10, 1e-9);
    for (size_t i = 0; i < 30; i++)
        for (size_t k = 0; k < W * H; k++)
            ck_assert_int_eq(frame(i)[k], (int)i);

    reopen(5, 1 << 24);
    add("a.nut");
    ck_assert_uint_eq(footage_frames(footage), 15);
    ck_assert_double_eq_tol(footage_fps(footage), 5, 1e-9);
    ck_assert_int_eq(*frame(14), 28);
}
END_TEST

/* A window is valid if it lies in one clip and spans no gap. Checks every window. */
START_TEST(windows_span_no_break)
{
    clip_levels("a.nut", 30, W, H, 10, "");
    clip_levels("b.nut", 25, W, H, 10, "-vf 'setpts=if(gte(N\\,9)\\,N+40\\,N)/10/TB' -vsync passthrough -enc_time_base 1:10");
    clip_levels("c.nut", 3, W, H, 10, "");
    add("a.nut");
    add("b.nut");
    add("c.nut");
    ck_assert_uint_eq(footage_clips(footage), 3);
    static const size_t starts[] = {0, 30, 39, 55, 58};         /* first frames of the unbroken sequences; the end */
    for (int length = 1; length <= 31; length++)
        for (size_t first = 0; first < 70; first++) {
            bool expected = false;
            for (int s = 0; s < 4; s++)
                expected |= first >= starts[s] && first + (size_t)length <= starts[s + 1];
            ck_assert_msg(footage_window_ok(footage, first, length) == expected, "first %zu, length %d", first, length);
        }
    ck_assert(!footage_window_ok(footage, 0, 0));
    ck_assert(!footage_window_ok(footage, 0, -1));
    ck_assert_double_eq_tol(footage_fps(footage), 10, 1e-9);
}
END_TEST

START_TEST(leaves_corrupt_frames_out)
{
    /* Each JPEG is coded by itself. So only the eleventh, whose end is cut off, is corrupt. */
    mkdir(clip_path("jpegs"), 0700);
    clips_ffmpeg("-f lavfi -i testsrc2=s=64x48:r=10:d=3 -c:v mjpeg -start_number 10 @/jpegs/%%02d.jpg");
    size_t size;
    uint8_t *data = clip_read("jpegs/20.jpg", &size);
    clip_write("jpegs/20.jpg", data, size / 2);
    free(data);
    add("jpegs");
    ck_assert_uint_eq(footage_frames(footage), 29);
    ck_assert_uint_eq(footage_corrupt(footage), 1);
    ck_assert(footage_window_ok(footage, 0, 10));
    ck_assert(!footage_window_ok(footage, 1, 10));
    ck_assert(!footage_window_ok(footage, 9, 2));
    ck_assert(footage_window_ok(footage, 10, 19));
}
END_TEST

START_TEST(folders_of_videos)
{
    mkdir(clip_path("videos"), 0700);
    clip_levels("videos/2.nut", 12, W, H, 10, "");
    clip_levels("videos/1.nut", 7, W, H, 10, "");
    clip_write("videos/.hidden", "x", 1);
    add("videos");
    ck_assert_uint_eq(footage_clips(footage), 2);
    ck_assert_uint_eq(footage_frames(footage), 19);
    ck_assert_int_eq(*frame(6), 6);
    ck_assert_int_eq(*frame(7), 0);
    ck_assert(!footage_window_ok(footage, 6, 2));

    mkdir(clip_path("nothing"), 0700);
    ck_assert_int_lt(footage_add(footage, clip_path("nothing"), &err), 0);
    ck_assert_ptr_nonnull(strstr(err.text, "nothing"));
    clip_write("videos/3.txt", "text", 4);
    ck_assert_int_lt(footage_add(footage, clip_path("videos"), &err), 0);
    ck_assert_ptr_nonnull(strstr(err.text, "3.txt"));
    ck_assert_int_eq(footage_add(footage, clip_path("absent.mp4"), &err), -ENOENT);
    ck_assert_int_eq(footage_add(footage, "rtsp://user:hunter2@127.0.0.1/x", &err), -EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "live stream"));
    ck_assert_ptr_null(strstr(err.text, "hunter2"));
}
END_TEST

START_TEST(memory_is_bounded)
{
    clip_levels("long.nut", 200, W, H, 10, "");
    reopen(0, 200 * W * H);
    add("long.nut");
    ck_assert_uint_eq(footage_frames(footage), 200);
    ck_assert_int_eq(footage_add(footage, clip_path("long.nut"), &err), -EFBIG);
    ck_assert_ptr_nonnull(strstr(err.text, "fewer frames a second"));
    ck_assert_uint_eq(footage_frames(footage), 200);
    reopen(0, 200 * W * H - 1);
    ck_assert_int_eq(footage_add(footage, clip_path("long.nut"), &err), -EFBIG);
    ck_assert_uint_eq(footage_frames(footage), 199);
    reopen(0, W * H - 1);
    ck_assert_int_eq(footage_add(footage, clip_path("long.nut"), &err), -EFBIG);
    ck_assert_uint_eq(footage_frames(footage), 0);
    ck_assert_double_eq(footage_fps(footage), 0);
}
END_TEST

static void open_kept(double fps, size_t max_disk)
{
    const struct footage_options options = {.width = W, .height = H, .fps = fps, .path = clip_path("kept"), .keep = true,
                                            .max_bytes = 1 << 24, .max_disk_bytes = max_disk};
    close_footage();
    ck_assert_msg(footage_open(&footage, &options, &err) == 0, "%s", err.text);
}

static void count(void *arg, double seconds)
{
    (void)seconds;
    ++*(int *)arg;
}

/* A recording that is closed and opened again continues with a break, and gives the same frames each time it is opened. */
START_TEST(recordings_go_on)
{
    int shown = 0;
    struct footage_stream stream = {.source.stall_timeout_ms = 1000, .seconds = 1.5, .shown = count, .arg = &shown};
    clip_levels("long.nut", 40, W, H, 10, "");
    open_kept(10, 1 << 24);
    ck_assert_msg(footage_record(footage, clip_path("long.nut"), &stream, NULL, &err) == 1, "%s", err.text);
    ck_assert_uint_eq(footage_frames(footage), 16);
    ck_assert_int_eq(shown, 16);
    ck_assert_double_eq_tol(footage_seconds(footage), 1.5, 1e-4);
    ck_assert_int_eq(footage_record(footage, clip_path("long.nut"), &stream, NULL, &err), 1);
    ck_assert_uint_eq(footage_frames(footage), 16);

    open_kept(10, 1 << 24);
    ck_assert_uint_eq(footage_frames(footage), 16);
    ck_assert_double_eq_tol(footage_seconds(footage), 1.5, 1e-4);
    stream.seconds = 100;
    ck_assert_int_eq(footage_record(footage, clip_path("long.nut"), &stream, NULL, &err), 0);
    ck_assert_ptr_nonnull(strstr(err.text, "ended"));
    ck_assert_int_eq(footage_record(footage, clip_path("none-such.nut"), &stream, NULL, &err), 0);
    ck_assert_ptr_nonnull(strstr(err.text, "none-such.nut"));
    ck_assert_uint_eq(footage_frames(footage), 56);
    uint64_t identity = footage_identity(footage);

    open_kept(10, 1 << 24);
    ck_assert_uint_eq(footage_frames(footage), 56);
    ck_assert(footage_identity(footage) == identity);
    for (size_t i = 0; i < 56; i++)
        ck_assert_int_eq(*frame(i), (int)(i < 16 ? i : i - 16));
    ck_assert(footage_window_ok(footage, 0, 16) && footage_window_ok(footage, 16, 16));
    for (size_t i = 1; i < 16; i++)
        ck_assert(!footage_window_ok(footage, i, 16));

    open_kept(10, 1 << 13);     /* the file exceeds this limit already, so no frame is added */
    ck_assert_int_eq(footage_record(footage, clip_path("long.nut"), &stream, NULL, &err), -EFBIG);
    atomic_bool stop = true;
    close_footage();
    const struct footage_options other = {.width = W, .height = H, .fps = 5, .path = clip_path("kept"), .keep = true,
                                          .max_disk_bytes = 1 << 24, .stop = &stop};
    ck_assert_int_eq(footage_open(&footage, &other, &err), -EINVAL);
    unlink(clip_path("kept"));
    ck_assert_int_eq(footage_open(&footage, &other, &err), 0);
    ck_assert_int_eq(footage_record(footage, clip_path("long.nut"), &stream, NULL, &err), -EINTR);
}
END_TEST

/* A recording with a damaged frame goes on with the others. The sequence breaks where the frame was, each time it is opened. */
START_TEST(recordings_leave_out_damage)
{
    const struct footage_stream stream = {.source.stall_timeout_ms = 1000, .seconds = 100};
    uint64_t bytes, identity = 0;
    struct stat st;
    clip_levels("long.nut", 40, W, H, 10, "");
    unlink(clip_path("kept"));
    open_kept(10, 1 << 24);
    ck_assert_int_eq(stat(clip_path("kept"), &st), 0);
    ck_assert_int_eq(footage_record(footage, clip_path("long.nut"), &stream, NULL, &err), 0);
    ck_assert_uint_eq(footage_lost(footage, &bytes), 0);
    ck_assert_uint_eq(bytes, 0);
    close_footage();
    FILE *file = fopen(clip_path("kept"), "r+");
    long at = (long)st.st_size;
    uint32_t record = 0;        /* the size of its picture; each has a header of 16 bytes */
    for (int i = 0; i <= 18; i++, at += i <= 18 ? 16 + (long)record : 0)
        ck_assert(file && fseek(file, at, SEEK_SET) == 0 && fread(&record, sizeof record, 1, file) == 1);
    ck_assert(fseek(file, at + 17, SEEK_SET) == 0 && fputc(0x5a, file) >= 0 && fclose(file) == 0);
    for (int opened = 0; opened < 2; opened++) {
        open_kept(10, 1 << 24);
        ck_assert_uint_eq(footage_lost(footage, &bytes), opened == 0);
        ck_assert_uint_eq(bytes, opened == 0 ? 16 + record : 0);
        ck_assert_uint_eq(footage_frames(footage), 39);
        ck_assert_double_eq_tol(footage_seconds(footage), 3.7, 1e-4);
        ck_assert(opened == 0 || footage_identity(footage) == identity);
        identity = footage_identity(footage);
        for (size_t i = 0; i < 39; i++)
            ck_assert_int_eq(*frame(i), (int)(i < 18 ? i : i + 1));
        for (size_t i = 0; i + 16 <= 39; i++)
            ck_assert(footage_window_ok(footage, i, 16) == (i <= 2 || i >= 18));
    }
    ck_assert_int_eq(footage_record(footage, clip_path("long.nut"), &stream, NULL, &err), 0);
    ck_assert_uint_eq(footage_frames(footage), 79);
    ck_assert_int_eq(footage_clear(footage, &err), 0);
    ck_assert_uint_eq(footage_frames(footage), 0);
    ck_assert_double_eq(footage_seconds(footage), 0);
    ck_assert_int_eq(footage_record(footage, clip_path("long.nut"), &stream, NULL, &err), 0);
    ck_assert(footage_frames(footage) == 40 && footage_clips(footage) == 1 && footage_window_ok(footage, 24, 16));
    identity = footage_identity(footage);
    open_kept(10, 1 << 24);
    ck_assert(footage_frames(footage) == 40 && footage_identity(footage) == identity);
    unlink(clip_path("kept"));
}
END_TEST

static int fits;

static void half(void *arg, int *width, int *height)
{
    ck_assert_ptr_eq(arg, &fits);
    fits++;
    *width /= 2;
    *height /= 2;
}

static void open_by_fit(bool keep)
{
    const struct footage_options options = {.fit = half, .arg = &fits, .fps = 10, .path = clip_path("fitted"), .keep = keep,
                                            .max_bytes = 1 << 24, .max_disk_bytes = 1 << 24};
    close_footage();
    ck_assert_msg(footage_open(&footage, &options, &err) == 0, "%s", err.text);
}

static void check_size(int expected_w, int expected_h)
{
    int w = -1, h = -1;
    footage_size(footage, &w, &h);
    ck_assert_msg(w == expected_w && h == expected_h, "%dx%d", w, h);
}

/* The first picture decides the size, also in a folder of images. Later pictures are scaled to it. */
START_TEST(the_first_picture_decides_the_size)
{
    clip_levels("double.nut", 20, 2 * W, 2 * H, 10, "");
    clip_levels("other.nut", 25, 48, 48, 10, "");
    mkdir(clip_path("doubles"), 0700);
    clips_ffmpeg("-i @/double.nut @/doubles/%%02d.png");
    static const char *const firsts[] = {"double.nut", "doubles"};
    for (int i = 0; i < 2; i++) {
        fits = 0;
        open_by_fit(false);
        check_size(0, 0);
        ck_assert_int_eq(footage_add(footage, clip_path("absent.mp4"), &err), -ENOENT);
        check_size(0, 0);
        add(firsts[i]);
        check_size(W, H);
        add("other.nut");
        check_size(W, H);
        ck_assert_int_eq(fits, 1);
        ck_assert_uint_eq(footage_frames(footage), 45);
        for (size_t k = 0; k < 45; k++)
            for (size_t p = 0; p < W * H; p++)
                ck_assert_int_eq(frame(k)[p], (int)(k < 20 ? k : k - 20));
    }
}
END_TEST

/* A recording that is continued keeps its size, even if the camera has another one by now. */
START_TEST(recordings_keep_their_size)
{
    struct footage_stream stream = {.source.stall_timeout_ms = 1000, .seconds = 0.95};
    clip_levels("double.nut", 20, 2 * W, 2 * H, 10, "");
    clip_levels("other.nut", 25, 48, 48, 10, "");
    fits = 0;
    open_by_fit(true);
    ck_assert_int_ne(access(clip_path("fitted"), F_OK), 0);
    ck_assert_int_eq(footage_record(footage, clip_path("none-such.nut"), &stream, NULL, &err), 0);
    ck_assert_int_eq(footage_record(footage, clip_path("double.nut"), &stream, NULL, &err), 1);
    check_size(W, H);
    ck_assert_int_eq(fits, 1);
    open_by_fit(true);
    check_size(W, H);
    ck_assert_uint_eq(footage_frames(footage), 11);
    stream.seconds = 1.95;
    ck_assert_msg(footage_record(footage, clip_path("other.nut"), &stream, NULL, &err) == 1, "%s", err.text);
    check_size(W, H);
    ck_assert_int_eq(fits, 1);
    ck_assert_uint_eq(footage_frames(footage), 22);
    for (size_t k = 0; k < 22; k++)
        ck_assert_int_eq(*frame(k), (int)(k < 11 ? k : k - 11));
    close_footage();
    clip_write("fitted", "no recording", 12);
    const struct footage_options options = {.fit = half, .arg = &fits, .path = clip_path("fitted"), .keep = true};
    ck_assert_int_eq(footage_open(&footage, &options, &err), -EINVAL);
    unlink(clip_path("fitted"));
}
END_TEST

/* A file that appears between opening and the first picture is continued, too, and never overwritten. */
START_TEST(recordings_that_come_in_between)
{
    struct footage_stream stream = {.source.stall_timeout_ms = 1000, .seconds = 0.95};
    clip_levels("double.nut", 20, 2 * W, 2 * H, 10, "");
    open_by_fit(true);
    struct footage *late = footage;
    footage = NULL;
    open_by_fit(true);
    ck_assert_int_eq(footage_record(footage, clip_path("double.nut"), &stream, NULL, &err), 1);
    ck_assert_int_eq(footage_record(late, clip_path("double.nut"), &stream, NULL, &err), -EBUSY);
    footage_close(late);
    late = NULL;
    unlink(clip_path("fitted"));
    open_by_fit(true);
    late = footage;
    footage = NULL;
    open_by_fit(true);
    ck_assert_int_eq(footage_record(footage, clip_path("double.nut"), &stream, NULL, &err), 1);
    close_footage();
    footage = late;
    stream.seconds = 1.45;
    ck_assert_msg(footage_record(footage, clip_path("double.nut"), &stream, NULL, &err) == 1, "%s", err.text);
    ck_assert_uint_eq(footage_frames(footage), 17);
    for (size_t k = 0; k < 17; k++)
        ck_assert_int_eq(*frame(k), (int)(k < 11 ? k : k - 11));
    unlink(clip_path("fitted"));
}
END_TEST

static void check_fails(const char *cause)
{
    ck_assert_int_eq(check_all(), -EINVAL);
    ck_assert_msg(strstr(err.text, cause), "%s", err.text);
}

START_TEST(refuses_what_cant_be_learned)
{
    check_fails("too short");
    clips_ffmpeg("-f lavfi -i testsrc2=s=32x24:r=10:d=1.5 -pix_fmt gray -c:v ffv1 @/short.nut");
    add("short.nut");
    check_fails("too short: 15 frames, with no 16 in an unbroken sequence");
    add("short.nut");
    check_fails("too short");

    clips_ffmpeg("-f lavfi -i color=black:s=32x24:r=10:d=3 -pix_fmt gray -c:v ffv1 @/black.nut");
    reopen(0, 1 << 24);
    add("black.nut");
    check_fails("black or of one tone");
    clip_levels("tones.nut", 30, W, H, 10, "");
    reopen(0, 1 << 24);
    add("tones.nut");
    check_fails("black or of one tone");

    /* Two still pictures last three seconds each. They differ, but nothing moves. */
    clips_ffmpeg("-f lavfi -i testsrc=s=32x24:r=10:d=0.1 -vf loop=29:1 -pix_fmt gray -c:v ffv1 @/still.nut");
    clips_ffmpeg("-f lavfi -i testsrc2=s=32x24:r=10:d=0.1 -vf loop=29:1 -pix_fmt gray -c:v ffv1 @/still2.nut");
    reopen(0, 1 << 24);
    add("still.nut");
    add("still2.nut");
    ck_assert_uint_eq(footage_frames(footage), 60);
    check_fails("frozen");

    /* Each range is judged by itself. Motion in one does not count for another. */
    clips_ffmpeg("-f lavfi -i testsrc2=s=32x24:r=10:d=7 -pix_fmt gray -c:v ffv1 @/moves.nut");
    add("moves.nut");
    ck_assert_int_eq(footage_check(footage, (struct footage_range){0, 60}, 16, &err), -EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "none of its 60 frames"));
    ck_assert_int_eq(footage_check(footage, (struct footage_range){60, 130}, 16, &err), 0);
    ck_assert_int_eq(footage_check(footage, (struct footage_range){45, 70}, 16, &err), -EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "too short: 25 frames"));

    clips_ffmpeg("-f lavfi -i testsrc2=s=32x24:r=10:d=1.6 -pix_fmt gray -c:v ffv1 @/good.nut");
    add("good.nut");
    ck_assert_int_eq(check_all(), 0);
    reopen(0, 1 << 24);
    add("good.nut");
    ck_assert_int_eq(check_all(), 0);
}
END_TEST

START_TEST(bad_sizes)
{
    struct footage *none = NULL;
    const struct footage_options options = {.width = 0, .height = 4, .max_bytes = 100};
    ck_assert_int_eq(footage_open(&none, &options, &err), -EINVAL);
    ck_assert_ptr_null(none);
    footage_close(NULL);
}
END_TEST

START_TEST(real_footage)
{
    const char *path = "../shared/data/ped2/train";
    if (access(path, R_OK) != 0) {
        printf("SKIPPED: %s is not there\n", path);
        return;
    }
    char clip[256];
    for (int i = 1; i <= 2; i++) {
        snprintf(clip, sizeof clip, "%s/%02d.mp4", path, i);
        ck_assert_int_eq(footage_add(footage, clip, &err), 0);
    }
    ck_assert_double_eq_tol(footage_fps(footage), 10, 1e-6);
    ck_assert_uint_eq(footage_corrupt(footage), 0);
    ck_assert_int_eq(check_all(), 0);
}
END_TEST

static char warning[512];
static int warnings;

static void keep_warning(const char *reason)
{
    snprintf(warning, sizeof warning, "%s", reason);
    warnings++;
}

static bool fits_none(void *arg, int width, int height)
{
    (void)arg, (void)width, (void)height;
    return false;
}

/* An input whose aspect differs from the first input's is named. One that differs only in size is not. */
START_TEST(inputs_of_another_aspect)
{
    struct footage_options options = {.width = W, .height = H, .max_bytes = 1 << 24, .warned = keep_warning};
    clip_levels("first.mkv", 3, 64, 48, 10, "");
    clip_levels("larger.mkv", 3, 128, 96, 10, "");
    clip_levels("wide.mkv", 3, 128, 72, 10, "");
    clip_levels("stretched.mkv", 3, 48, 48, 10, "-aspect 4:3");
    close_footage();
    ck_assert_int_eq(footage_open(&footage, &options, &err), 0);
    add("first.mkv");
    add("larger.mkv");
    add("stretched.mkv");
    ck_assert_int_eq(warnings, 0);
    add("wide.mkv");
    ck_assert_int_eq(warnings, 1);
    ck_assert_msg(strstr(warning, "wide.mkv: pictures of 128x72 have another aspect than the 64x48 of the first input"), "%s",
                  warning);
    close_footage();
    options.fits = fits_none;
    ck_assert_int_eq(footage_open(&footage, &options, &err), 0);
    add("first.mkv");
    ck_assert_int_eq(warnings, 2);
    ck_assert_msg(strstr(warning, "of the model: "), "%s", warning);
    close_footage();
}
END_TEST

int main(void)
{
    bool clips = clips_open();
    source_set_log(NULL);
    Suite *suite = suite_create("footage");
    TCase *tc = tcase_create("footage");
    tcase_set_timeout(tc, 120);
    tcase_add_checked_fixture(tc, open_footage, close_footage);
    tcase_add_test(tc, bad_sizes);
    tcase_add_test(tc, real_footage);
    if (clips) {
        tcase_add_test(tc, keeps_every_frame);
        tcase_add_test(tc, parts_and_places);
        tcase_add_test(tc, windows_span_no_break);
        tcase_add_test(tc, leaves_corrupt_frames_out);
        tcase_add_test(tc, folders_of_videos);
        tcase_add_test(tc, memory_is_bounded);
        tcase_add_test(tc, recordings_go_on);
        tcase_add_test(tc, recordings_leave_out_damage);
        tcase_add_test(tc, the_first_picture_decides_the_size);
        tcase_add_test(tc, recordings_keep_their_size);
        tcase_add_test(tc, recordings_that_come_in_between);
        tcase_add_test(tc, refuses_what_cant_be_learned);
        tcase_add_test(tc, inputs_of_another_aspect);
    }
    suite_add_tcase(suite, tc);
    int failed = suite_run(suite);
    clips_close();
    return failed;
}
