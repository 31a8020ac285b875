/* daemon/watch/notify: the messages that arrive at a notification socket. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/watch/notify.h"
#include "tests/suite.h"

static const char *received(int fd)
{
    static char text[1024];
    ssize_t n = recv(fd, text, sizeof text - 1, MSG_DONTWAIT);
    text[n > 0 ? n : 0] = '\0';
    return text;
}

START_TEST(messages_arrive)
{
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char name[64];
    snprintf(name, sizeof name, "memaed-test-notify-%ld", (long)getpid());
    memcpy(address.sun_path + 1, name, strlen(name));           /* an abstract address leaves no file */
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, (socklen_t)(sizeof(sa_family_t) + 1 + strlen(name))), 0);
    char socket_name[80];
    snprintf(socket_name, sizeof socket_name, "@%s", name);
    setenv("NOTIFY_SOCKET", socket_name, 1);
    notify_ready();
    ck_assert_str_eq(received(fd), "READY=1");
    notify_status("%d watching, %d lost", 3, 1);
    ck_assert_str_eq(received(fd), "STATUS=3 watching, 1 lost");
    notify_watchdog();
    ck_assert_str_eq(received(fd), "WATCHDOG=1");
    notify_stopping();
    ck_assert_str_eq(received(fd), "STOPPING=1");
    unsetenv("NOTIFY_SOCKET");
    notify_ready();
    ck_assert_str_eq(received(fd), "");
    close(fd);
}
END_TEST

START_TEST(the_period_is_systemds)
{
    char pid[32];
    snprintf(pid, sizeof pid, "%ld", (long)getpid());
    unsetenv("WATCHDOG_USEC");
    ck_assert_int_eq(notify_watchdog_period_us(), 0);
    setenv("WATCHDOG_USEC", "30000000", 1);
    setenv("WATCHDOG_PID", pid, 1);
    ck_assert_int_eq(notify_watchdog_period_us(), 30000000);
    setenv("WATCHDOG_PID", "1", 1);                             /* meant for another process */
    ck_assert_int_eq(notify_watchdog_period_us(), 0);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("notify");
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, messages_arrive);
    tcase_add_test(tcase, the_period_is_systemds);
    Suite *suite = suite_create("notify");
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
