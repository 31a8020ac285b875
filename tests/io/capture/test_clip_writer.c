/* A clip that a process writes is the same as one written here. Whatever becomes of the process, the part on disk plays. */
#include <check.h>
#include <errno.h>
#include <signal.h>
#include <sys/stat.h>
#include <time.h>

#include "io/capture/capture.h"
#include "io/capture/clip_writer.h"
#include "tests/io/capture/processes.h"
#include "tests/io/video/packets/packets.h"

static struct capture_host *host;

static void setup(void)
{
    struct error err = {""};
    ck_assert_msg(capture_host_open(&host, &err) == 0, "%s", err.text);
    read_four_seconds();
}

static void teardown(void)
{
    free_packets();
    capture_host_close(host);
}

static struct clip_file_stats write_by(struct capture_host *by, const char *name, size_t batch)
{
    struct clip_writer *writer;
    struct clip_file_stats stats;
    struct error err = {""};
    int fd = create_clip(name);
    ck_assert_msg(clip_writer_open(&writer, by, fd, packets[0]->stream, NULL, &err) == 0, "%s", err.text);
    for (size_t i = 0; i < n_packets; i += batch) {
        size_t n = n_packets - i < batch ? n_packets - i : batch;
        ck_assert_msg(clip_writer_add(writer, packets + i, n, &err) == 0, "%s", err.text);
    }
    ck_assert_msg(clip_writer_close(writer, &stats, &err) == 0, "%s", err.text);
    close(fd);
    return stats;
}

START_TEST(writes_the_same)
{
    static const size_t batches[] = {1, 7, 1000};
    size_t here_size, there_size;
    struct clip_file_stats here = write_by(NULL, "here.mp4", 10);
    uint8_t *here_bytes = clip_read("here.mp4", &here_size);
    for (size_t i = 0; i < sizeof batches / sizeof *batches; i++) {
        struct clip_file_stats there = write_by(host, "there.mp4", batches[i]);
        uint8_t *there_bytes = clip_read("there.mp4", &there_size);
        ck_assert_uint_eq(there_size, here_size);
        ck_assert_mem_eq(there_bytes, here_bytes, here_size);
        ck_assert(there.bytes == here.bytes && there.duration_us == here.duration_us && there.packets == here.packets);
        free(there_bytes);
    }
    free(here_bytes);
}
END_TEST

/* The packets are more than the shared memory holds at once. */
START_TEST(many_packets_take_turns)
{
    struct packet *large[40];
    static uint8_t data[1 << 20];
    for (size_t i = 0; i < 40; i++) {
        struct packet_times times = packets[0]->times;
        times.pts = times.dts = 40 * (int64_t)i;
        memcpy(data, packets[0]->data, packets[0]->size);
        large[i] = packet_new(packets[0]->stream, &times, data, packets[0]->size < sizeof data ? sizeof data : 1);
    }
    struct clip_writer *writer;
    struct clip_file_stats stats;
    struct error err = {""};
    int fd = create_clip("large.mp4");
    ck_assert_int_eq(clip_writer_open(&writer, host, fd, packets[0]->stream, NULL, &err), 0);
    ck_assert_msg(clip_writer_add(writer, large, 40, &err) == 0, "%s", err.text);
    ck_assert_int_eq(clip_writer_close(writer, &stats, &err), 0);
    ck_assert_uint_eq(stats.packets, 40);
    ck_assert_int_gt(stats.bytes, 1 << 20);
    close(fd);
    for (size_t i = 0; i < 40; i++)
        packet_unref(large[i]);
}
END_TEST

/* Returns the process that writes a clip. It has this name once it serves. */
static pid_t writing_process(void)
{
    pid_t found = 0;
    for (int i = 0; i < 200 && !found; i++) {
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
        found = process_named("clip", getpid());
    }
    ck_assert_int_gt(found, 0);
    return found;
}

START_TEST(a_process_may_be_killed)
{
    struct clip_writer *writer;
    struct clip_file_stats stats;
    struct error err = {""};
    struct stat st;
    char text[1 << 16];
    int fd = create_clip("killed.mp4");
    ck_assert_int_eq(clip_writer_open(&writer, host, fd, packets[0]->stream, NULL, &err), 0);
    ck_assert_int_eq(clip_writer_add(writer, packets, 60, &err), 0);
    ck_assert_int_eq(kill(writing_process(), SIGKILL), 0);
    int r = 0;
    for (size_t i = 60; r == 0 && i < n_packets; i++)
        r = clip_writer_add(writer, packets + i, 1, &err);
    ck_assert_int_eq(r, -EIO);
    ck_assert_str_eq(err.text, "the process that writes the clip has ended");
    ck_assert_int_eq(clip_writer_add(writer, packets, 1, &err), -EIO);
    clip_writer_close(writer, &stats, &err);
    ck_assert_int_eq(fstat(fd, &st), 0);
    ck_assert_int_eq(st.st_size, stats.bytes);
    close(fd);
    run_command(text, sizeof text, "ffmpeg -v error -i @/killed.mp4 -map 0:v -fps_mode passthrough -f framemd5 - 2>&1 | "
                "grep -v '^#' | wc -l");
    ck_assert_int_ge(atoi(text), 48);
}
END_TEST

START_TEST(faults_are_told)
{
    struct clip_writer *writer;
    struct error err = {""};
    struct packet_format format = packets[0]->stream->format;
    format.width = format.height = 0;
    struct packet_stream *stream = packet_stream_new(&format, packets[0]->stream->extradata);
    int fd = create_clip("fault.mp4");
    int r = clip_writer_open(&writer, host, fd, stream, NULL, &err);
    if (r == 0) {
        r = clip_writer_add(writer, packets, 1, &err);
        clip_writer_close(writer, NULL, NULL);
    }
    ck_assert_msg(r == -EINVAL, "%d %s", r, err.text);
    ck_assert_msg(strstr(err.text, "expected a stream that names the size of its pictures, got one that does not"), "%s",
                  err.text);
    packet_stream_unref(stream);
    close(fd);

    fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
    ck_assert_int_eq(clip_writer_open(&writer, host, fd, packets[0]->stream, NULL, &err), 0);
    ck_assert_int_eq(clip_writer_add(writer, packets, 50, &err), -ENOSPC);
    ck_assert_str_eq(err.text, "writing the clip: No space left on device");
    clip_writer_close(writer, NULL, NULL);
    close(fd);
}
END_TEST

int main(int argc, char **argv)
{
    if (capture_host_is_asked(argc, argv))
        return capture_host_main();
    TCase *tc = tcase_create("clip_writer");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, writes_the_same);
    tcase_add_test(tc, many_packets_take_turns);
    tcase_add_test(tc, a_process_may_be_killed);
    tcase_add_test(tc, faults_are_told);
    return clips_run("clip_writer", tc);
}
