#include "io/base/thread.h"

#include <signal.h>
#include <stdio.h>

#include "io/base/clock.h"

int thread_start(pthread_t *ret, const char *name, void *(*main)(void *arg), void *arg)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL};
    pthread_t thread;
    sigset_t all, old;
    /* The new thread inherits the mask, so that no signal finds it with its signals unblocked. */
    sigfillset(&all);
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++)
        sigdelset(&all, faults[i]);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int r = pthread_create(&thread, NULL, main, arg);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (r)
        return -r;
    char cut[16];
    snprintf(cut, sizeof cut, "%.15s", name);
    pthread_setname_np(thread, cut);
    *ret = thread;
    return 0;
}

bool thread_join(pthread_t thread, int64_t deadline_us)
{
    if (deadline_us == INT64_MAX)
        return pthread_join(thread, NULL) == 0;
    /* The deadline is by CLOCK_REALTIME, because ThreadSanitizer does not know pthread_clockjoin_np(). If the clock is set
     * meanwhile, the wait becomes longer or shorter; systemd's limit on stopping still bounds it. */
    int64_t left_us = deadline_us - monotonic_us();
    int64_t at_us = utc_us() + (left_us > 0 ? left_us : 0);
    struct timespec at = {.tv_sec = at_us / 1000000, .tv_nsec = at_us % 1000000 * 1000};
    return pthread_timedjoin_np(thread, NULL, &at) == 0;
}
