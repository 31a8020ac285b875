/* io/capture/host: after its end no process of it is left, and no process can be forked. */
#include "io/capture/host.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/capture/capture.h"
#include "tests/suite.h"

static struct capture_host *host;
static struct capture_memory control;

static void setup(void)
{
    struct error err = {""};
    ck_assert_int_eq(capture_memory_open(&control, sizeof(struct capture_control)), 0);
    ck_assert_msg(capture_host_open(&host, &err) == 0, "%s", err.text);
}

static void teardown(void)
{
    capture_host_close(host);
    capture_memory_close(&control);
}

START_TEST(its_end_is_the_end_of_all)
{
    struct capture_process process, refused;
    struct error err = {""};
    char byte;
    ck_assert_msg(capture_host_fork(host, &process, &control, 100, &err) == 0, "%s", err.text);
    capture_host_end(host);
    ck_assert(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
    /* The process has ended, too: the other end of its socket is closed. */
    ck_assert_int_le(recv(process.socket, &byte, 1, 0), 0);
    ck_assert_int_eq(capture_host_fork(host, &refused, &control, 100, &err), -ECANCELED);
    ck_assert_str_ne(err.text, "");
    capture_host_end(host);
    close(process.socket);
    close(process.pipe);
}
END_TEST

START_TEST(none_is_ended)
{
    capture_host_end(NULL);
    capture_host_close(NULL);
}
END_TEST

int main(int argc, char **argv)
{
    if (capture_host_is_asked(argc, argv))
        return capture_host_main();
    Suite *s = suite_create("host");
    TCase *tc = tcase_create("host");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, its_end_is_the_end_of_all);
    tcase_add_test(tc, none_is_ended);
    suite_add_tcase(s, tc);
    return suite_run(s);
}
