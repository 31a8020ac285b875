/* A source in a process of its own gives the same as in this one. Any fault of that process is an error of the source. */
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "io/base/clock.h"
#include "io/capture/capture.h"
#include "tests/clips.h"
#include "tests/io/capture/processes.h"

enum { WIDTH = 32, HEIGHT = 24, SIZE = WIDTH * HEIGHT, MAX_FRAMES = 128 };

static struct capture_host *host;
static char process_name[16], process_comm[20];         /* no other program that runs beside this one has this name */

static void no_line(int priority, const char *camera, const char *text)
{
    (void)priority, (void)camera, (void)text;
}

static void setup(void)
{
    snprintf(process_name, sizeof process_name, "t%d", (int)getpid());
    snprintf(process_comm, sizeof process_comm, "cam-%s", process_name);
    struct error err = {""};
    ck_assert_msg(capture_host_open(&host, &err) == 0, "%s", err.text);
}

static void teardown(void)
{
    capture_host_close(host);
}

static struct capture_options options_of(struct capture_host *of)
{
    return (struct capture_options){.source = {.width = WIDTH, .height = HEIGHT, .decoder_threads = 1}, .host = of,
                                    .name = process_name};
}

struct reading {
    int n, result;
    struct source_frame frames[MAX_FRAMES];
    uint8_t pixels[MAX_FRAMES][SIZE];
    struct source_stats stats;
    struct error err;
};

static void read_whole(struct reading *ret, struct capture *capture)
{
    *ret = (struct reading){0};
    while ((ret->result = capture_read(capture, ret->pixels[ret->n], &ret->frames[ret->n], &ret->err)) == 1)
        ck_assert_int_lt(++ret->n, MAX_FRAMES);
    capture_stats(capture, &ret->stats);
    struct error again = {""};
    ck_assert_int_eq(capture_read(capture, ret->pixels[MAX_FRAMES - 1], &ret->frames[MAX_FRAMES - 1], &again), ret->result);
    ck_assert_str_eq(again.text, ret->err.text);
}

static struct capture *open_capture(const char *url, const struct capture_options *options)
{
    struct capture *capture = NULL;
    struct error err = {""};
    ck_assert_msg(capture_open(&capture, url, options, &err) == 0, "%s", err.text);
    return capture;
}

/* The process that reads a source has the camera's name. */
static pid_t own_process(void)
{
    return process_named(process_comm, 0);
}

static void wait_until_gone(void)
{
    for (int i = 0; i < 500 && own_process(); i++)
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    ck_assert_int_eq(own_process(), 0);
}

/* ---- the same as without a process -------------------------------------------------------------------------------------- */

START_TEST(reads_as_source)
{
    static struct reading here, there;
    static const char *const names[] = {"rate.mkv", "cut.mkv", "images"};
    clip_levels("rate.mkv", 60, 40, 30, 10, "");
    size_t size;
    uint8_t *bytes = clip_read("rate.mkv", &size);
    clip_write("cut.mkv", bytes, size / 2);
    free(bytes);
    clips_ffmpeg("-f lavfi -i testsrc2=s=64x48:r=25:d=1 -start_number 1 @/i%%03d.png");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        for (int copies = 0; copies < 2; copies++) {
            struct capture_options options = options_of(NULL);
            const char *url = clip_path(strcmp(names[i], "images") == 0 ? "i%03d.png" : names[i]);
            options.source.fps = 5;
            struct capture *capture = open_capture(url, &options);
            read_whole(&here, capture);
            capture_close(capture);

            options.host = host;
            capture = open_capture(url, &options);
            read_whole(&there, capture);
            capture_close(capture);

            ck_assert_int_gt(here.n, 5);
            ck_assert_int_eq(there.n, here.n);
            ck_assert_int_eq(there.result, here.result);
            ck_assert_str_eq(there.err.text, here.err.text);
            ck_assert_mem_eq(there.pixels, here.pixels, (size_t)here.n * SIZE);
            for (int k = 0; k < here.n; k++) {
                ck_assert_int_eq(there.frames[k].pts_us, here.frames[k].pts_us);
                ck_assert_int_eq(there.frames[k].cause, here.frames[k].cause);
                ck_assert_int_eq(there.frames[k].corrupt, here.frames[k].corrupt);
            }
            ck_assert_str_eq(there.stats.codec, here.stats.codec);
            ck_assert_double_eq(there.stats.fps_in, here.stats.fps_in);
            ck_assert_uint_eq(there.stats.frames_decoded, here.stats.frames_decoded);
            ck_assert_int_eq(there.stats.width, here.stats.width);
        }
    }
}
END_TEST

/* A ring gets every packet of the file, with or without a process of its own. */
START_TEST(keeps_packets)
{
    enum { N = 250 };
    struct packet *packets[2][N + 1];
    clips_ffmpeg("-f lavfi -i testsrc2=s=64x48:r=25:d=10 -c:v libx264 -preset ultrafast -g 25 @/packets.mkv");
    for (int k = 0; k < 2; k++) {
        static uint8_t pixels[SIZE];
        struct source_frame frame;
        struct packet_ring *ring;
        struct packet_ring_stats stats;
        uint64_t next = 0;
        ck_assert_int_eq(packet_ring_open(&ring, 1 << 24, INT64_MAX), 0);
        struct capture_options options = options_of(k == 0 ? NULL : host);
        options.packets = ring;
        options.source.fps = 5;
        struct capture *capture = open_capture(clip_path("packets.mkv"), &options);
        while (capture_read(capture, pixels, &frame, NULL) == 1)
            ;
        capture_close(capture);
        packet_ring_stats(ring, &stats);
        ck_assert_uint_eq(stats.losses, 0);
        ck_assert_uint_eq(packet_ring_take(ring, &next, packets[k], N + 1), N);
        packet_ring_unref(ring);
    }
    for (int i = 0; i < N; i++) {
        const struct packet *a = packets[0][i], *b = packets[1][i];
        ck_assert_uint_eq(a->size, b->size);
        ck_assert_mem_eq(a->data, b->data, a->size);
        ck_assert(a->times.pts == b->times.pts && a->times.dts == b->times.dts && a->times.key == b->times.key);
        ck_assert(packet_stream_equal(a->stream, b->stream));
        ck_assert_int_eq(a->times.key, i % 25 == 0);
    }
    for (int i = 0; i < N; i++) {
        packet_unref(packets[0][i]);
        packet_unref(packets[1][i]);
    }
}
END_TEST

START_TEST(peeks_and_resizes)
{
    static uint8_t pixels[2][20 * 10];
    struct source_frame frame;
    clip_levels("peek.mkv", 12, 80, 60, 10, "");
    struct capture *captures[2];
    for (int k = 0; k < 2; k++) {
        int width = 0, height = 0;
        struct error err = {""};
        struct capture_options options = options_of(k == 0 ? NULL : host);
        options.source.width = options.source.height = 0;
        captures[k] = open_capture(clip_path("peek.mkv"), &options);
        ck_assert_int_eq(capture_peek(captures[k], &width, &height, &err), 1);
        ck_assert(width == 80 && height == 60);
        ck_assert_int_eq(capture_resize(captures[k], 9000, 1, &err), -EINVAL);
        ck_assert_ptr_nonnull(strstr(err.text, "from 1x1 to 8192x8192, got 9000x1"));
        ck_assert_int_eq(capture_resize(captures[k], 20, 10, &err), 0);
    }
    for (int i = 0; i < 12; i++) {
        for (int k = 0; k < 2; k++)
            ck_assert_int_eq(capture_read(captures[k], pixels[k], &frame, NULL), 1);
        ck_assert_mem_eq(pixels[0], pixels[1], sizeof pixels[0]);
        ck_assert(i == 0 || pixels[0][105] > 0);
    }
    for (int k = 0; k < 2; k++) {
        ck_assert_int_eq(capture_read(captures[k], pixels[k], &frame, NULL), 0);
        capture_close(captures[k]);
    }
}
END_TEST

/* If the caller shares memory, pictures are written there, and nowhere else. */
START_TEST(writes_in_place)
{
    struct capture_memory memory;
    struct error err = {""};
    struct source_frame frame;
    clip_levels("place.mkv", 8, 40, 30, 10, "");
    ck_assert_int_eq(capture_memory_open(&memory, 4 * SIZE), 0);
    struct capture_options options = options_of(host);
    options.memory = &memory;
    struct capture *capture = open_capture(clip_path("place.mkv"), &options);
    for (int i = 0; i < 8; i++) {
        memset(memory.bytes, 0xee, memory.size);
        ck_assert_int_eq(capture_read(capture, memory.bytes + i % 4 * SIZE, &frame, &err), 1);
        for (int k = 0; k < 4 * SIZE; k++)
            ck_assert_int_eq(memory.bytes[k], k / SIZE == i % 4 ? i : 0xee);
    }
    capture_close(capture);
    capture_memory_close(&memory);
}
END_TEST

START_TEST(a_moment_is_as_without)
{
    struct moment here, there;
    struct moment_options options = {.longest = 160, .limit_ms = 20000};
    clips_ffmpeg("-f lavfi -i testsrc2=s=320x200:r=10:d=3 -c:v libx264 -g 10 -pix_fmt yuv420p @/moment.mp4");
    const char *path = clip_path("moment.mp4");
    struct error err = {""};
    for (int64_t us = 0; us < 4000000; us += 700000) {
        ck_assert_msg(capture_moment(&there, path, us, &options, host, 0, &err) == 0, "%s", err.text);
        ck_assert_int_eq(capture_moment(&here, path, us, &options, NULL, 0, &err), 0);
        ck_assert(there.picture.width == 160 && there.picture.height == 100 && there.pts_us == here.pts_us && !there.corrupt);
        ck_assert_mem_eq(there.picture.pixels, here.picture.pixels, 160 * 100 * 3);
        picture_close(&here.picture);
        picture_close(&there.picture);
    }
    int memory = memfd_create("moment", MFD_CLOEXEC), file = open(path, O_RDONLY | O_CLOEXEC);
    ck_assert_int_gt(sendfile(memory, file, NULL, 1 << 24), 1000);
    close(file);
    for (struct capture_host *at = host;; at = NULL) {          /* first in a process, then here */
        ck_assert_msg(capture_moment_of(&there, memory, 1400000, &options, at, 0, &err) == 0, "%s", err.text);
        ck_assert_int_eq(capture_moment(&here, path, 1400000, &options, NULL, 0, &err), 0);
        ck_assert_mem_eq(there.picture.pixels, here.picture.pixels, 160 * 100 * 3);
        picture_close(&here.picture);
        picture_close(&there.picture);
        if (!at)
            break;
    }
    close(memory);
    ck_assert_int_eq(capture_moment(&there, clip_path("none.mp4"), 0, &options, host, 0, &err), -ENOENT);
    ck_assert_ptr_nonnull(strstr(err.text, "none.mp4: No such file"));
    atomic_bool stop = true;
    options.source.stop = &stop;
    ck_assert_int_eq(capture_moment(&there, path, 0, &options, host, 0, &err), -EINTR);
    options = (struct moment_options){.longest = PICTURE_MAX_SIDE + 1};
    ck_assert_int_eq(capture_moment(&there, path, 0, &options, host, 0, &err), -EINVAL);
}
END_TEST

START_TEST(names_the_true_cause)
{
    static const struct {
        const char *url, *cause;
        int code;
    } cases[] = {{"/nowhere/x.mp4", "No such file or directory", -ENOENT},
                 {"rtsp://127.0.0.1:1/x", "Connection refused", -ECONNREFUSED},
                 {"text.mp4", "Invalid data", -EINVAL},
                 {"gopher://x/", "", -EINVAL}};
    clip_write("text.mp4", "this is no video, but some text\n", 32);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *url = cases[i].url[0] == 't' ? clip_path(cases[i].url) : cases[i].url;
        struct error here = {""}, there = {""};
        struct capture *capture = NULL;
        struct capture_options options = options_of(NULL);
        ck_assert_int_eq(capture_open(&capture, url, &options, &here), cases[i].code);
        options.host = host;
        ck_assert_int_eq(capture_open(&capture, url, &options, &there), cases[i].code);
        ck_assert_str_eq(there.text, here.text);
        ck_assert_msg(strstr(there.text, cases[i].cause), "%s", there.text);
        ck_assert_ptr_null(capture);
    }
}
END_TEST

/* ---- a process that does not do what it should ------------------------------------------------------------------------ */

static struct capture *read_one(struct capture_options *options)
{
    static uint8_t pixels[SIZE];
    struct source_frame frame;
    struct error err = {""};
    clip_levels("long.mkv", 60, 40, 30, 10, "");
    struct capture *capture = open_capture(clip_path("long.mkv"), options);
    ck_assert_int_eq(capture_read(capture, pixels, &frame, &err), 1);
    return capture;
}

static void expect_end(struct capture *capture, int code, const char *cause)
{
    static uint8_t pixels[SIZE];
    struct source_frame frame;
    struct error err = {""};
    int r;
    while ((r = capture_read(capture, pixels, &frame, &err)) == 1)
        ;
    ck_assert_msg(r == code && strstr(err.text, cause), "%d %s", r, err.text);
    capture_close(capture);
}

START_TEST(death_is_named)
{
    static const struct {
        int number;
        const char *cause;
    } cases[] = {{SIGKILL, "its process was killed"}, {SIGABRT, "its process crashed (SIGABRT)"},
                 {SIGSYS, "its process tried what it may not"}, {SIGXCPU, "its process crashed (SIGXCPU)"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct capture_options options = options_of(host);
        struct capture *capture = read_one(&options);
        pid_t pid = own_process();
        ck_assert_int_gt(pid, 0);
        kill(pid, cases[i].number);
        expect_end(capture, -EIO, cases[i].cause);
    }
}
END_TEST

/* A terminal or a service manager signals all processes. Those of cameras stay until the daemon ends them. */
START_TEST(lives_through_signals_for_the_daemon)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGUSR1};
    struct capture_options options = options_of(host);
    struct capture *capture = read_one(&options);
    pid_t pid = own_process();
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        kill(pid, numbers[i]);
    expect_end(capture, 0, "");
}
END_TEST

START_TEST(hanging_is_a_stall)
{
    struct capture_options options = options_of(host);
    options.source.stall_timeout_ms = 500;
    options.files_stall = true;
    struct capture *capture = read_one(&options);
    pid_t pid = own_process();
    kill(pid, SIGSTOP);
    int64_t start_us = monotonic_us();
    expect_end(capture, -ETIMEDOUT, "s: its process hangs, and is killed");
    ck_assert_int_lt(monotonic_us() - start_us, 6000000);
    wait_until_gone();
}
END_TEST

START_TEST(stop_interrupts)
{
    atomic_bool stop;
    atomic_init(&stop, false);
    struct capture_options options = options_of(host);
    options.source.stop = &stop;
    struct capture *capture = read_one(&options);
    pid_t pid = own_process();
    ck_assert_int_gt(pid, 0);
    kill(pid, SIGSTOP);
    atomic_store(&stop, true);
    int64_t start_us = monotonic_us();
    expect_end(capture, -EINTR, "stopped");
    ck_assert_int_lt(monotonic_us() - start_us, 2000000);
}
END_TEST

/* If somebody kills the host, its processes end too. The next opening starts another host. */
START_TEST(host_is_started_again)
{
    struct capture_options options = options_of(host);
    struct capture *capture = read_one(&options);
    struct process process;
    ck_assert(process_read(&process, own_process()));
    kill(process.parent, SIGKILL);
    wait_until_gone();
    expect_end(capture, -EIO, "its process has ended");
    expect_end(read_one(&options), 0, "");
}
END_TEST

/* A host that somebody has stopped (SIGSTOP) does not keep the daemon from ending. Its processes end, too. */
START_TEST(stopped_host_is_ended)
{
    struct error err = {""};
    struct capture_options options = options_of(host);
    struct capture *capture = read_one(&options);
    pid_t pid = own_process();
    struct process process;
    ck_assert(pid > 0 && process_read(&process, pid));
    kill(pid, SIGSTOP);
    kill(process.parent, SIGSTOP);
    capture_close(capture);
    int64_t start_us = monotonic_us();
    capture_host_close(host);
    ck_assert_int_lt(monotonic_us() - start_us, 5000000);
    wait_until_gone();
    ck_assert_int_eq(capture_host_open(&host, &err), 0);        /* teardown() closes it */
}
END_TEST

/* Closing ends the process, even if its source was not read to the end. */
START_TEST(leaves_no_process)
{
    for (int i = 0; i < 10; i++) {
        struct capture_options options = options_of(host);
        struct capture *capture = read_one(&options);
        ck_assert_int_gt(own_process(), 0);
        capture_close(capture);
        ck_assert_int_eq(own_process(), 0);
    }
}
END_TEST

/* The process gets nothing of the daemon: no environment, and no descriptor but its own. */
START_TEST(knows_nothing_else)
{
    char path[64], text[256], target[256];
    int others = 0;
    struct capture_options options = options_of(host);
    struct capture *capture = read_one(&options);
    pid_t pid = own_process();
    snprintf(path, sizeof path, "/proc/%d/environ", (int)pid);
    FILE *file = fopen(path, "r");
    if (file) {                 /* only root may read it */
        size_t n = fread(text, 1, sizeof text, file);
        for (size_t i = 0; i < n; i++)
            ck_assert_int_eq(text[i], 0);
        fclose(file);
    }
    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    DIR *fds = opendir(path);
    for (struct dirent *e; fds && (e = readdir(fds));) {
        ssize_t n = readlinkat(dirfd(fds), e->d_name, target, sizeof target - 1);
        if (n < 0)
            continue;
        target[n] = '\0';
        bool own = strcmp(target, "/dev/null") == 0 || strstr(target, "memfd:memaed") || strstr(target, "long.mkv");
        others += !own;
    }
    if (fds) {
        closedir(fds);
        ck_assert_int_le(others, getenv("MEMAED_TEST_SAN") && *getenv("MEMAED_TEST_SAN") ? 3 : 1);      /* only its socket */
    }
    expect_end(capture, 0, "");
}
END_TEST

int main(int argc, char **argv)
{
    if (capture_host_is_asked(argc, argv))
        return capture_host_main();
    source_set_log(no_line);
    setenv("SECRET", "it must not reach the host", 1);
    TCase *tc = tcase_create("capture");
    tcase_set_timeout(tc, 120);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, reads_as_source);
    tcase_add_test(tc, keeps_packets);
    tcase_add_test(tc, peeks_and_resizes);
    tcase_add_test(tc, writes_in_place);
    tcase_add_test(tc, a_moment_is_as_without);
    tcase_add_test(tc, names_the_true_cause);
    tcase_add_test(tc, death_is_named);
    tcase_add_test(tc, lives_through_signals_for_the_daemon);
    tcase_add_test(tc, hanging_is_a_stall);
    tcase_add_test(tc, stop_interrupts);
    tcase_add_test(tc, host_is_started_again);
    tcase_add_test(tc, stopped_host_is_ended);
    tcase_add_test(tc, leaves_no_process);
    tcase_add_test(tc, knows_nothing_else);
    return clips_run("capture", tc);
}
