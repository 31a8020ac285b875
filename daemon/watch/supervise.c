#include "daemon/watch/supervise.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "daemon/base/log.h"
#include "daemon/watch/notify.h"
#include "daemon/watch/reload.h"
#include "io/base/clock.h"

#define TICK_US INT64_C(1000000)
/* A service manager may signal the daemon and its process group: a second signal this soon is the same one. */
#define SAME_SIGNAL_US INT64_C(200000)

static void set_of_signals(sigset_t *ret)
{
    sigemptyset(ret);
    sigaddset(ret, SIGTERM);
    sigaddset(ret, SIGINT);
    sigaddset(ret, SIGHUP);
}

static pthread_t main_thread;

/* The handler runs in threads that libraries started before main could block signals (OpenBLAS starts its own while it is
 * loaded). It sends the signal to main's thread, where it is blocked and waits for the signalfd. */
static void pass_on(int signal_number)
{
    int saved = errno;
    pthread_kill(main_thread, signal_number);
    errno = saved;
}

int supervise_take_signals(void)
{
    sigset_t signals;
    set_of_signals(&signals);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    main_thread = pthread_self();
    struct sigaction action = {.sa_handler = pass_on, .sa_flags = SA_RESTART};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    int fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    return fd < 0 ? -errno : fd;
}

bool supervise_told_to_end(void)
{
    sigset_t pending;
    sigemptyset(&pending);
    sigpending(&pending);
    return sigismember(&pending, SIGTERM) == 1 || sigismember(&pending, SIGINT) == 1;
}

/* Writes the name of the stuck thread into ret; "": no thread is stuck. Sinks and the web server have deadlines of their own. */
static void find_stuck(struct daemon *daemon, char ret[HEARTBEAT_NAME_SIZE])
{
    int64_t now_us = monotonic_us();
    ret[0] = '\0';
    if (heartbeats_stuck(&daemon->heartbeats, now_us, ret))
        return;
    const char *sink = sinks_stuck(daemon->sinks, now_us);
    if (sink)
        snprintf(ret, HEARTBEAT_NAME_SIZE, "%s", sink);
    else if (web_server_deadline_us(daemon->web) < now_us)
        snprintf(ret, HEARTBEAT_NAME_SIZE, "web server");
}

static void feed_watchdog(struct daemon *daemon)
{
    char stuck[HEARTBEAT_NAME_SIZE];
    find_stuck(daemon, stuck);
    if (!*stuck)
        notify_watchdog();
    /* Read without the lock: only this thread writes it. */
    if (strcmp(stuck, daemon->stuck) == 0)
        return;
    if (*stuck)
        log_event(LOG_CRIT, "thread_stuck", "thread", stuck, NULL);
    else
        log_event(LOG_NOTICE, "thread_recovered", "thread", daemon->stuck, NULL);
    lock_take(&daemon->lock);
    memcpy(daemon->stuck, stuck, sizeof daemon->stuck);
    lock_give(&daemon->lock);
}

/* Sends the status line to systemd if it differs from the last one sent. */
static void show_status(struct daemon *daemon, char *shown, size_t size)
{
    size_t count[VIEW_STOPPED + 1];
    fleet_count(daemon->fleet, count);
    char text[160];
    int n = snprintf(text, sizeof text, "%zu watching, %zu lost", count[VIEW_WATCHING], count[VIEW_LOST]);
    if (count[VIEW_STARTING] + count[VIEW_WARMING])
        n += snprintf(text + n, sizeof text - (size_t)n, ", %zu starting", count[VIEW_STARTING] + count[VIEW_WARMING]);
    if (count[VIEW_STOPPED])
        snprintf(text + n, sizeof text - (size_t)n, ", %zu ended", count[VIEW_STOPPED]);
    if (strcmp(text, shown) == 0)
        return;
    notify_status("%s", text);
    snprintf(shown, size, "%s", text);
}

/* true: the daemon is to end. */
static bool take_signal(struct daemon *daemon, int fd)
{
    struct signalfd_siginfo info;
    if (read(fd, &info, sizeof info) != sizeof info)
        return false;
    if (info.ssi_signo == SIGHUP) {
        reload(daemon);
        return false;
    }
    log_event(LOG_NOTICE, "stopping", "signal", info.ssi_signo == SIGINT ? "INT" : "TERM", NULL);
    return true;
}

int supervise(struct daemon *daemon, int signals_fd)
{
    int64_t period_us = notify_watchdog_period_us() / 2;
    if (period_us == 0 || period_us > TICK_US)
        period_us = TICK_US;
    int timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (timer_fd < 0)
        return -errno;
    struct timespec period = {.tv_sec = period_us / 1000000, .tv_nsec = period_us % 1000000 * 1000};
    timerfd_settime(timer_fd, 0, &(struct itimerspec){.it_interval = period, .it_value = period}, NULL);

    char shown[160] = "";
    int r = 0;
    feed_watchdog(daemon);
    for (;;) {
        show_status(daemon, shown, sizeof shown);
        struct pollfd fds[] = {{.fd = signals_fd, .events = POLLIN},
                               {.fd = timer_fd, .events = POLLIN},
                               {.fd = daemon->changed_fd, .events = POLLIN}};
        if (poll(fds, 3, -1) < 0) {
            if (errno == EINTR)
                continue;
            r = -errno;
            break;
        }
        uint64_t count;
        if (fds[0].revents && take_signal(daemon, signals_fd))
            break;
        if (fds[1].revents && read(timer_fd, &count, sizeof count) == sizeof count) {
            feed_watchdog(daemon);
            arming_tick(daemon->arming);
            fleet_reap(daemon->fleet);
        }
        if (fds[2].revents && read(daemon->changed_fd, &count, sizeof count) < 0 && errno != EAGAIN) {
            r = -errno;
            break;
        }
        reload_requested(daemon);
    }
    close(timer_fd);
    return r;
}

static _Atomic int64_t let_go_us;

static void end_at_once(int signal_number)
{
    (void)signal_number;
    if (monotonic_us() - atomic_load(&let_go_us) >= SAME_SIGNAL_US)
        _exit(1);
}

void supervise_let_go(void)
{
    sigset_t signals;
    atomic_store(&let_go_us, monotonic_us());
    struct sigaction action = {.sa_handler = end_at_once, .sa_flags = SA_RESTART};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    set_of_signals(&signals);
    sigdelset(&signals, SIGHUP);
    pthread_sigmask(SIG_UNBLOCK, &signals, NULL);
}
