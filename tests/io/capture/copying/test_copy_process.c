/* io/capture/copying: a process of its own copies a clip. Whatever becomes of the process, the caller is told. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "io/base/clock.h"
#include "io/capture/copying/copy_process.h"
#include "tests/io/capture/processes.h"
#include "tests/io/video/packets/packets.h"

static struct capture_host *host;
static const struct privacy none;

static void setup(void)
{
    struct error err = {""};
    ck_assert_msg(capture_host_open(&host, &err) == 0, "%s", err.text);
    clips_ffmpeg("-f lavfi -i testsrc2=s=160x120:r=25:d=4 -pix_fmt yuv420p -c:v libx265 -preset ultrafast "
                 "-x265-params log-level=none @/clip.mp4");
    clips_ffmpeg("-f lavfi -i testsrc2=s=1280x720:r=25:d=40 -pix_fmt yuv420p -c:v libx264 -preset ultrafast @/long.mp4");
}

static void teardown(void)
{
    capture_host_close(host);
}

static int copy(struct capture_copy *ret, const char *from, const char *to, const struct capture_copy_options *options,
                struct capture_host *by, struct error *err)
{
    int in = open(clip_path(from), O_RDONLY | O_CLOEXEC), out = create_clip(to);
    ck_assert_int_ge(in, 0);
    int r = capture_copy(ret, in, out, options, by, err);
    close(in);
    close(out);
    return r;
}

static struct capture_copy_options options_of(int64_t limit_us, const atomic_bool *stop)
{
    return (struct capture_copy_options){.privacy = &none, .longest = 1920, .length_us = INT64_C(600000000), .limit_us = limit_us,
                                         .stops = {NULL, stop}};
}

/* The process makes the same copy that this one makes. */
START_TEST(copies_the_same)
{
    const struct capture_copy_options options = options_of(INT64_C(600000000), NULL);
    struct capture_copy here, there;
    struct error err = {""};
    size_t here_size, there_size;
    ck_assert_msg(copy(&here, "clip.mp4", "here.mp4", &options, NULL, &err) == 0, "%s", err.text);
    ck_assert_msg(copy(&there, "clip.mp4", "there.mp4", &options, host, &err) == 0, "%s", err.text);
    uint8_t *here_bytes = clip_read("here.mp4", &here_size), *there_bytes = clip_read("there.mp4", &there_size);
    ck_assert_uint_eq(there_size, here_size);
    ck_assert_mem_eq(there_bytes, here_bytes, here_size);
    ck_assert(here.bytes == there.bytes && here.duration_us == there.duration_us && !there.is_cut);
    ck_assert_int_eq(there.bytes, (int64_t)there_size);
    ck_assert_int_eq(there.duration_us, 4000000);
    ck_assert_str_eq(there.codecs, here.codecs);
    ck_assert_msg(strncmp(there.codecs, "avc1.", 5) == 0, "%s", there.codecs);
    free(here_bytes);
    free(there_bytes);
}
END_TEST

START_TEST(faults_cross)
{
    const struct capture_copy_options options = options_of(INT64_C(600000000), NULL);
    struct privacy wrong = {.n = 1, .areas = {{3, {{0, 0}, {1, 0}, {0, 2}}}}};
    struct capture_copy_options masked = options;
    struct capture_copy ret = {.bytes = 7};
    struct error err = {""};
    clip_write("garbage.mp4", "this is no video, and nobody will find a stream in it", 53);
    ck_assert_int_eq(copy(&ret, "garbage.mp4", "copy.mp4", &options, host, &err), -EINVAL);
    ck_assert_msg(*err.text, "no cause");
    masked.privacy = &wrong;
    ck_assert_int_eq(copy(&ret, "clip.mp4", "copy.mp4", &masked, host, &err), -EINVAL);
    ck_assert_msg(strstr(err.text, "mask 1: expected coordinates"), "%s", err.text);
    ck_assert_int_eq(ret.bytes, 7);
}
END_TEST

/* A copy that takes too long, or that is stopped, ends soon, and no process stays. */
START_TEST(limits)
{
    struct capture_copy ret;
    struct error err = {""};
    atomic_bool stop = false;
    struct capture_copy_options options = options_of(300000, NULL);
    int64_t start_us = monotonic_us();
    ck_assert_int_eq(copy(&ret, "long.mp4", "copy.mp4", &options, host, &err), -ETIMEDOUT);
    ck_assert_msg(strstr(err.text, "takes longer than"), "%s", err.text);
    ck_assert_int_lt(monotonic_us() - start_us, 5000000);
    options = options_of(INT64_C(60000000), &stop);
    stop = true;
    start_us = monotonic_us();
    ck_assert_int_eq(copy(&ret, "long.mp4", "copy.mp4", &options, host, &err), -EINTR);
    ck_assert_int_lt(monotonic_us() - start_us, 5000000);
    for (int i = 0; process_named("copy", getpid()) != 0; i++) {
        ck_assert_int_lt(i, 500);
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
}
END_TEST

static int priority;            /* the nice value of the process that was killed */

static void *kill_it(void *arg)
{
    (void)arg;
    pid_t pid = 0;
    for (int i = 0; i < 1000 && (pid = process_named("copy", getpid())) == 0; i++)
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    nanosleep(&(struct timespec){.tv_nsec = 200000000}, NULL);
    priority = pid ? getpriority(PRIO_PROCESS, (id_t)pid) : 0;
    if (pid)
        kill(pid, SIGKILL);
    return NULL;
}

START_TEST(a_process_may_be_killed)
{
    const struct capture_copy_options options = options_of(INT64_C(600000000), NULL);
    struct capture_copy ret = {.bytes = 7};
    struct error err = {""};
    pthread_t killer;
    ck_assert_int_eq(pthread_create(&killer, NULL, kill_it, NULL), 0);
    int r = copy(&ret, "long.mp4", "copy.mp4", &options, host, &err);
    pthread_join(killer, NULL);
    ck_assert_int_eq(r, -EIO);
    ck_assert_str_eq(err.text, "the process that copies the clip has ended");
    ck_assert_int_eq(ret.bytes, 7);
    ck_assert_int_eq(priority, 19);
}
END_TEST

int main(int argc, char **argv)
{
    struct error err;
    if (capture_host_is_asked(argc, argv))
        return capture_host_main();
    if (capture_can_encode(&err) < 0) {
        printf("SKIPPED: %s\n", err.text);
        return 0;
    }
    TCase *tcase = tcase_create("copy process");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 300);
    tcase_add_test(tcase, copies_the_same);
    tcase_add_test(tcase, faults_cross);
    tcase_add_test(tcase, limits);
    tcase_add_test(tcase, a_process_may_be_killed);
    return clips_run("copy process", tcase);
}
