/* POST /api/v1/reload: all its answers. While a request waits, others are answered, its client may go away, and the server
 * may close. The test ends the reloads (tests/web/web_fixture.h). */
#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/suite.h"
#include "tests/web/web_fixture.h"

static const char request_line[] = "POST /api/v1/reload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n"
                                   "Connection: close\r\n\r\n";

/* Asks for a reload. Another thread ends it, and later ones, with this result. */
static struct answer reload_with(const struct view_reload *result)
{
    pthread_mutex_lock(&reloads.mutex);
    reloads.at_once = result;
    pthread_mutex_unlock(&reloads.mutex);
    struct answer answer;
    ck_assert_int_eq(ask_with(&answer, "POST", "/api/v1/reload", NULL, NULL), CURLE_OK);
    return answer;
}

static json_int_t count(const struct answer *answer, const char *key)
{
    json_t *value = json_object_get(answer->json, key);
    ck_assert_msg(json_is_integer(value), "%s", key);
    return json_integer_value(value);
}

START_TEST(answers)
{
    static const char *const keys[] = {"http.listen", "workers"};
    struct answer answer = reload_with(&(struct view_reload){.added = 1, .removed = 2, .changed = 3, .unchanged = 4,
                                                             .needs_restart = keys, .n_needs_restart = 2});
    ck_assert_int_eq(answer.status, 200);
    ck_assert_str_eq(answer.type, "application/json");
    ck_assert_str_eq(answer.body, "{\"status\":\"reloaded\",\"added\":1,\"removed\":2,\"changed\":3,\"unchanged\":4,"
                                  "\"needs_restart\":[\"http.listen\",\"workers\"]}");
    ck_assert_ptr_nonnull(strstr(answer.headers, "Cache-Control: no-store\r\n"));
    answer_free(&answer);

    answer = reload_with(&(struct view_reload){.unchanged = 8});
    ck_assert_int_eq(answer.status, 200);
    ck_assert_int_eq(count(&answer, "unchanged"), 8);
    ck_assert_uint_eq(json_array_size(json_object_get(answer.json, "needs_restart")), 0);
    answer_free(&answer);

    static const char *const faults[] = {"memaed.yml:12:5: cameras.gate.fps: expected a number from 0.1 to 120, got \"fast\"",
                                         "memaed.yml:14:5: cameras.gate.\xff: unknown key"};
    answer = reload_with(&(struct view_reload){.status = -EINVAL, .faults = faults, .n_faults = 2});
    check_problem(&answer, 422, NULL);
    json_t *list = json_object_get(answer.json, "faults");
    ck_assert_uint_eq(json_array_size(list), 2);
    ck_assert_str_eq(json_string_value(json_array_get(list, 0)), faults[0]);
    ck_assert_str_eq(json_string_value(json_array_get(list, 1)), "memaed.yml:14:5: cameras.gate.?: unknown key");
    answer_free(&answer);

    answer = reload_with(&(struct view_reload){.status = -ENOENT, .detail = "memaed.yml: No such file \xff"});
    check_problem(&answer, 500, NULL);
    ck_assert_ptr_nonnull(strstr(text(answer.json, "detail"), "memaed.yml: No such file ?"));
    answer_free(&answer);

    /* A change that cannot be applied is not a fault of the file. */
    answer = reload_with(&(struct view_reload){.status = -EINVAL, .detail = "gate: no memory for windows"});
    check_problem(&answer, 500, NULL);
    ck_assert_ptr_nonnull(strstr(text(answer.json, "detail"), "gate: no memory for windows"));
    answer_free(&answer);

    answer = reload_with(&(struct view_reload){.status = -ECANCELED});
    check_problem(&answer, 503, NULL);
    answer_free(&answer);
    ck_assert_uint_eq(reloads.n_asked, 6);
}
END_TEST

START_TEST(refused)
{
    struct answer answer;
    reloads.refusal = -EBUSY;
    ck_assert_int_eq(ask_with(&answer, "POST", "/api/v1/reload", NULL, NULL), CURLE_OK);
    check_problem(&answer, 503, NULL);
    ck_assert_ptr_nonnull(strstr(answer.headers, "Retry-After: 1\r\n"));
    answer_free(&answer);
    reloads.refusal = -ENOMEM;
    ck_assert_int_eq(ask_with(&answer, "POST", "/api/v1/reload", NULL, NULL), CURLE_OK);
    check_problem(&answer, 500, NULL);
    ck_assert_ptr_null(strstr(answer.headers, "Retry-After"));
    answer_free(&answer);
    reloads.refusal = 0;

    static const char *const methods[] = {"GET", "HEAD", "PUT", "DELETE"};
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        ck_assert_int_eq(ask_with(&answer, methods[i], "/api/v1/reload", NULL, NULL), CURLE_OK);
        ck_assert_int_eq(answer.status, 405);
        ck_assert_ptr_nonnull(strstr(answer.headers, "Allow: POST\r\n"));
        answer_free(&answer);
    }
    ck_assert_int_eq(ask_with(&answer, "POST", "/api/v1/reload", NULL, "{}"), CURLE_OK);
    check_problem(&answer, 413, NULL);
    answer_free(&answer);
    ck_assert_int_eq(ask_with(&answer, "POST", "/api/v1/reload/", NULL, NULL), CURLE_OK);
    check_problem(&answer, 404, NULL);
    answer_free(&answer);
    char out[4096];
    ck_assert_int_eq(status_of("POST /api/v1/reload HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
                               "0\r\n\r\n", out, sizeof out), 413);
    ck_assert_uint_eq(reloads.n_asked, 0);

    /* These two have no body. An unknown parameter is ignored. */
    const struct view_reload done = {.unchanged = 1};
    reloads.at_once = &done;
    ck_assert_int_eq(status_of("POST /api/v1/reload?x=1 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", out,
                               sizeof out), 200);
    ck_assert_int_eq(status_of(request_line, out, sizeof out), 200);
    ck_assert_uint_eq(reloads.n_asked, 2);
}
END_TEST

/* Reloads wait for longer than a client's time limit, and other requests are answered meanwhile. Each answer reaches the
 * client that asked. The next request in the same packet is answered after it. */
START_TEST(waits)
{
    enum { REQUEST_MS = 200, WAITING = 4 };
    web_server_close(server);
    open_server(&(struct web_limits){.connections = 8, .request_ms = REQUEST_MS});
    int fds[WAITING];
    char out[8192];
    for (int i = 0; i < WAITING; i++) {
        fds[i] = dial();
        send_text(fds[i], "POST /api/v1/reload HTTP/1.1\r\nHost: localhost\r\n\r\n"
                          "GET /api/v1/cameras/none HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        wait_reloads((size_t)i + 1);
    }
    struct timespec begin, now;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    do {
        struct answer answer = ask("/healthz");
        ck_assert_int_eq(answer.status, 200);
        answer_free(&answer);
        clock_gettime(CLOCK_MONOTONIC, &now);
    } while ((now.tv_sec - begin.tv_sec) * 1000 + (now.tv_nsec - begin.tv_nsec) / 1000000 < 4 * REQUEST_MS);
    for (int i = 0; i < WAITING; i++) {
        struct pollfd fd = {.fd = fds[i], .events = POLLIN};
        ck_assert_int_eq(poll(&fd, 1, 0), 0);       /* the client is neither answered nor cut */
    }
    for (int i = 0; i < WAITING; i++)
        end_reload(&(struct view_reload){.added = (size_t)i});
    for (int i = 0; i < WAITING; i++) {
        ck_assert_int_gt(read_all(fds[i], out, sizeof out), 0);
        close(fds[i]);
        char expected[64];
        snprintf(expected, sizeof expected, "{\"status\":\"reloaded\",\"added\":%d,", i);
        char *first = strstr(out, expected);
        ck_assert_ptr_nonnull(first);
        ck_assert_int_eq(strncmp(out, "HTTP/1.1 200", 12), 0);
        ck_assert_ptr_nonnull(strstr(first, "HTTP/1.1 404"));
    }
    /* After its answer, the time limit holds again for a client. */
    int fd = dial();
    send_text(fd, "POST /api/v1/reload HTTP/1.1\r\nHost: localhost\r\n\r\n");
    wait_reloads(WAITING + 1);
    end_reload(&(struct view_reload){.added = 7});
    ck_assert_int_gt(read_all(fd, out, sizeof out), 0);
    close(fd);
    ck_assert_ptr_nonnull(strstr(out, "\"added\":7,"));
}
END_TEST

/* 16 requests may wait; the next one is told to try again. Requests that wait do not count as connections. */
START_TEST(too_many)
{
    enum { WAITING = 16 };
    web_server_close(server);
    open_server(&(struct web_limits){.connections = 2, .request_ms = 60000});
    int fds[WAITING];
    for (int i = 0; i < WAITING; i++) {
        fds[i] = dial();
        send_text(fds[i], request_line);
        wait_reloads((size_t)i + 1);
    }
    struct answer answer;
    ck_assert_int_eq(ask_with(&answer, "POST", "/api/v1/reload", NULL, NULL), CURLE_OK);
    check_problem(&answer, 503, NULL);
    ck_assert_ptr_nonnull(strstr(answer.headers, "Retry-After: "));
    answer_free(&answer);
    for (int i = 0; i < 10; i++) {
        answer = ask("/healthz");
        ck_assert_int_eq(answer.status, 200);
        answer_free(&answer);
    }
    char out[4096];
    for (int i = 0; i < WAITING; i++)
        end_reload(&(struct view_reload){.unchanged = 2});
    for (int i = 0; i < WAITING; i++) {
        ck_assert_int_gt(read_all(fds[i], out, sizeof out), 0);
        ck_assert_int_eq(strncmp(out, "HTTP/1.1 200", 12), 0);
        close(fds[i]);
    }
    ck_assert_uint_eq(reloads.n_asked, WAITING);
}
END_TEST

/* Clients go away while they wait, by a close or a reset. Nobody gets their answers, and others can wait in their place. */
START_TEST(client_gone)
{
    for (size_t i = 0; i < 40; i++) {
        int fd = dial();
        send_text(fd, request_line);
        wait_reloads(i + 1);
        if (i % 2)
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));
        close(fd);
        /* Another client connects, and must not get that answer. */
        int other = dial();
        end_reload(&(struct view_reload){.added = 99});
        send_text(other, "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        char out[4096];
        ck_assert_int_gt(read_all(other, out, sizeof out), 0);
        ck_assert_ptr_nonnull(strstr(out, "healthy"));
        ck_assert_ptr_null(strstr(out, "added"));
        close(other);
    }
}
END_TEST

/* A client that only closes its sending side still gets its answer. */
START_TEST(half_closed)
{
    int fd = dial();
    char out[4096];
    send_text(fd, request_line);
    wait_reloads(1);
    shutdown(fd, SHUT_WR);
    end_reload(&(struct view_reload){.added = 5});
    ck_assert_int_gt(read_all(fd, out, sizeof out), 0);
    close(fd);
    ck_assert_ptr_nonnull(strstr(out, "\"added\":5,"));
}
END_TEST

static void *end_all(void *arg)
{
    size_t n = *(const size_t *)arg;
    for (size_t i = 0; i < n; i++)
        end_reload(&(struct view_reload){.status = -ECANCELED});
    return NULL;
}

/* The server closes while reloads wait. Some end before, some meanwhile, some after. Closing waits for none. */
START_TEST(server_closes)
{
    enum { WAITING = 6 };
    size_t asked = 0;
    for (int round = 0; round < 10; round++) {
        int fds[WAITING];
        for (int i = 0; i < WAITING; i++) {
            fds[i] = dial();
            send_text(fds[i], request_line);
            wait_reloads(++asked);
        }
        if (round % 2)
            close(fds[0]);
        size_t before = (size_t)round % 3, meanwhile = 2;
        end_all(&before);
        pthread_t thread;
        ck_assert_int_eq(pthread_create(&thread, NULL, end_all, &meanwhile), 0);
        web_server_close(server);
        pthread_join(thread, NULL);
        server = NULL;
        char out[4096];
        for (int i = round % 2; i < WAITING; i++) {
            ck_assert_int_ge(read_all(fds[i], out, sizeof out), 0);
            close(fds[i]);
        }
        size_t after = WAITING - before - meanwhile;
        end_all(&after);
        open_server(&web_default_limits);
    }
}
END_TEST

static void *ask_reloads(void *arg)
{
    for (int i = 0; i < 6; i++) {
        struct answer answer;
        ck_assert_int_eq(ask_with(&answer, "POST", "/api/v1/reload", NULL, NULL), CURLE_OK);
        ck_assert_int_eq(answer.status, 200);
        answer_free(&answer);
        answer = ask("/api/v1/cameras");
        ck_assert_int_eq(answer.status, 200);
        answer_free(&answer);
    }
    return arg;
}

/* Several clients ask at once, and each reload ends before reload() returns. */
START_TEST(at_once)
{
    enum { CLIENTS = 8 };
    const struct view_reload result = {.changed = 1};
    reloads.at_once = &result;
    pthread_t threads[CLIENTS];
    for (int i = 0; i < CLIENTS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, ask_reloads, NULL), 0);
    for (int i = 0; i < CLIENTS; i++)
        pthread_join(threads[i], NULL);
    ck_assert_uint_eq(reloads.n_asked, 6 * CLIENTS);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("web reload");
    TCase *rest = tcase_create("rest");
    tcase_add_checked_fixture(rest, setup, teardown);
    tcase_set_timeout(rest, 120);
    tcase_add_test(rest, answers);
    tcase_add_test(rest, refused);
    tcase_add_test(rest, waits);
    tcase_add_test(rest, too_many);
    tcase_add_test(rest, client_gone);
    tcase_add_test(rest, half_closed);
    tcase_add_test(rest, server_closes);
    tcase_add_test(rest, at_once);
    suite_add_tcase(suite, rest);
    return suite_run(suite);
}
