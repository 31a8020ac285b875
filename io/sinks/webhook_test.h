/* Sends one test event (EVENT_TEST_NAME) to each webhook and tells what it answers. The event is signed and sent as those of
 * io/sinks/webhook.h are, but once, whatever events the webhook asks for, and without a queue. Any thread; never logs. */
#ifndef MEMAED_IO_SINKS_WEBHOOK_TEST_H
#define MEMAED_IO_SINKS_WEBHOOK_TEST_H

#include <stddef.h>
#include <stdint.h>

#include "core/error.h"
#include "io/config/config.h"

struct webhook_answer {
    char name[300];             /* of the configuration, else scheme://host:port */
    int status;                 /* of HTTP; 0: there was no answer */
    char cause[320];            /* why it failed, redacted; "": the status is a 2xx */
    int64_t took_us;            /* from the attempt's beginning to its end */
};

/* Sends the event, which happens at time_us (UTC), to hooks [n] at once, and waits for all answers: each as long as its
 * webhook's timeout_s. A webhook that could not be tried has a cause, too. stop_fd: as soon as it can be read, the attempts end;
 * -1: nothing ends them.
 * 0: ret [n] is written. -EINTR after stop_fd; -ENOMEM or another -errno with the cause in err: ret is partly written. */
int webhook_test(struct webhook_answer *ret, const struct config_webhook *hooks, size_t n, int64_t time_us, int stop_fd,
                 struct error *err);

#endif
