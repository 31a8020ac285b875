/* io/capture/passing: descriptors arrive. Those that the receiver did not ask for are closed. */
#include "io/capture/passing.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/suite.h"

static int sockets[2], pipes[2];

static void set_up(void)
{
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets), 0);
    ck_assert_int_eq(pipe2(pipes, O_CLOEXEC | O_NONBLOCK), 0);
}

static void tear_down(void)
{
    close(sockets[0]);
    close(sockets[1]);
    close(pipes[0]);
    close(pipes[1]);
}

/* Sends size bytes with n copies of the pipe's writing end. */
static void send_copies(size_t size, size_t n)
{
    const int fds[PASSING_MOST] = {pipes[1], pipes[1], pipes[1], pipes[1]};
    ck_assert_int_eq(passing_send(sockets[0], "abcd", size, fds, n, 0), 0);
}

/* Closes the own writing end. Returns true if all copies of it are closed, too. */
static bool is_closed_by_all(void)
{
    char byte;
    close(pipes[1]);
    ssize_t n = read(pipes[0], &byte, 1);
    pipes[1] = -1;
    return n == 0;
}

START_TEST(descriptors_arrive)
{
    char data[8];
    int fds[2] = {-7, -7};
    send_copies(4, 2);
    ck_assert_int_eq(passing_receive(sockets[1], data, sizeof data, fds, 2, false), 4);
    ck_assert(fds[0] >= 0 && fds[1] >= 0 && (fcntl(fds[0], F_GETFD) & FD_CLOEXEC));
    close(fds[0]);
    close(fds[1]);
    send_copies(4, 0);
    ck_assert_int_eq(passing_receive(sockets[1], data, sizeof data, fds, 2, true), 4);
    ck_assert(fds[0] == -1 && fds[1] == -1);
    ck_assert(is_closed_by_all());
}
END_TEST

START_TEST(another_number_is_closed)
{
    char data[8];
    int fds[2] = {-7, -7};
    for (size_t n = 0; n <= PASSING_MOST; n++) {
        if (n == 2)
            continue;
        send_copies(4, n);
        ck_assert_int_eq(passing_receive(sockets[1], data, sizeof data, fds, 2, false), -EPROTO);
    }
    ck_assert(is_closed_by_all());
}
END_TEST

/* Descriptors that come with an empty packet are closed. */
START_TEST(those_of_an_empty_packet_are_closed)
{
    char data[8];
    int fds[2] = {-7, -7};
    for (size_t n = 1; n <= 2; n++) {
        send_copies(0, n);
        ck_assert_int_eq(passing_receive(sockets[1], data, sizeof data, fds, 2, false), 0);
        ck_assert(fds[0] == -1 && fds[1] == -1);
    }
    ck_assert(is_closed_by_all());
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("passing");
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, descriptors_arrive);
    tcase_add_test(tc, another_number_is_closed);
    tcase_add_test(tc, those_of_an_empty_packet_are_closed);
    Suite *suite = suite_create("passing");
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
