#include "daemon/base/isolation.h"

#include <stddef.h>

static struct capture_host *host;

const char isolation_help[] =
    "The place where sources are decoded (default: process). process: each in a process of its own, which can do little but "
    "that. thread: in this one, for systems that forbid such processes.";

const char *isolation_names(int i)
{
    static const char *const names[] = {"process", "thread", NULL};
    return names[i];
}

int isolation_open(enum isolation isolation, struct error *err)
{
    return isolation == ISOLATION_PROCESS ? capture_host_open(&host, err) : 0;
}

void isolation_end(void)
{
    capture_host_end(host);
}

void isolation_close(void)
{
    capture_host_close(host);
    host = NULL;
}

struct capture_host *isolation_host(void)
{
    return host;
}

struct capture_options isolation_capture(const struct source_options *source)
{
    return (struct capture_options){.source = *source, .host = host, .memory_mib = ISOLATION_FOOTAGE_MIB};
}
