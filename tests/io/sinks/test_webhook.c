/* One attempt of a webhook: the receiver verifies it, redirects it, floods, has no trusted certificate or is not there. */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <gnutls/x509.h>

#include "tests/io/sinks/webhook_fixture.h"

START_TEST(delivers)
{
    /* Proxies of the environment are not used. */
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    setenv("all_proxy", "http://127.0.0.1:1", 1);
    struct receiver receiver;
    receiver_open(&receiver, NULL);
    struct config_webhook hooks[2] = {hook_to(&receiver, "/all"), hook_to(&receiver, "/opened")};
    hooks[1].filter.types = event_bit(EVENT_ALERT_OPENED);
    hooks[1].secret_size = 0;
    struct webhooks *webhooks = open_with(hooks, 2, &webhook_default_options);
    ck_assert_int_eq(webhooks_deadline_us(webhooks), INT64_MAX);

    static const struct { enum event_type event; const char *type; } events[] = {
        {EVENT_ALERT_OPENED, "alert.opened"}, {EVENT_ALERT_CLOSED, "alert.closed"}, {EVENT_CAMERA_LOST, "camera.lost"},
        {EVENT_CAMERA_RESTORED, "camera.restored"},
    };
    int64_t before = time(NULL);
    for (int i = 0; i < 4; i++)
        memory_post(webhooks, &(struct event){.type = events[i].event, .time_us = 1709210096789123, .camera = "gate"},
                    "{\"camera\":\"gate\",\"score\":0.1}");
    await(&receiver, 5);
    AWAIT(stats_of(webhooks).delivered == 5);
    int64_t after = time(NULL);
    ck_assert_uint_eq(stats_of(webhooks).failed_attempts + stats_of(webhooks).dropped + stats_of(webhooks).queued, 0);
    AWAIT(webhooks_deadline_us(webhooks) == INT64_MAX);

    int next = 0, opened = 0;
    for (size_t i = 0; i < 5; i++) {
        const struct received *r = &receiver.received[i];
        ck_assert_str_eq(r->method, "POST");
        ck_assert_str_eq(r->type, "application/json");
        ck_assert_str_eq(r->agent, "memaed/" MEMAED_VERSION);
        ck_assert_uint_eq(strlen(r->id), 36);
        ck_assert_int_ge(atoll(r->timestamp), before);
        ck_assert_int_le(atoll(r->timestamp), after);
        if (strcmp(r->path, "/opened") == 0) {
            ck_assert_ptr_nonnull(strstr(r->body, "alert.opened"));
            ck_assert_str_eq(r->signature, "");
            opened++;
            continue;
        }
        check_signature(r);
        char body[256];
        snprintf(body, sizeof body, "{\"type\":\"%s\",\"timestamp\":\"2024-02-29T12:34:56.789Z\","
                 "\"data\":{\"camera\":\"gate\",\"score\":0.1}}", events[next++].type);
        ck_assert_str_eq(r->body, body);
        for (size_t k = 0; k < i; k++)
            ck_assert(strcmp(receiver.received[k].path, "/opened") == 0 || strcmp(receiver.received[k].id, r->id) != 0);
    }
    ck_assert_int_eq(opened, 1);
    webhooks_close(webhooks, 0);
    receiver_close(&receiver);
}
END_TEST

static struct reply redirect(struct receiver *receiver, size_t i)
{
    static const int statuses[] = {301, 302, 303, 307, 308};
    (void)receiver;
    return i < 5 ? (struct reply){.status = statuses[i], .location = "/elsewhere"} : (struct reply){.status = 200};
}

START_TEST(redirects)
{
    struct receiver receiver;
    receiver_open(&receiver, redirect);
    struct config_webhook hook = hook_to(&receiver, "/here");
    struct webhooks *webhooks = open_with(&hook, 1, &fast);
    post(webhooks, 1);
    await(&receiver, 6);
    AWAIT(stats_of(webhooks).delivered == 1);
    ck_assert_uint_eq(stats_of(webhooks).failed_attempts, 5);
    webhooks_close(webhooks, 0);
    for (size_t i = 0; i < receiver.n; i++)
        ck_assert_str_eq(receiver.received[i].path, "/here");
    receiver_close(&receiver);
}
END_TEST

static struct reply talk(struct receiver *receiver, size_t i)
{
    (void)receiver, (void)i;
    return (struct reply){.status = 200, .size = 100 << 20};
}

/* A 2xx counts as delivered, and most of its body of 100 MB is never read. */
START_TEST(long_answer)
{
    struct receiver receiver;
    receiver_open(&receiver, talk);
    struct config_webhook hook = hook_to(&receiver, "/");
    struct webhooks *webhooks = open_with(&hook, 1, &fast);
    post(webhooks, 0);
    post(webhooks, 1);
    AWAIT(stats_of(webhooks).delivered == 2);
    ck_assert_uint_eq(stats_of(webhooks).failed_attempts, 0);
    webhooks_close(webhooks, 0);
    receiver_close(&receiver);
    ck_assert_uint_lt(receiver.flooded, 40 << 20);
}
END_TEST

/* Makes a key and a self-signed certificate for 127.0.0.1. The caller frees both with gnutls_free(). */
static void self_signed(gnutls_datum_t *key, gnutls_datum_t *certificate)
{
    gnutls_x509_privkey_t private;
    gnutls_x509_crt_t crt;
    gnutls_x509_privkey_init(&private);
    ck_assert_int_eq(gnutls_x509_privkey_generate(private, GNUTLS_PK_ECDSA,
                                                  GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0), 0);
    gnutls_x509_crt_init(&crt);
    static const unsigned char address[4] = {127, 0, 0, 1};
    ck_assert_int_eq(gnutls_x509_crt_set_version(crt, 3), 0);
    gnutls_x509_crt_set_serial(crt, "\x01", 1);
    gnutls_x509_crt_set_activation_time(crt, time(NULL) - 3600);
    gnutls_x509_crt_set_expiration_time(crt, time(NULL) + 3600);
    gnutls_x509_crt_set_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, "127.0.0.1", 9);
    gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_IPADDRESS, address, sizeof address, GNUTLS_FSAN_SET);
    gnutls_x509_crt_set_key(crt, private);
    ck_assert_int_eq(gnutls_x509_crt_sign2(crt, crt, private, GNUTLS_DIG_SHA256, 0), 0);
    ck_assert_int_eq(gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, certificate), 0);
    ck_assert_int_eq(gnutls_x509_privkey_export2(private, GNUTLS_X509_FMT_PEM, key), 0);
    gnutls_x509_crt_deinit(crt);
    gnutls_x509_privkey_deinit(private);
}

START_TEST(certificates)
{
    gnutls_datum_t key, certificate;
    self_signed(&key, &certificate);
    struct receiver receiver;
    receiver_open_tls(&receiver, NULL, (const char *)key.data, (const char *)certificate.data, 0);
    struct config_webhook hook = hook_to(&receiver, "/");
    char url[256];
    snprintf(url, sizeof url, "https://127.0.0.1:%d/", receiver.port);
    hook.url = url;
    struct webhooks *webhooks = open_with(&hook, 1, &fast);
    post(webhooks, 0);
    AWAIT(stats_of(webhooks).failed_attempts >= 3);
    ck_assert_uint_eq(stats_of(webhooks).delivered, 0);
    webhooks_close(webhooks, 0);
    ck_assert_uint_eq(receiver.n, 0);
    ck_assert(has_logged("certificate"));
    receiver_close(&receiver);
    gnutls_free(key.data);
    gnutls_free(certificate.data);
}
END_TEST

/* One endpoint refuses the first attempts, and nobody listens at the other. Logs hold no more of a URL than its host. */
START_TEST(refused_and_silent)
{
    struct receiver receiver;
    receiver_open(&receiver, fail_thrice);
    int closed = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);      /* bound, not listening */
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    ck_assert_int_eq(bind(closed, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(getsockname(closed, (struct sockaddr *)&address, &size), 0);
    char urls[2][256], origin[64];
    snprintf(urls[0], sizeof urls[0], "http://bob:hush@127.0.0.1:%d/services/T0PSECRET?token=zauber", receiver.port);
    snprintf(urls[1], sizeof urls[1], "http://bob:hush@127.0.0.1:%d/services/T0PSECRET?token=zauber",
             ntohs(address.sin_port));
    struct config_webhook hooks[2] = {hook_to(&receiver, "/"), hook_to(&receiver, "/")};
    hooks[0].url = urls[0];
    hooks[1].url = urls[1];
    struct webhooks *webhooks = open_with(hooks, 2, &fast);
    post(webhooks, 0);
    await(&receiver, 4);
    AWAIT(stats_of(webhooks).failed_attempts >= 6);
    webhooks_close(webhooks, 0);
    close(closed);
    ck_assert_str_eq(receiver.received[0].authorization, "Basic Ym9iOmh1c2g=");
    snprintf(origin, sizeof origin, "http://127.0.0.1:%d:", ntohs(address.sin_port));
    ck_assert_msg(has_logged(origin), "%s", logged.text);
    ck_assert(!has_logged("hush"));
    ck_assert(!has_logged("T0PSECRET"));
    ck_assert(!has_logged("zauber"));
    ck_assert(!has_logged((const char *)secret));
    receiver_close(&receiver);
}
END_TEST

START_TEST(bad_urls)
{
    static const char *const urls[] = {"ftp://127.0.0.1/x", "file:///etc/passwd", "nonsense://hush", "", "http://"};
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        struct config_webhook hook = {.url = (char *)(uintptr_t)urls[i], .filter.types = EVENT_ALL, .timeout_s = 1};
        struct webhooks *webhooks = NULL;
        struct error err = {""};
        ck_assert_msg(memory_open(&webhooks, &hook, 1, &webhook_default_options, take_log, NULL, &err) == -EINVAL, "%s", urls[i]);
        ck_assert_ptr_null(webhooks);
        ck_assert_ptr_nonnull(strstr(err.text, "webhooks[0].url: expected a URL of http:// or https://"));
        ck_assert_ptr_null(strstr(err.text, "hush"));
    }
    struct webhooks *none = NULL;
    ck_assert_int_eq(memory_open(&none, NULL, 0, &webhook_default_options, take_log, NULL, NULL), 0);
    post(none, 0);
    ck_assert_uint_eq(stats_of(none).queued, 0);
    webhooks_close(none, 1000);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("webhook");
    tcase_add_test(tests, delivers);
    tcase_add_test(tests, redirects);
    tcase_add_test(tests, long_answer);
    tcase_add_test(tests, certificates);
    tcase_add_test(tests, refused_and_silent);
    tcase_add_test(tests, bad_urls);
    return webhook_run("webhook", tests);
}
