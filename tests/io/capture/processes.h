/* For the tests of io/capture: finds the processes that a host has forked. */
#ifndef MEMAED_TESTS_IO_CAPTURE_PROCESSES_H
#define MEMAED_TESTS_IO_CAPTURE_PROCESSES_H

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A process of that name whose host is a child of this program; 0: there is none. */
static inline pid_t process_named(const char *name)
{
    pid_t found = 0;
    DIR *proc = opendir("/proc");
    for (struct dirent *e; proc && (e = readdir(proc));) {
        char path[300], comm[32] = "";
        int parent = 0, grandparent = 0;
        snprintf(path, sizeof path, "/proc/%s/stat", e->d_name);
        FILE *file = e->d_name[0] >= '1' && e->d_name[0] <= '9' ? fopen(path, "r") : NULL;
        bool is_it = file && fscanf(file, "%*d (%31[^)]) %*c %d", comm, &parent) == 2 && strcmp(comm, name) == 0;
        if (file)
            fclose(file);
        snprintf(path, sizeof path, "/proc/%d/stat", parent);
        file = is_it ? fopen(path, "r") : NULL;
        if (file && fscanf(file, "%*d (%*[^)]) %*c %d", &grandparent) == 1 && grandparent == getpid())
            found = (pid_t)atoi(e->d_name);
        if (file)
            fclose(file);
    }
    closedir(proc);
    return found;
}

#endif
