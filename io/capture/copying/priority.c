#include "io/capture/copying/priority.h"

#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

void priority_lower(int nice)
{
    setsid();
    setpriority(PRIO_PROCESS, 0, nice);
    FILE *file = fopen("/proc/self/autogroup", "we");
    if (!file)
        return;
    fprintf(file, "%d", nice);
    fclose(file);
}
