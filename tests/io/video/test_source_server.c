/* If a server is dead, silent, refuses or ends early, opening and reading end in time, with the cause. A stop ends both. */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/video/source.h"
#include "tests/clips.h"
#include "tests/io/video/reading.h"

struct server {
    int fd, port;
    const uint8_t *answer;      /* sent after the blank line of a request; NULL: never answers */
    size_t size;
    bool hold;                  /* after the answer the connection stays open, silent */
    atomic_bool *stop;          /* becomes true when a client is there and has its answer; may be NULL */
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

/* Starts a server that answers each request with head, then body [size]; head NULL: it never answers. */
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
        ck_assert_int_eq(server_fails(&server, schemes[i], &options, "no answer for 0.3 s"), -ETIMEDOUT);
    options.udp = true;
    ck_assert_int_eq(server_fails(&server, "rtsp", &options, "no answer for 0.3 s"), -ETIMEDOUT);
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
        options.stop = &stop;           /* without any time-out */
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
        {"HTTP/1.0 200 OK\r\n\r\nffconcat version 1.0\nfile file:///CLIP\n", -EINVAL},
    };
    clips_ffmpeg("-f lavfi -i testsrc2=s=64x48:r=10:d=1 -c:v libx264 @/local.ts");
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        struct server server;
        struct source_options options = small;
        options.stall_timeout_ms = 10000;
        char head[1024];
        const char *clip = strstr(answers[i].head, "/CLIP");
        if (clip)
            snprintf(head, sizeof head, "%.*s%s%s", (int)(clip - answers[i].head), answers[i].head, clip_path("local.ts"),
                     clip + 5);
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

static void count_packet(void *arg, const struct AVPacket *packet)
{
    (void)packet;
    ++*(int *)arg;
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

    /* The server sends half of the clip, then nothing. */
    options.stall_timeout_ms = 500;
    server_open(&server, "HTTP/1.0 200 OK\r\n\r\n", data, size / 2, true, NULL);
    read_all(server_url(&server, "http", "clip.nut"), &options);
    ck_assert_int_eq(all.result, -ETIMEDOUT);
    ck_assert_int_gt(all.n, 5);
    ck_assert_ptr_nonnull(strstr(all.err.text, "no packet of the video for 0.5 s"));
    ck_assert_ptr_null(strstr(all.err.text, "hunter2"));
    server_close(&server);

    /* The same while FFmpeg's parser still holds packets. It gives them out once the time-out has passed, as at an end. They may
     * be cut, so no tap sees them. */
    clips_ffmpeg("-f lavfi -i testsrc2=s=64x48:r=10:d=20 -c:v mpeg2video @/http.ts");
    size_t ts_size;
    uint8_t *ts = clip_read("http.ts", &ts_size);
    int results[2], packets[2];
    for (int hold = 0; hold < 2; hold++) {
        options.tap = (struct source_tap){.arg = &packets[hold], .packet = count_packet};
        packets[hold] = 0;
        server_open(&server, "HTTP/1.0 200 OK\r\n\r\n", ts, ts_size / 2, hold, NULL);
        read_all(server_url(&server, "http", "clip.ts"), &options);
        results[hold] = all.result;
        ck_assert_int_gt(all.n, 5);
        server_close(&server);
    }
    free(ts);
    ck_assert(results[0] == 0 && results[1] == -ETIMEDOUT);
    ck_assert_int_lt(packets[1], packets[0]);
    options.tap = (struct source_tap){0};

    /* The connection ends after half of the length that was promised. */
    char head[128];
    snprintf(head, sizeof head, "HTTP/1.0 200 OK\r\nContent-Length: %zu\r\n\r\n", size);
    options.stall_timeout_ms = 10000;
    server_open(&server, head, data, size / 2, false, NULL);
    read_all(server_url(&server, "http", "clip.nut"), &options);
    ck_assert_int_eq(all.result, -EIO);
    server_close(&server);

    /* A stop comes while the source waits. */
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

int main(void)
{
    bool clips = clips_open();
    source_set_log(NULL);
    TCase *tc = tcase_create("source_server");
    tcase_add_test(tc, a_dead_server_ends_opening);
    tcase_add_test(tc, a_stop_ends_opening);
    if (clips) {
        tcase_add_test(tc, answers_that_are_errors);
        tcase_add_test(tc, http_reads_to_the_end_or_stalls);
    }
    return run_case(tc, "source_server");
}
