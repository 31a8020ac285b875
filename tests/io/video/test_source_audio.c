/* A server that refuses a source is asked once. One that refuses the audio alone is asked again, for the video. */
#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/video/source.h"
#include "tests/suite.h"

#define VIDEO "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:video\r\n"
#define AUDIO "m=audio 0 RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\na=control:audio\r\n"

struct script {
    const char *describe;       /* the answer to DESCRIBE; NULL: the description */
    const char *media;          /* the streams in the description */
    const char *video, *audio;  /* the answers to SETUP; NULL: success */
};

struct server {
    const struct script *script;
    int fd, port;
    atomic_int connections, plays, audio_setups;
    pthread_t thread;
};

/* Writes the answer to a request. Returns false to end the connection. */
static bool answer(struct server *server, const char *request, char *ret, size_t size)
{
    const char *refusal = NULL, *cseq = strstr(request, "CSeq:");
    char more[800] = "";
    if (strncmp(request, "DESCRIBE", 8) == 0) {
        char sdp[400];
        refusal = server->script->describe;
        snprintf(sdp, sizeof sdp, "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=s\r\nt=0 0\r\n%s", server->script->media);
        snprintf(more, sizeof more, "Content-Type: application/sdp\r\nContent-Length: %zu\r\n\r\n%s", strlen(sdp), sdp);
    } else if (strncmp(request, "SETUP", 5) == 0) {
        bool audio = strstr(request, "/audio ") != NULL;
        refusal = audio ? server->script->audio : server->script->video;
        atomic_fetch_add(&server->audio_setups, audio);
        snprintf(more, sizeof more, "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\nSession: 1\r\n\r\n");
    } else if (strncmp(request, "PLAY", 4) == 0) {
        atomic_fetch_add(&server->plays, 1);
        return false;
    } else {
        snprintf(more, sizeof more, "Public: DESCRIBE, SETUP, PLAY\r\n\r\n");
    }
    snprintf(ret, size, "RTSP/1.0 %s\r\nCSeq: %d\r\n%s", refusal ? refusal : "200 OK", cseq ? atoi(cseq + 5) : 0,
             refusal ? "\r\n" : more);
    return true;
}

static void *serve(void *arg)
{
    struct server *server = arg;
    int client;
    while ((client = accept(server->fd, NULL, NULL)) >= 0) {
        char request[4096], reply[2048];
        size_t n = 0;
        ssize_t got;
        atomic_fetch_add(&server->connections, 1);
        while (n < sizeof request - 1 && (got = recv(client, request + n, sizeof request - 1 - n, 0)) > 0) {
            request[n += (size_t)got] = 0;
            if (!strstr(request, "\r\n\r\n"))
                continue;
            n = 0;
            if (!answer(server, request, reply, sizeof reply) || send(client, reply, strlen(reply), MSG_NOSIGNAL) < 0)
                break;
        }
        close(client);
    }
    return NULL;
}

static const struct {
    struct script script;
    bool audio;
    int connections, plays, audio_setups;
} servers[] = {
    {{.describe = "404 Not Found", .media = ""}, true, 1, 0, 0},
    {{.describe = "400 Bad Request", .media = ""}, true, 1, 0, 0},
    {{.describe = "503 Service Unavailable", .media = ""}, true, 1, 0, 0},
    {{.media = VIDEO, .video = "404 Not Found"}, true, 1, 0, 0},
    {{.media = AUDIO, .audio = "403 Forbidden"}, true, 1, 0, 1},
    {{.media = VIDEO AUDIO, .audio = "404 Not Found"}, true, 2, 1, 1},
    {{.media = AUDIO VIDEO, .audio = "403 Forbidden"}, true, 2, 1, 1},
    {{.media = VIDEO AUDIO, .audio = "404 Not Found"}, false, 1, 1, 0},
    {{.media = VIDEO AUDIO}, true, 1, 1, 1},
};

START_TEST(refusals)
{
    struct server server = {.script = &servers[_i].script, .fd = socket(AF_INET, SOCK_STREAM, 0)};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    ck_assert_int_eq(bind(server.fd, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(listen(server.fd, 8), 0);
    ck_assert_int_eq(getsockname(server.fd, (struct sockaddr *)&address, &length), 0);
    ck_assert_int_eq(pthread_create(&server.thread, NULL, serve, &server), 0);

    char url[64];
    struct source *source;
    struct error err = {""};
    snprintf(url, sizeof url, "rtsp://127.0.0.1:%d/cam", ntohs(address.sin_port));
    const struct source_options options = {.width = 32, .height = 24, .stall_timeout_ms = 20000, .audio = servers[_i].audio};
    ck_assert_int_lt(source_open(&source, url, &options, &err), 0);     /* no server sends a picture */
    ck_assert_msg(strstr(err.text, "rtsp://127.0.0.1"), "%s", err.text);
    shutdown(server.fd, SHUT_RDWR);
    pthread_join(server.thread, NULL);
    close(server.fd);
    ck_assert_int_eq(server.connections, servers[_i].connections);
    ck_assert_int_eq(server.plays, servers[_i].plays);
    ck_assert_int_eq(server.audio_setups, servers[_i].audio_setups);
}
END_TEST

int main(void)
{
    source_set_log(NULL);
    TCase *tcase = tcase_create("source_audio");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, refusals, 0, sizeof servers / sizeof *servers);
    Suite *suite = suite_create("source_audio");
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
