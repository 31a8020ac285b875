#include "io/sinks/webhook_test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/base/clock.h"
#include "io/base/record_json.h"
#include "io/base/redact.h"
#include "io/sinks/webhook_endpoint.h"

enum { WAIT_MS = 60000 };       /* libcurl's own time-outs end the wait sooner */

struct test {
    CURLM *multi;
    struct webhook_endpoint **endpoints;    /* [n] */
    size_t n, under_way;
    struct webhook_answer *answers;         /* [n], the caller's */
};

/* Ends the attempts that libcurl reports as done. */
static void take_answers(struct test *test)
{
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(test->multi, &left))) {
        if (message->msg != CURLMSG_DONE)
            continue;
        CURL *easy = message->easy_handle;
        CURLcode result = message->data.result;
        size_t i = 0;
        while (test->endpoints[i]->easy != easy)
            i++;
        struct webhook_answer *answer = &test->answers[i];
        char cause[WEBHOOK_CAUSE_SIZE];
        curl_off_t took_us = 0;
        curl_easy_getinfo(easy, CURLINFO_TOTAL_TIME_T, &took_us);
        answer->took_us = took_us;
        answer->status = (int)webhook_endpoint_end(test->endpoints[i], test->multi, result, cause);
        redact(answer->cause, sizeof answer->cause, cause);
        test->under_way--;
    }
}

/* Waits until every attempt has ended. 0 or -EINTR. */
static int wait_for_answers(struct test *test, int stop_fd)
{
    for (;;) {
        int running;
        curl_multi_perform(test->multi, &running);
        take_answers(test);
        if (test->under_way == 0)
            return 0;
        struct curl_waitfd stop = {.fd = stop_fd, .events = CURL_WAIT_POLLIN};
        curl_multi_poll(test->multi, &stop, stop_fd >= 0 ? 1 : 0, WAIT_MS, NULL);
        if (stop.revents)
            return -EINTR;
    }
}

static int begin_all(struct test *test, const struct config_webhook *hooks, const char *id, const char *body, struct error *err)
{
    for (size_t i = 0; i < test->n; i++) {
        struct webhook_answer *answer = &test->answers[i];
        int r = webhook_endpoint_new(&test->endpoints[i], &hooks[i], "", i, err);
        if (r < 0)
            return r;
        *answer = (struct webhook_answer){.cause = ""};
        snprintf(answer->name, sizeof answer->name, "%s", test->endpoints[i]->shown.name);
        if (webhook_endpoint_begin(test->endpoints[i], test->multi, id, body, strlen(body), utc_us() / 1000000, NULL) < 0)
            snprintf(answer->cause, sizeof answer->cause, "out of memory, or the event could not be signed");
        else
            test->under_way++;
    }
    return 0;
}

int webhook_test(struct webhook_answer *ret, const struct config_webhook *hooks, size_t n, int64_t time_us, int stop_fd,
                 struct error *err)
{
    char id[EVENT_ID_SIZE];
    struct test test = {.n = n, .answers = ret};
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return error_set(err, -ENOMEM, "webhooks: libcurl cannot start");
    test.multi = curl_multi_init();
    test.endpoints = calloc(n + 1, sizeof *test.endpoints);
    char *body = event_body(EVENT_TEST_NAME, time_us, event_test_json());
    int r = test.multi && test.endpoints && body ? 0 : error_set(err, -ENOMEM, "webhooks: out of memory");
    if (r == 0 && event_new_id(id) < 0)
        r = error_set(err, -EIO, "webhooks: no random numbers for the event's id");
    if (r == 0)
        r = begin_all(&test, hooks, id, body, err);
    if (r == 0)
        r = wait_for_answers(&test, stop_fd);
    for (size_t i = 0; i < n && test.endpoints && test.endpoints[i]; i++) {
        curl_multi_remove_handle(test.multi, test.endpoints[i]->easy);
        webhook_endpoint_free(test.endpoints[i]);
    }
    free(body);
    free(test.endpoints);
    curl_multi_cleanup(test.multi);
    curl_global_cleanup();
    return r;
}
