/* Messages to systemd (sd_notify(3)). They do nothing where NOTIFY_SOCKET is not set. A message that cannot be sent is
 * lost; systemd's watchdog then acts. Any thread. */
#ifndef MEMAED_DAEMON_WATCH_NOTIFY_H
#define MEMAED_DAEMON_WATCH_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>

/* Returns true if systemd waits for these messages: NOTIFY_SOCKET is set. */
bool notify_is_managed(void);

void notify_ready(void);
/* A reload begins; notify_ready() ends it. */
void notify_reloading(void);
void notify_stopping(void);
void notify_watchdog(void);
void notify_status(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Microseconds within which notify_watchdog() must be called again and again; 0: no watchdog. */
int64_t notify_watchdog_period_us(void);

#endif
