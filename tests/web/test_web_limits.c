/* web/server, web/clients: slow clients, many clients, hostile clients, and clients with another Host. */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/suite.h"
#include "tests/web/web_fixture.h"
#include "web/request.h"
#include "web/server.h"

START_TEST(bodies_refused)
{
    enum { LARGE = 700000 };        /* bytes: more than one read takes, fewer than the server discards */
    char *large = malloc(LARGE + 1);
    memset(large, 'x', LARGE);
    large[LARGE] = '\0';
    struct answer answer;
    ask_with(&answer, "GET", "/api/v1/cameras", NULL, "x=1");
    check_problem(&answer, 413, NULL);
    answer_free(&answer);
    char out[4096];
    /* The client sends its whole body before it reads. The server refuses the body, and the answer still arrives. */
    for (int i = 0; i < 20; i++) {
        static const char *const methods[] = {"GET", "POST"};
        int fd = dial();
        char head_lines[256];
        snprintf(head_lines, sizeof head_lines, "%s /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n",
                 methods[i % 2], LARGE);
        send_text(fd, head_lines);
        send_text(fd, large);
        ck_assert_int_gt(read_all(fd, out, sizeof out), 0);
        close(fd);
        int status = 0;
        sscanf(out, "HTTP/1.1 %d", &status);
        ck_assert_int_eq(status, i % 2 ? 405 : 413);
    }
    free(large);
    ck_assert_int_eq(status_of("GET /healthz HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n", out,
                               sizeof out), 413);
    ck_assert_int_eq(status_of("GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 18446744073709551615\r\n\r\n", out,
                               sizeof out), 413);
    ck_assert_int_eq(status_of("GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", out,
                               sizeof out), 200);
}
END_TEST

START_TEST(oversized)
{
    char target[4096] = "/healthz?x=";
    memset(target + 11, 'a', WEB_TARGET_MAX - 11);
    target[WEB_TARGET_MAX] = '\0';
    struct answer answer = ask(target);
    ck_assert_int_eq(answer.status, 200);
    answer_free(&answer);
    strcat(target, "a");
    refuse(target, 414, NULL);

    char header[16384] = "X-Long: ";
    memset(header + 8, 'a', 9000);
    ck_assert_int_eq(ask_with(&answer, "GET", "/healthz", header, NULL), CURLE_OK);
    check_problem(&answer, 431, NULL);
    answer_free(&answer);

    /* libmicrohttpd itself answers a request that does not fit into the memory of its connection. */
    enum { HUGE_SIZE = 200000 };
    static char huge[HUGE_SIZE], out[4096];
    static const char line[] = "GET /", field[] = "GET / HTTP/1.1\r\nHost: localhost\r\nX: ";
    memset(huge, 'a', HUGE_SIZE - 1);
    memcpy(huge, line, sizeof line - 1);
    int status = status_of(huge, out, sizeof out);
    ck_assert_msg(status == 414, "%d", status);
    memset(huge, 'a', HUGE_SIZE - 1);
    memcpy(huge, field, sizeof field - 1);
    status = status_of(huge, out, sizeof out);
    ck_assert_msg(status == 431, "%d", status);
}
END_TEST

START_TEST(foreign_host)
{
    struct answer answer;
    ck_assert_int_eq(ask_with(&answer, "GET", "/api/v1/cameras", "Host: evil.example:8787", NULL), CURLE_OK);
    check_problem(&answer, 421, NULL);
    answer_free(&answer);
    ck_assert_int_eq(ask_with(&answer, "GET", "/api/v1/cameras", "Host: localhost:1", NULL), CURLE_OK);
    ck_assert_int_eq(answer.status, 200);
    answer_free(&answer);
    char out[8192];
    ck_assert_int_eq(status_of("GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: close\r\n\r\n",
                               out, sizeof out), 421);
    ck_assert_int_eq(status_of("GET /healthz HTTP/1.1\r\n\r\n", out, sizeof out), 400);
    static const struct { const char *target; int status; } absolute[] = {
        {"http://localhost/healthz", 200}, {"HTTP://127.0.0.1:8787/healthz", 200},
        {"http://localhost/api/v1/alerts?limit=1", 200}, {"http://localhost", 200}, {"http://localhost/nowhere", 404},
        {"http://evil.example/healthz", 421}, {"http://", 421}, {"http://localhost@evil.example/healthz", 421},
        {"ftp://localhost/healthz", 404},
    };
    for (size_t i = 0; i < sizeof absolute / sizeof absolute[0]; i++) {
        char request[200];
        snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", absolute[i].target);
        int status = status_of(request, out, sizeof out);
        ck_assert_msg(status == absolute[i].status, "%s: %d", absolute[i].target, status);
    }

    /* The rule is the same for a server that does not listen on loopback. */
    web_server_close(server);
    char *names[] = {"proxy.example", "cams.example"};
    view.host_names = names;
    view.n_host_names = 2;
    ck_assert_int_eq(web_server_open(&server, "0.0.0.0", 0, &view, NULL), 0);
    snprintf(base, sizeof base, "http://127.0.0.1:%d", web_server_port(server));
    static const struct { const char *host; long status; } hosts[] = {
        {"Host: cams.example", 200}, {"Host: CAMS.example:80", 200}, {"Host: proxy.example", 200}, {"Host: 192.0.2.7:8787", 200},
        {"Host: [2001:db8::7]:8787", 200}, {"Host: localhost", 200}, {"Host: xcams.example", 421}, {"Host: cams.example.", 421},
        {"Host: cams.example.evil", 421}, {"Host: 192.0.2.7.evil", 421}, {"Host: 192.0.2", 421}, {"Host: [cams.example]", 421},
        {"Host: evil.example", 421}};
    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
        ck_assert_int_eq(ask_with(&answer, "GET", "/api/v1/cameras", hosts[i].host, NULL), CURLE_OK);
        ck_assert_msg(answer.status == hosts[i].status, "%s: %ld", hosts[i].host, answer.status);
        answer_free(&answer);
    }
}
END_TEST

START_TEST(garbage)
{
    static const char *const lines[] = {"\r\n\r\n\r\n\r\nGET", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n",
                                        "\x16\x03\x01\x02\x01\x01\xfc\x03\x03 hello\r\n\r\n",
                                        "GET /a b c HTTP/1.1\r\nHost: localhost\r\n\r\n",
                                        "GET /healthz HTTP/1.1\r\nno colon\r\n\r\n",
                                        "GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n", "GET /"};
    char out[8192];
    /* libmicrohttpd may miss the end of a connection that arrives with the last bytes. The time limit then ends it. */
    web_server_close(server);
    open_server(&(struct web_limits){.connections = 64, .request_ms = 300});
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        int fd = dial();
        send_text(fd, lines[i]);
        shutdown(fd, SHUT_WR);
        ck_assert_int_ge(read_all(fd, out, sizeof out), 0);
        close(fd);
    }
    struct answer answer = ask("/healthz");
    ck_assert_int_eq(answer.status, 200);
    answer_free(&answer);
}
END_TEST

/* Three requests arrive in one packet, on a connection that stays. */
START_TEST(keep_alive)
{
    char out[8192];
    int fd = dial();
    send_text(fd, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\nGET /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n"
                  "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    ck_assert_int_gt(read_all(fd, out, sizeof out), 0);
    close(fd);
    int answers = 0;
    for (const char *at = out; (at = strstr(at, "HTTP/1.1 ")); at++)
        answers++;
    ck_assert_int_eq(answers, 3);
}
END_TEST

/* A client that never ends its request is cut, and so is one that does not read its answer. Others are answered
 * meanwhile. */
START_TEST(slow_clients)
{
    web_server_close(server);
    open_server(&(struct web_limits){.connections = 64, .request_ms = 300});
    world.scores_range[0] = (struct record_range){0, 4000};
    int silent = dial(), half = dial(), deaf = dial();
    send_text(half, "GET /healthz HTTP/1.1\r\nHost: loc");
    for (int i = 0; i < 50; i++)
        send_text(deaf, "GET /api/v1/cameras/gate/scores?limit=1000 HTTP/1.1\r\nHost: localhost\r\n\r\n");
    struct answer answer = ask("/healthz");
    ck_assert_int_eq(answer.status, 200);
    answer_free(&answer);
    char out[4096];
    ck_assert_int_eq(read_all(silent, out, sizeof out), 0);
    ck_assert_int_eq(read_all(half, out, sizeof out), 0);
    /* The client that did not read sees the end, too, after the bytes in its buffers. */
    for (;;) {
        struct pollfd fd = {.fd = deaf, .events = POLLIN};
        ck_assert_int_eq(poll(&fd, 1, 60000), 1);
        if (recv(deaf, out, sizeof out, 0) <= 0)
            break;
    }
    close(silent);
    close(half);
    close(deaf);
}
END_TEST

static size_t open_files(void)
{
    size_t n = 0;
    for (int fd = 0; fd < 4096; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

/* A thousand connections say nothing. The next one is answered, and no descriptor is lost. */
START_TEST(thousand)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max < 4096 ? limit.rlim_max : 4096;
    setrlimit(RLIMIT_NOFILE, &limit);
    enum { CONNECTIONS = 1000 };
    web_server_close(server);
    open_server(&(struct web_limits){.connections = 64, .request_ms = 600000});
    size_t before = open_files();
    static int fds[CONNECTIONS];
    for (int i = 0; i < CONNECTIONS; i++) {
        fds[i] = dial();
        if (i % 2)
            send_text(fds[i], "GET /api/v1/cameras HTTP/1.1\r\n");
        if (i % 100 == 99) {
            struct answer answer = ask("/healthz");
            ck_assert_int_eq(answer.status, 200);
            answer_free(&answer);
        }
    }
    ck_assert_uint_lt(open_files(), before + CONNECTIONS + 200);
    for (int i = 0; i < CONNECTIONS; i++)
        close(fds[i]);
    /* The server sees ends in the order in which they happen. After enough later requests it has seen them all. */
    for (int i = 0; i < 1000 && open_files() > before; i++) {
        struct answer answer = ask("/healthz");
        ck_assert_int_eq(answer.status, 200);
        answer_free(&answer);
    }
    web_server_close(server);
    server = NULL;
    ck_assert_uint_le(open_files(), before);
}
END_TEST

/* The process has no descriptor left. A client that waits is answered once one is free, though nothing else wakes the
 * server. */
START_TEST(out_of_files)
{
    web_server_close(server);
    open_server(&(struct web_limits){.connections = 64, .request_ms = 500});
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    int waiting = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int first = dial();
    char out[4096];
    send_text(first, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    ck_assert_int_gt(recv(first, out, sizeof out, 0), 0);       /* the server has accepted it */
    limit.rlim_cur = 64;
    setrlimit(RLIMIT_NOFILE, &limit);
    while (dup(first) >= 0)
        ;
    ck_assert_int_eq(errno, EMFILE);

    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)web_server_port(server)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    ck_assert_int_eq(connect(waiting, (struct sockaddr *)&address, sizeof address), 0);
    send_text(waiting, "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    ck_assert_int_gt(read_all(waiting, out, sizeof out), 0);
    ck_assert_int_eq(strncmp(out, "HTTP/1.1 200", 12), 0);
}
END_TEST

static void *ask_often(void *arg)
{
    for (int i = 0; i < 50; i++) {
        struct answer answer;
        ck_assert_int_eq(ask_with(&answer, "GET", i % 2 ? "/api/v1/cameras" : "/metrics", NULL, NULL), CURLE_OK);
        ck_assert_int_eq(answer.status, 200);
        answer_free(&answer);
    }
    return arg;
}

START_TEST(at_once)
{
    pthread_t threads[8];
    for (int i = 0; i < 8; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, ask_often, NULL), 0);
    for (int i = 0; i < 8; i++)
        pthread_join(threads[i], NULL);
}
END_TEST

START_TEST(addresses)
{
    struct web_server *other = NULL;
    struct error err = {""};
    int port = web_server_port(server);
    ck_assert_int_eq(web_server_open(&other, "127.0.0.1", port, &view, &err), -EADDRINUSE);
    ck_assert_ptr_null(other);
    ck_assert_ptr_nonnull(strstr(err.text, "127.0.0.1"));
    ck_assert_ptr_nonnull(strstr(err.text, "in use"));
    ck_assert_int_lt(web_server_open(&other, "999.1.1.1", 0, &view, &err), 0);
    ck_assert_ptr_null(other);
    ck_assert_int_eq(web_server_open(&other, "192.0.2.1", 0, &view, &err), -EADDRNOTAVAIL);
    ck_assert_ptr_null(other);

    int probe = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in6 loopback = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    bool has_v6 = probe >= 0 && bind(probe, (struct sockaddr *)&loopback, sizeof loopback) == 0;
    if (probe >= 0)
        close(probe);
    if (!has_v6) {
        printf("SKIP: no IPv6 here, REST over ::1 is not tested\n");
        return;
    }
    ck_assert_int_eq(web_server_open(&other, "::1", 0, &view, &err), 0);
    snprintf(base, sizeof base, "http://[::1]:%d", web_server_port(other));
    struct answer answer = ask("/healthz");
    ck_assert_int_eq(answer.status, 200);
    answer_free(&answer);
    ck_assert_int_eq(ask_with(&answer, "GET", "/healthz", "Host: evil.example", NULL), CURLE_OK);
    ck_assert_int_eq(answer.status, 421);
    answer_free(&answer);
    web_server_close(other);
}
END_TEST

/* Closing does not wait for connected clients. Without clients, the thread has no deadline for the watchdog. */
START_TEST(closes)
{
    int fd = dial();
    send_text(fd, "GET /healthz HT");
    web_server_close(server);
    char out[16];
    ck_assert_int_eq(read_all(fd, out, sizeof out), 0);
    close(fd);
    open_server(&web_default_limits);
    ck_assert(web_server_deadline_us(server) > 0);
    web_server_close(NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("web limits");
    TCase *hard = tcase_create("limits");
    tcase_add_checked_fixture(hard, setup, teardown);
    tcase_set_timeout(hard, 120);
    tcase_add_test(hard, bodies_refused);
    tcase_add_test(hard, oversized);
    tcase_add_test(hard, foreign_host);
    tcase_add_test(hard, garbage);
    tcase_add_test(hard, keep_alive);
    tcase_add_test(hard, slow_clients);
    tcase_add_test(hard, thousand);
    tcase_add_test(hard, out_of_files);
    tcase_add_test(hard, at_once);
    tcase_add_test(hard, addresses);
    tcase_add_test(hard, closes);
    suite_add_tcase(suite, hard);
    return suite_run(suite);
}
