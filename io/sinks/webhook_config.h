/* The configuration of a webhook: the names of its endpoint, and the events that it takes. Pure; any thread. */
#ifndef MEMAED_IO_SINKS_WEBHOOK_CONFIG_H
#define MEMAED_IO_SINKS_WEBHOOK_CONFIG_H

#include "core/error.h"
#include "core/event.h"
#include "io/config/config.h"
#include "io/sinks/outbox.h"

enum { WEBHOOK_NAME_SIZE = 300 };

/* The name for people: that of the configuration, else scheme://host:port. It holds no secret. 0; -EINVAL if the URL is none of
 * http or https with a host; -ENOMEM. */
int webhook_name(char ret[WEBHOOK_NAME_SIZE], const struct config_webhook *hook);

/* "url-" and 8 hexadecimal digits of the URL's SHA-256. */
void webhook_mark(char ret[OUTBOX_MARK_SIZE], const char *url);

/* The keys of hooks [n], ret [n]: by them outbox and REST know the endpoints, also after a restart. A key has 1 to 64 of a-z,
 * 0-9, _ and -. It is the name of the configuration, else the mark of the URL. A second key of the same text has "-2" behind it,
 * and so on. */
void webhook_keys(char (*ret)[OUTBOX_KEY_SIZE], const struct config_webhook *hooks, size_t n);

/* Returns true if the endpoint with that key takes the event: its filter does (core/filter.h). No endpoint is told of its own
 * EVENT_WEBHOOK_DISABLED. */
bool webhook_wants(const struct config_webhook *hook, const char *key, const struct event *event);

#endif
