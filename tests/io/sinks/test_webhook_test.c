/* The test event of `memaed check --connect`, for receivers that accept it, refuse it, are silent or are not there. */
#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "io/sinks/webhook_test.h"
#include "tests/io/sinks/webhook_fixture.h"

static const int64_t time_us = 1709210096789123;

static struct reply by_path(struct receiver *receiver, size_t i)
{
    const char *path = receiver->received[i].path;
    return (struct reply){.status = strcmp(path, "/well") == 0 ? 204 : strcmp(path, "/ill") == 0 ? 500 :
                                    strcmp(path, "/moved") == 0 ? 302 : 0, .location = "/well", .then = 200};
}

START_TEST(each_answer_is_told)
{
    struct receiver receiver;
    receiver_open(&receiver, by_path);
    struct config_webhook hooks[4] = {hook_to(&receiver, "/well"), hook_to(&receiver, "/ill"), hook_to(&receiver, "/moved"),
                                      {.url = "http://user:hunter2@127.0.0.1:1/hunter2", .timeout_s = 5}};
    hooks[0].name = "ops";
    hooks[0].filter.types = 0;            /* it is sent even if no type is asked for */
    struct webhook_answer answers[4];
    struct error err;
    ck_assert_int_eq(webhook_test(answers, hooks, 4, time_us, -1, &err), 0);
    ck_assert_str_eq(answers[0].name, "ops");
    ck_assert_int_eq(answers[0].status, 204);
    ck_assert_str_eq(answers[0].cause, "");
    ck_assert_int_gt(answers[0].took_us, 0);
    ck_assert_int_eq(answers[1].status, 500);
    ck_assert_str_eq(answers[1].cause, "HTTP status 500");
    ck_assert_int_eq(answers[2].status, 302);
    ck_assert_str_eq(answers[2].cause, "HTTP status 302");
    ck_assert_int_eq(answers[3].status, 0);
    ck_assert_str_eq(answers[3].name, "http://127.0.0.1:1");
    ck_assert_ptr_nonnull(strstr(answers[3].cause, "onnect"));
    for (int i = 0; i < 4; i++)
        ck_assert_ptr_null(strstr(answers[i].cause, "hunter2"));

    /* Each receiver got it once, even if that failed. It is signed, and says that it is a test. */
    ck_assert_uint_eq(receiver.n, 3);
    for (size_t i = 0; i < 3; i++) {
        const struct received *r = &receiver.received[i];
        ck_assert_str_eq(r->body, "{\"type\":\"webhook.test\",\"timestamp\":\"2024-02-29T12:34:56.789Z\",\"data\":{\"test\":true,"
                                  "\"reason\":\"a test by memaed check --connect: nothing has happened at any camera\"}}");
        check_signature(r);
    }
    receiver_close(&receiver);
}
END_TEST

START_TEST(a_silent_receiver_ends_in_time)
{
    struct receiver receiver;
    receiver_open(&receiver, by_path);
    struct config_webhook hook = hook_to(&receiver, "/silent");
    hook.timeout_s = 0.3;
    struct webhook_answer answer;
    struct error err;
    int64_t before = now_us();
    ck_assert_int_eq(webhook_test(&answer, &hook, 1, time_us, -1, &err), 0);
    ck_assert_int_ge(now_us() - before, 290000);
    ck_assert_int_eq(answer.status, 0);
    ck_assert_ptr_nonnull(strstr(answer.cause, "timed out"));
    receiver_close(&receiver);
}
END_TEST

struct stopper {
    struct receiver *receiver;
    int fd;
};

static void *stop_later(void *arg)
{
    struct stopper *stopper = arg;
    await(stopper->receiver, 1);
    eventfd_write(stopper->fd, 1);
    return NULL;
}

/* stop_fd ends the wait for an answer that never comes. */
START_TEST(stop_ends_it)
{
    struct receiver receiver;
    receiver_open(&receiver, by_path);
    struct config_webhook hook = hook_to(&receiver, "/silent");
    hook.timeout_s = 3600;
    struct webhook_answer answer;
    struct error err;
    struct stopper stopper = {&receiver, eventfd(0, EFD_CLOEXEC)};
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, stop_later, &stopper), 0);
    ck_assert_int_eq(webhook_test(&answer, &hook, 1, time_us, stopper.fd, &err), -EINTR);
    pthread_join(thread, NULL);
    close(stopper.fd);
    receiver_close(&receiver);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("webhook_test");
    TCase *tests = tcase_create("webhook_test");
    tcase_add_test(tests, each_answer_is_told);
    tcase_add_test(tests, a_silent_receiver_ends_in_time);
    tcase_add_test(tests, stop_ends_it);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
