#include "daemon/base/descriptors.h"

#include <errno.h>
#include <sys/resource.h>

size_t descriptors_needed(size_t cameras, size_t webhooks, size_t web)
{
    return DESCRIPTORS_CAMERA * cameras + DESCRIPTORS_WEBHOOK * webhooks + web + DESCRIPTORS_BASE;
}

void descriptors_raise(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

int descriptors_check(size_t cameras, size_t webhooks, size_t web, struct error *err)
{
    struct rlimit limit;
    size_t needed = descriptors_needed(cameras, webhooks, web);
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= needed)
        return 0;
    return error_set(err, -EMFILE, "expected a limit of %zu open files or more (%d for each of %zu cameras, %d for each of %zu "
                     "webhooks, %zu else), got %llu; raise LimitNOFILE= of the service, or ulimit -Hn of the shell", needed,
                     (int)DESCRIPTORS_CAMERA, cameras, (int)DESCRIPTORS_WEBHOOK, webhooks, web + DESCRIPTORS_BASE,
                     (unsigned long long)limit.rlim_cur);
}
