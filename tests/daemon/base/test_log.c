/* daemon/base/log: lines of key=value, each in one write, quoted and redacted. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/base/log.h"
#include "tests/suite.h"

static int old_stderr, out;
static char text[16384];

static void divert(void)
{
    int fds[2];
    ck_assert_int_eq(pipe(fds), 0);
    old_stderr = dup(STDERR_FILENO);
    dup2(fds[1], STDERR_FILENO);
    close(fds[1]);
    out = fds[0];
}

static const char *logged(void)
{
    dup2(old_stderr, STDERR_FILENO);
    size_t n = 0;
    ssize_t r;
    while ((r = read(out, text + n, sizeof text - 1 - n)) > 0)
        n += (size_t)r;
    text[n] = '\0';
    return text;
}

START_TEST(keys_and_values)
{
    struct log_number a, b;
    divert();
    unsetenv("JOURNAL_STREAM");
    log_open(LOG_INFO);
    log_event(LOG_INFO, "http_listening", "address", "127.0.0.1:8787", "n", log_int(&a, -3), "x", log_real(&b, 0.25), NULL);
    log_event(LOG_DEBUG, "unseen", NULL);
    log_event(LOG_ERR, "odd", "blank", "a b", "quote", "say \"x\\y\"", "control", "a\nb\x01\xc2\x9b ä", "empty", NULL, "last",
              "1", NULL);
    const char *lines = logged();
    ck_assert_ptr_nonnull(strstr(lines, "Z info event=http_listening address=127.0.0.1:8787 n=-3 x=0.25\n"));
    ck_assert_ptr_null(strstr(lines, "unseen"));
    ck_assert_ptr_nonnull(strstr(lines, "Z error event=odd blank=\"a b\" quote=\"say \\\"x\\\\y\\\"\" "
                                        "control=\"a\\nb\\x01\\xc2\\x9b ä\" empty= last=1\n"));
    ck_assert_int_eq(lines[4], '-');
    ck_assert_int_eq(lines[10], 'T');
}
END_TEST

START_TEST(credentials_are_not_shown)
{
    divert();
    log_open(LOG_INFO);
    log_event(LOG_INFO, "camera_lost", "source", "rtsp://admin:hunter2@10.0.0.7/stream", NULL);
    const char *lines = logged();
    ck_assert_ptr_null(strstr(lines, "hunter2"));
    ck_assert_ptr_nonnull(strstr(lines, "10.0.0.7/stream"));
}
END_TEST

START_TEST(journal_gets_priorities)
{
    divert();
    struct stat st;
    char stream[64];
    fstat(STDERR_FILENO, &st);
    snprintf(stream, sizeof stream, "%llu:%llu", (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
    setenv("JOURNAL_STREAM", stream, 1);
    log_open(LOG_DEBUG);
    log_event(LOG_WARNING, "first", NULL);
    log_line(LOG_ERR, "x.yml:1:2: y");
    setenv("JOURNAL_STREAM", "1:1", 1);         /* this names another file than standard error */
    log_open(LOG_DEBUG);
    log_event(LOG_DEBUG, "second", NULL);
    log_line(LOG_ERR, "x.yml:3:4: z");
    const char *lines = logged();
    ck_assert_int_eq(strncmp(lines, "<4>event=first\n<3>x.yml:1:2: y\n", 31), 0);
    ck_assert_ptr_nonnull(strstr(lines, "Z debug event=second\nx.yml:3:4: z\n"));
}
END_TEST

START_TEST(long_lines_are_cut_and_ended)
{
    char value[3000];
    memset(value, 'v', sizeof value - 1);
    value[sizeof value - 1] = '\0';
    divert();
    log_open(LOG_INFO);
    log_event(LOG_INFO, "long", "a", value, "b", value, "c", value, "d", value, "e", value, NULL);
    log_event(LOG_INFO, "next", NULL);
    const char *lines = logged();
    const char *end = strchr(lines, '\n');
    ck_assert_ptr_nonnull(end);
    ck_assert_int_eq(end - lines, 4095);
    ck_assert_ptr_nonnull(strstr(end, "event=next\n"));
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("log");
    tcase_add_test(tcase, keys_and_values);
    tcase_add_test(tcase, credentials_are_not_shown);
    tcase_add_test(tcase, journal_gets_priorities);
    tcase_add_test(tcase, long_lines_are_cut_and_ended);
    Suite *suite = suite_create("log");
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
