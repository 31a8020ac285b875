/* web/origin, web/dispatch: requests that change something are refused when a page of another site sent them. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/suite.h"
#include "tests/web/web_fixture.h"
#include "web/origin.h"

START_TEST(same_origin)
{
    static const struct { const char *origin, *host; bool same; } cases[] = {
        {"http://localhost:8787", "localhost:8787", true},
        {"http://LocalHost:8787", "localHOST:8787", true},
        {"HTTP://localhost:8787", "localhost:8787", true},
        {"http://127.0.0.1:8787", "127.0.0.1:8787", true},
        {"http://[::1]:8787", "[::1]:8787", true},
        {"http://[FE80::1]:8787", "[fe80::1]:8787", true},
        /* A missing port is that of the scheme. */
        {"http://cams.example", "cams.example", true},
        {"http://cams.example", "cams.example:80", true},
        {"http://cams.example:80", "cams.example", true},
        {"http://cams.example:80", "cams.example:", true},
        {"http://[::1]", "[::1]:80", true},
        {"https://cams.example", "cams.example", true},
        {"https://cams.example", "cams.example:443", true},
        {"https://cams.example:443", "cams.example", true},
        {"http://cams.example", "cams.example:443", false},
        {"https://cams.example", "cams.example:80", false},
        {"http://localhost", "localhost:8787", false},
        {"http://localhost:8787", "localhost", false},
        {"http://localhost:8788", "localhost:8787", false},
        {"http://localhost:65536", "localhost:65536", false},
        {"http://localhost:-1", "localhost:-1", false},
        {"http://localhost:8787x", "localhost:8787x", false},
        /* Other hosts, some of which begin or end like the own one. */
        {"http://evil.example:8787", "localhost:8787", false},
        {"http://localhost.evil.example:8787", "localhost:8787", false},
        {"http://evil.example#localhost:8787", "localhost:8787", false},
        {"http://127.0.0.1:8787", "localhost:8787", false},
        {"http://[::1]:8787", "127.0.0.1:8787", false},
        {"http://::1", "::1", false},
        {"http://[::1", "[::1", false},
        {"http://[::1]x", "[::1]x", false},
        {"http://localhost.", "localhost", false},
        /* Texts that are not the origin of a page. */
        {"null", "localhost:8787", false},
        {"null", "null", false},
        {"", "localhost:8787", false},
        {"", "", false},
        {"http://", "", false},
        {"http://:80", ":80", false},
        {"localhost:8787", "localhost:8787", false},
        {"//localhost:8787", "localhost:8787", false},
        {"ftp://localhost:8787", "localhost:8787", false},
        {"chrome-extension://localhost:8787", "localhost:8787", false},
        {"http://localhost:8787/", "localhost:8787", false},
        {"http://localhost:8787/", "localhost:8787/", false},
        {"http://localhost/", "localhost/", false},
        {"http://user@localhost:8787", "localhost:8787", false},
        {"http://user@localhost", "user@localhost", false},
        {"http://localhost:8787 http://evil.example", "localhost:8787", false},
        {" http://localhost:8787", "localhost:8787", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        ck_assert_msg(web_is_same_origin(cases[i].origin, cases[i].host) == cases[i].same, "Origin: %s, Host: %s",
                      cases[i].origin, cases[i].host);
    char longer[600] = "http://";
    memset(longer + 7, 'a', sizeof longer - 8);
    longer[sizeof longer - 1] = '\0';
    ck_assert(!web_is_same_origin(longer, longer + 7));
    longer[7 + 255] = '\0';
    ck_assert(web_is_same_origin(longer, longer + 7));
}
END_TEST

START_TEST(same_site)
{
    ck_assert(web_is_same_site("same-origin"));
    ck_assert(web_is_same_site("none"));
    static const char *const bad[] = {"", "same-site", "cross-site", "Same-Origin", "same-origin, none", "None", "none "};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_msg(!web_is_same_site(bad[i]), "%s", bad[i]);
}
END_TEST

/* Sends a request with these header lines, in which PORT becomes the server's port. Returns the status. */
static int status_with(const char *method, const char *target, const char *headers, char *out, size_t size)
{
    char lines[1024] = "", request[2048];
    for (const char *port; (port = strstr(headers, "PORT")) != NULL; headers = port + 4) {
        size_t n = strlen(lines);
        snprintf(lines + n, sizeof lines - n, "%.*s%d", (int)(port - headers), headers, web_server_port(server));
    }
    snprintf(request, sizeof request, "%s %s HTTP/1.1\r\n%s%sConnection: close\r\n\r\n", method, target, lines, headers);
    return status_of(request, out, size);
}

/* A POST that is not refused gets 404 from /nowhere and 405 from /healthz. */
START_TEST(refused)
{
    static const struct { const char *headers; bool refused; } cases[] = {
        {"Host: localhost:PORT\r\n", false},                      /* curl */
        {"Host: localhost:PORT\r\nOrigin: http://localhost:PORT\r\n", false},
        {"Host: LOCALHOST:PORT\r\nOrigin: http://localhost:PORT\r\n", false},
        {"Host: [::1]:PORT\r\nOrigin: http://[::1]:PORT\r\n", false},
        {"Host: localhost\r\nOrigin: http://localhost:80\r\n", false},
        {"Host: localhost:PORT\r\nSec-Fetch-Site: same-origin\r\n", false},
        {"Host: localhost:PORT\r\nSec-Fetch-Site: none\r\n", false},
        {"Host: localhost:PORT\r\nOrigin: http://localhost:PORT\r\nSec-Fetch-Site: same-origin\r\n", false},

        {"Host: localhost:PORT\r\nOrigin: http://evil.example\r\n", true},
        {"Host: localhost:PORT\r\nOrigin: http://evil.example:PORT\r\n", true},
        {"Host: localhost:PORT\r\nOrigin: http://localhost\r\n", true},
        {"Host: localhost:PORT\r\nOrigin: http://127.0.0.1:PORT\r\n", true},
        {"Host: localhost:PORT\r\nOrigin: null\r\n", true},
        {"Host: localhost:PORT\r\nOrigin:\r\n", true},
        {"Host: localhost:PORT\r\norigin: http://evil.example\r\n", true},
        {"Host: localhost:PORT\r\nOrigin: http://localhost:PORT\r\nOrigin: http://evil.example\r\n", true},
        {"Host: localhost:PORT\r\nOrigin: http://evil.example\r\nOrigin: http://localhost:PORT\r\n", true},
        {"Host: localhost:PORT\r\nOrigin: http://localhost:PORT\r\nOrigin: http://localhost:PORT\r\n", true},
        {"Host: localhost:PORT\r\nSec-Fetch-Site: cross-site\r\n", true},
        {"Host: localhost:PORT\r\nSec-Fetch-Site: same-site\r\n", true},
        {"Host: localhost:PORT\r\nSec-Fetch-Site:\r\n", true},
        {"Host: localhost:PORT\r\nsec-fetch-site: CROSS-SITE\r\n", true},
        {"Host: localhost:PORT\r\nSec-Fetch-Site: none\r\nSec-Fetch-Site: cross-site\r\n", true},
        {"Host: localhost:PORT\r\nOrigin: http://localhost:PORT\r\nSec-Fetch-Site: cross-site\r\n", true},
    };
    static const char *const methods[] = {"POST", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW", "get"};
    char out[8192];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (size_t m = 0; m < sizeof methods / sizeof methods[0]; m++) {
            int status = status_with(methods[m], "/healthz", cases[i].headers, out, sizeof out);
            ck_assert_msg(status == (cases[i].refused ? 403 : 405), "%s: %s: %d", methods[m], cases[i].headers, status);
        }
        int status = status_with("POST", "/nowhere", cases[i].headers, out, sizeof out);
        ck_assert_msg(status == (cases[i].refused ? 403 : 404), "%s: %d", cases[i].headers, status);
        /* Reading is allowed, because no CORS header lets a page of another site see the answer. */
        ck_assert_int_eq(status_with("GET", "/healthz", cases[i].headers, out, sizeof out), 200);
        ck_assert_ptr_null(strstr(out, "Access-Control"));
        ck_assert_int_eq(status_with("HEAD", "/healthz", cases[i].headers, out, sizeof out), 200);
    }
}
END_TEST

/* The refusal says which header it is about. The check of Host comes first. */
START_TEST(said)
{
    struct answer answer;
    ck_assert_int_eq(ask_with(&answer, "POST", "/api/v1/reload", "Origin: http://evil.example", NULL), CURLE_OK);
    check_problem(&answer, 403, NULL);
    ck_assert_ptr_nonnull(strstr(text(answer.json, "detail"), "Origin"));
    answer_free(&answer);
    ck_assert_int_eq(ask_with(&answer, "POST", "/api/v1/reload", "Sec-Fetch-Site: cross-site", NULL), CURLE_OK);
    check_problem(&answer, 403, NULL);
    ck_assert_ptr_nonnull(strstr(text(answer.json, "detail"), "Sec-Fetch-Site"));
    answer_free(&answer);
    char out[8192];
    ck_assert_int_eq(status_with("POST", "/api/v1/reload", "Host: evil.example:PORT\r\nOrigin: http://evil.example:PORT\r\n",
                                 out, sizeof out), 421);
    /* A request of HTTP/1.0 may have no Host. memaed has then nothing to compare an Origin with. */
    ck_assert_int_eq(status_of("POST /nowhere HTTP/1.0\r\nOrigin: http://localhost\r\n\r\n", out, sizeof out), 403);
    ck_assert_int_eq(status_of("POST /nowhere HTTP/1.0\r\n\r\n", out, sizeof out), 404);
    ck_assert_uint_eq(reloads.n_asked, 0);
}
END_TEST

/* A configured name is a Host, and Origin is compared with it. */
START_TEST(a_name_of_its_own)
{
    char *names[] = {"cams.example"}, out[8192];
    web_server_close(server);
    view.host_names = names;
    view.n_host_names = 1;
    ck_assert_int_eq(web_server_open(&server, "0.0.0.0", 0, &view, NULL), 0);
    static const struct { const char *headers; int status; } cases[] = {
        {"Host: cams.example\r\nOrigin: https://cams.example\r\n", 405},
        {"Host: cams.example\r\nOrigin: https://evil.example\r\n", 403},
        {"Host: cams.example\r\nHost: cams.example\r\nOrigin: https://cams.example\r\n", 403},
        {"Host: cams.example\r\nHost: evil.example\r\nOrigin: https://evil.example\r\n", 421},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        ck_assert_int_eq(status_with("POST", "/healthz", cases[i].headers, out, sizeof out), cases[i].status);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("web origin");
    TCase *pure = tcase_create("pure");
    tcase_add_test(pure, same_origin);
    tcase_add_test(pure, same_site);
    suite_add_tcase(suite, pure);
    TCase *rest = tcase_create("rest");
    tcase_add_checked_fixture(rest, setup, teardown);
    tcase_set_timeout(rest, 120);
    tcase_add_test(rest, refused);
    tcase_add_test(rest, said);
    tcase_add_test(rest, a_name_of_its_own);
    suite_add_tcase(suite, rest);
    return suite_run(suite);
}
