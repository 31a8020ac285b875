/* A clip's process that an attacker has taken over. This program's clip_file_add() replaces that of the library, and runs in the
 * real process, with the real sandbox. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <libavcodec/codec_id.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/base/clock.h"
#include "io/capture/clip_child.h"
#include "io/capture/clip_writer.h"
#include "tests/suite.h"

struct clip_file {
    int fd;
    char what[16];
};

int clip_file_open(struct clip_file **ret, int fd, const struct packet_stream *stream, const struct packet_stream *audio,
                   struct error *err)
{
    (void)audio, (void)err;
    *ret = calloc(1, sizeof **ret);
    (*ret)->fd = fd;
    memcpy((*ret)->what, stream->extradata, stream->format.extradata_size);
    return 0;
}

static void send_to_all(const void *data, size_t size)
{
    for (int fd = 3; fd < 32; fd++)
        send(fd, data, size, MSG_NOSIGNAL);
}

int clip_file_add(struct clip_file *clip, const struct packet *packet, struct error *err)
{
    struct clip_reply reply = {0};
    static char large[1 << 16];
    (void)packet, (void)err;
    if (strcmp(clip->what, "exec") == 0)
        execl("/bin/true", "true", NULL);
    if (strcmp(clip->what, "open") == 0)
        return open("/etc/passwd", O_RDONLY) < 0 && open("/tmp/x", O_WRONLY | O_CREAT, 0600) < 0 &&
               socket(AF_INET, SOCK_STREAM, 0) < 0 ? 0 : -1;
    if (strcmp(clip->what, "garbage") == 0)
        send_to_all(large, 1000);
    if (strcmp(clip->what, "bytes") == 0)
        reply.bytes = 1 << 20;
    else if (strcmp(clip->what, "result") == 0)
        reply.result = 7;
    else if (strcmp(clip->what, "text") == 0)
        memset(reply.text, 'x', sizeof reply.text);
    else if (strcmp(clip->what, "negative") == 0)
        reply.bytes = -1;
    else if (strcmp(clip->what, "hang") == 0)
        for (;;)
            pause();
    send_to_all(&reply, sizeof reply);
    return 0;
}

void clip_file_stats(const struct clip_file *clip, struct clip_file_stats *ret)
{
    (void)clip;
    *ret = (struct clip_file_stats){0};
}

int clip_file_close(struct clip_file *clip, struct clip_file_stats *ret, struct error *err)
{
    (void)clip, (void)ret, (void)err;
    return 0;
}

const char *clip_file_extension(const struct packet_format *format, const struct packet_format *audio)
{
    (void)format, (void)audio;
    return "mp4";
}

static const struct {
    const char *what, *cause;
    int code;
} all[] = {
    {"exec", "the process that writes the clip has ended", -EIO},
    {"open", "", 0},
    {"garbage", "breaks the protocol: an answer of another size", -EPROTO},
    {"bytes", "breaks the protocol: more bytes than the file has", -EPROTO},
    {"result", "breaks the protocol: a result out of range", -EPROTO},
    {"text", "breaks the protocol: a text without an end", -EPROTO},
    {"negative", "breaks the protocol: it counts backwards", -EPROTO},
    {"hang", "hangs, or the disk does", -ETIMEDOUT},
};

START_TEST(is_an_error_of_the_clip)
{
    struct capture_host *host;
    struct clip_writer *writer;
    struct error err = {""};
    char path[] = "/tmp/memaed-hostile-clip-XXXXXX";
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    unlink(path);
    ck_assert_int_eq(capture_host_open(&host, &err), 0);
    const struct packet_format format = {.codec = AV_CODEC_ID_H264, .pixel_format = -1, .width = 64, .height = 48,
                                         .aspect_den = 1, .time_base_num = 1, .time_base_den = 1000,
                                         .extradata_size = (uint32_t)strlen(all[_i].what) + 1};
    struct packet_stream *stream = packet_stream_new(&format, all[_i].what);
    struct packet *packet = packet_new(stream, &(struct packet_times){.key = true, .arrival_us = monotonic_us()}, "x", 1);
    ck_assert_msg(clip_writer_open(&writer, host, fd, stream, NULL, &err) == 0 || strlen(all[_i].cause) > 0, "%s", err.text);
    int r = clip_writer_add(writer, &packet, 1, &err);
    ck_assert_msg(r == all[_i].code && strstr(err.text, all[_i].cause), "%s: %d %s", all[_i].what, r, err.text);
    clip_writer_close(writer, NULL, NULL);
    packet_unref(packet);
    packet_stream_unref(stream);
    capture_host_close(host);
    close(fd);
}
END_TEST

int main(int argc, char **argv)
{
    if (capture_host_is_asked(argc, argv))
        return capture_host_main();
    TCase *tc = tcase_create("hostile_clip");
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, is_an_error_of_the_clip, 0, sizeof all / sizeof *all);
    Suite *suite = suite_create("hostile_clip");
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
