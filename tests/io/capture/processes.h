/* For the tests of io/capture: the processes that a host forks, as /proc shows them. */
#ifndef MEMAED_TESTS_IO_CAPTURE_PROCESSES_H
#define MEMAED_TESTS_IO_CAPTURE_PROCESSES_H

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

struct process {
    char name[32], state;
    pid_t parent;
};

/* Returns false if there is no such process. */
static inline bool process_read(struct process *ret, pid_t pid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "r");
    bool is_read = file && fscanf(file, "%*d (%31[^)]) %c %d", ret->name, &ret->state, &ret->parent) == 3;
    if (file)
        fclose(file);
    return is_read;
}

/* Returns a living process of that name; 0: there is none. grandparent: the process that started its host; 0: any. */
static inline pid_t process_named(const char *name, pid_t grandparent)
{
    DIR *proc = opendir("/proc");
    pid_t found = 0;
    for (struct dirent *e; proc && (e = readdir(proc));) {
        struct process process, host;
        pid_t pid = (pid_t)atoi(e->d_name);
        if (pid > 0 && process_read(&process, pid) && process.state != 'Z' && strcmp(process.name, name) == 0 &&
            (grandparent == 0 || (process_read(&host, process.parent) && host.parent == grandparent)))
            found = pid;
    }
    if (proc)
        closedir(proc);
    return found;
}

#endif
