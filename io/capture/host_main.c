#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "io/base/clock.h"
#include "io/capture/child.h"
#include "io/capture/host.h"
#include "io/capture/host_message.h"
#include "io/capture/passing.h"
#include "io/video/source.h"

/* A process may take its share of the time by the clock, plus this. */
#define SLACK_US INT64_C(10000000)
enum { TICK_MS = 2000 };

struct process {
    pid_t pid;
    int pipe;                   /* its other end is the daemon's */
    int cpu_percent;
    int64_t forked_us;
    bool killed, too_long;
};

static struct process *processes;
static struct pollfd *polled;
static size_t n_processes, room;

bool capture_host_is_asked(int argc, char **argv)
{
    return argc == 2 && strcmp(argv[1], HOST_ARGUMENT) == 0;
}

/* ---- how processes end ------------------------------------------------------------------------------------------------ */

static void report(int pipe, enum capture_end end, int status)
{
    struct capture_exit message = {.end = (int32_t)end, .status = status};
    while (write(pipe, &message, sizeof message) < 0 && errno == EINTR)
        ;
    close(pipe);
}

static void reap(void)
{
    pid_t pid;
    int status;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        for (size_t i = 0; i < n_processes; i++) {
            if (processes[i].pid != pid)
                continue;
            report(processes[i].pipe, processes[i].too_long ? CAPTURE_TOO_LONG : CAPTURE_ENDED, status);
            processes[i] = processes[--n_processes];
            break;
        }
    }
}

static void end_process(struct process *process)
{
    process->killed = true;
    kill(process->pid, SIGKILL);
}

static void end_those_that_compute_too_long(void)
{
    int64_t now_us = monotonic_us();
    for (size_t i = 0; i < n_processes; i++) {
        clockid_t clock;
        struct timespec used;
        if (clock_getcpuclockid(processes[i].pid, &clock) != 0 || clock_gettime(clock, &used) < 0)
            continue;
        int64_t most_us = (now_us - processes[i].forked_us) / 100 * processes[i].cpu_percent + SLACK_US;
        if (used.tv_sec * INT64_C(1000000) + used.tv_nsec / 1000 <= most_us)
            continue;
        processes[i].too_long = true;
        end_process(&processes[i]);
    }
}

/* ---- orders ----------------------------------------------------------------------------------------------------------- */

static bool has_room(void)
{
    if (n_processes < room)
        return true;
    size_t more = room ? 2 * room : 64;
    struct process *p = realloc(processes, more * sizeof *p);
    if (p)
        processes = p;
    struct pollfd *q = realloc(polled, (more + 2) * sizeof *q);
    if (q)
        polled = q;
    if (!p || !q)
        return false;
    room = more;
    return true;
}

static int by_number(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

/* The new process runs this. It closes all descriptors that it does not need. */
static _Noreturn void be_child(const int fds[HOST_FDS], pid_t host)
{
    sigset_t none;
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (getppid() != host)
        _exit(CHILD_NO_START);
    int kept[] = {fds[HOST_FD_SOCKET], fds[HOST_FD_CONTROL]};
    unsigned next = STDERR_FILENO + 1;
    close(STDIN_FILENO);
    open("/dev/null", O_RDWR);
    qsort(kept, sizeof kept / sizeof *kept, sizeof *kept, by_number);
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
        if ((unsigned)kept[i] > next)
            close_range(next, (unsigned)kept[i] - 1, 0);
        next = (unsigned)kept[i] + 1;
    }
    close_range(next, ~0u, 0);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    _exit(capture_child_main(fds[HOST_FD_SOCKET], fds[HOST_FD_CONTROL]));
}

static void take_order(const struct host_order *order, const int fds[HOST_FDS])
{
    if (!has_room()) {
        report(fds[HOST_FD_PIPE], CAPTURE_NOT_FORKED, ENOMEM);
    } else {
        pid_t host = getpid(), pid = fork();
        if (pid == 0)
            be_child(fds, host);
        if (pid < 0)
            report(fds[HOST_FD_PIPE], CAPTURE_NOT_FORKED, errno);
        else
            processes[n_processes++] = (struct process){.pid = pid, .pipe = fds[HOST_FD_PIPE], .cpu_percent = order->cpu_percent,
                                                        .forked_us = monotonic_us()};
    }
    for (int i = 0; i < HOST_FDS; i++)
        if (i != HOST_FD_PIPE)
            close(fds[i]);
}

/* ---- the loop --------------------------------------------------------------------------------------------------------- */

/* Wipes the environment, whose texts every process would inherit, and standard output and error: a line there would look like
 * the daemon's. Builds with sanitizers keep standard error for their reports. */
static void forget(void)
{
    for (char **e = environ; e && *e; e++)
        memset(*e, 0, strlen(*e));
    clearenv();
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    dup2(null, STDOUT_FILENO);
#if !defined __SANITIZE_ADDRESS__ && !defined __SANITIZE_THREAD__
    dup2(null, STDERR_FILENO);
#endif
    close_range(STDERR_FILENO + 1, ~0u, 0);
}

/* Waits for an order, the end of a process, or the closing of a process's pipe by the daemon. false: the daemon has ended. */
static bool serve(int signals_fd)
{
    polled[0] = (struct pollfd){.fd = STDIN_FILENO, .events = POLLIN};
    polled[1] = (struct pollfd){.fd = signals_fd, .events = POLLIN};
    size_t n = n_processes;
    for (size_t i = 0; i < n; i++)
        polled[2 + i] = (struct pollfd){.fd = processes[i].killed ? -1 : processes[i].pipe};
    if (poll(polled, n + 2, n > 0 ? TICK_MS : -1) < 0)
        return errno == EINTR;
    for (size_t i = 0; i < n; i++)
        if (polled[2 + i].revents)      /* the daemon has closed its end */
            end_process(&processes[i]);
    struct signalfd_siginfo info;
    if (polled[1].revents && read(signals_fd, &info, sizeof info) > 0)
        reap();
    end_those_that_compute_too_long();
    if (!polled[0].revents)
        return true;
    struct host_order order;
    int fds[HOST_FDS];
    ssize_t size = passing_receive(STDIN_FILENO, &order, sizeof order, fds, HOST_FDS, false);
    if (size != (ssize_t)sizeof order || order.cpu_percent < 1)
        return false;           /* the daemon has ended, or is not to be understood */
    take_order(&order, fds);
    return true;
}

int capture_host_main(void)
{
    static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGUSR1, SIGUSR2, SIGXFSZ};
    sigset_t child;
    /* The daemon ends its processes in order. A terminal or a service manager signals all of them at once. */
    setsid();
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
        signal(ignored[i], SIG_IGN);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    forget();
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child, NULL);
    int signals_fd = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
    source_warm_up();
    if (signals_fd < 0 || !has_room())
        return 1;
    while (serve(signals_fd))
        ;
    for (size_t i = 0; i < n_processes; i++)
        kill(processes[i].pid, SIGKILL);
    for (size_t i = 0; i < n_processes; i++)
        while (waitpid(processes[i].pid, NULL, 0) < 0 && errno == EINTR)
            ;
    return 0;
}
