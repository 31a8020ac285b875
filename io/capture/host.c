#include "io/capture/host.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/base/lock.h"
#include "io/capture/host_message.h"
#include "io/capture/passing.h"

/* The time that the host may take to end its processes and itself. */
enum { END_MS = 500 };

struct capture_host {
    struct lock lock;           /* a leaf; guards: */
    int socket;                 /* to the host; -1: it is to be started again */
    pid_t pid;
    bool ended;                 /* it is not to be started again */
};

/* The sanitizers are told by the environment what to do; nothing else of it reaches the host. OpenBLAS is linked to the program,
 * and would start threads when it is loaded. */
static void host_environment(char *ret[8])
{
    static char one_thread[] = "OPENBLAS_NUM_THREADS=1", bind_now[] = "LD_BIND_NOW=1";
    static const char *const kept[] = {"ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS", "LSAN_OPTIONS"};
    size_t n = 0;
    ret[n++] = one_thread;
    ret[n++] = bind_now;
    for (char **e = environ; e && *e; e++)
        for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
            if (strncmp(*e, kept[i], strlen(kept[i])) == 0 && (*e)[strlen(kept[i])] == '=' && n < 7)
                ret[n++] = *e;
    ret[n] = NULL;
}

/* Starts the program with its end of the pair as standard input. 0 or -errno. */
static int start(pid_t *pid, int its_end)
{
    char path[4096], *args[] = {"memaed", HOST_ARGUMENT, NULL}, *environment[8];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    if (n < 0)
        return -errno;
    path[n] = '\0';
    /* A program that was replaced since it started has no path any more. */
    const char *program = access(path, X_OK) == 0 ? path : "/proc/self/exe";
    host_environment(environment);

    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    int r = posix_spawn_file_actions_init(&actions);
    if (r != 0)
        return -r;
    r = posix_spawnattr_init(&attributes);
    if (r == 0) {
        sigemptyset(&none);
        posix_spawnattr_setsigmask(&attributes, &none);
        posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
        posix_spawn_file_actions_adddup2(&actions, its_end, STDIN_FILENO);
        r = posix_spawn(pid, program, &actions, &attributes, args, environment);
        posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&actions);
    return -r;
}

static void end_locked(struct capture_host *host)
{
    if (host->socket < 0)
        return;
    close(host->socket);
    host->socket = -1;
    int fd = pidfd_open(host->pid, 0);
    struct pollfd polled = {.fd = fd, .events = POLLIN};
    if (fd < 0 || poll(&polled, 1, END_MS) <= 0)        /* somebody has stopped it, or a process of it hangs in the kernel */
        kill(host->pid, SIGKILL);
    if (fd >= 0)
        close(fd);
    while (waitpid(host->pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

static int start_locked(struct capture_host *host)
{
    int pair[2];
    if (host->ended)
        return -ECANCELED;
    if (host->socket >= 0)
        return 0;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return -errno;
    int r = start(&host->pid, pair[1]);
    close(pair[1]);
    if (r < 0)
        close(pair[0]);
    else
        host->socket = pair[0];
    return r;
}

int capture_host_open(struct capture_host **ret, struct error *err)
{
    struct capture_host *host = calloc(1, sizeof *host);
    if (!host)
        return error_set(err, -ENOMEM, "out of memory");
    lock_init(&host->lock, LOCK_WAIT);
    host->socket = -1;
    lock_take(&host->lock);
    int r = start_locked(host);
    lock_give(&host->lock);
    if (r < 0) {
        capture_host_close(host);
        return error_set(err, r, "cannot start the host of the cameras' processes: %s", strerror(-r));
    }
    *ret = host;
    return 0;
}

void capture_host_end(struct capture_host *host)
{
    if (!host)
        return;
    lock_take(&host->lock);
    end_locked(host);
    host->ended = true;
    lock_give(&host->lock);
}

void capture_host_close(struct capture_host *host)
{
    if (!host)
        return;
    capture_host_end(host);
    lock_destroy(&host->lock);
    free(host);
}

int capture_host_fork(struct capture_host *host, struct capture_process *ret, const struct capture_memory *control,
                      int cpu_percent, struct error *err)
{
    int pair[2], ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return error_set(err, -errno, "cannot open a socket for a process: %s", strerror(errno));
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0) {
        int r = error_set(err, -errno, "cannot open a pipe for a process: %s", strerror(errno));
        close(pair[0]);
        close(pair[1]);
        return r;
    }
    struct host_order order = {.cpu_percent = cpu_percent};
    const int fds[HOST_FDS] = {[HOST_FD_SOCKET] = pair[1], [HOST_FD_PIPE] = ends[1], [HOST_FD_CONTROL] = control->fd};
    lock_take(&host->lock);
    int r = start_locked(host);
    if (r == 0)
        r = passing_send(host->socket, &order, sizeof order, fds, HOST_FDS, 0);
    if (r == -EPIPE || r == -ECONNRESET) {      /* somebody has killed the host */
        end_locked(host);
        r = start_locked(host);
        if (r == 0)
            r = passing_send(host->socket, &order, sizeof order, fds, HOST_FDS, 0);
    }
    lock_give(&host->lock);
    close(pair[1]);
    close(ends[1]);
    if (r < 0) {
        close(pair[0]);
        close(ends[0]);
        return error_set(err, r, "cannot start a process: %s", strerror(-r));
    }
    *ret = (struct capture_process){.socket = pair[0], .pipe = ends[0]};
    return 0;
}
