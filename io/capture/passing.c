#include "io/capture/passing.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

union control {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(PASSING_MOST * sizeof(int))];
};

int passing_send(int socket, const void *data, size_t size, const int *fds, size_t n, int flags)
{
    union control control;
    struct iovec part = {(void *)data, size};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    assert(n <= PASSING_MOST);
    memset(&control, 0, sizeof control);
    if (n > 0) {
        message.msg_control = &control;
        message.msg_controllen = CMSG_SPACE(n * sizeof *fds);
        struct cmsghdr *head = CMSG_FIRSTHDR(&message);
        head->cmsg_level = SOL_SOCKET;
        head->cmsg_type = SCM_RIGHTS;
        head->cmsg_len = CMSG_LEN(n * sizeof *fds);
        memcpy(CMSG_DATA(head), fds, n * sizeof *fds);
    }
    while (sendmsg(socket, &message, flags | MSG_NOSIGNAL) < 0)
        if (errno != EINTR)
            return -errno;
    return 0;
}

ssize_t passing_receive(int socket, void *data, size_t room, int *fds, size_t n, bool optional)
{
    union control control;
    int got[PASSING_MOST];
    struct iovec part = {data, room};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    ssize_t size;
    assert(n <= PASSING_MOST);
    for (size_t i = 0; i < n; i++)
        fds[i] = -1;
    while ((size = recvmsg(socket, &message, MSG_CMSG_CLOEXEC)) < 0)
        if (errno != EINTR)
            return -errno;
    const struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    size_t came = head && head->cmsg_type == SCM_RIGHTS ? (head->cmsg_len - CMSG_LEN(0)) / sizeof *got : 0;
    if (came > 0)
        memcpy(got, CMSG_DATA(head), came * sizeof *got);
    bool is_right = size > 0 && (came == n || (optional && came == 0));
    for (size_t i = 0; i < came; i++)
        if (is_right)
            fds[i] = got[i];
        else
            close(got[i]);
    return size > 0 && !is_right ? -EPROTO : size;
}
