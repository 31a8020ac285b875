/* For LD_PRELOAD: each fdatasync takes MEMAED_TEST_SYNC_MS longer, and adds a line to the file named by MEMAED_TEST_SYNCS. The
 * line has the seconds on the monotonic clock, and the size in bytes of the synced file. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int fdatasync(int fd)
{
    const char *path = getenv("MEMAED_TEST_SYNCS"), *ms = getenv("MEMAED_TEST_SYNC_MS");
    FILE *file = path ? fopen(path, "a") : NULL;
    struct stat st;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (file && fstat(fd, &st) == 0)
        fprintf(file, "%.3f %lld\n", (double)now.tv_sec + (double)now.tv_nsec * 1e-9, (long long)st.st_size);
    if (file)
        fclose(file);
    long wait = ms ? atol(ms) : 0;
    nanosleep(&(struct timespec){wait / 1000, wait % 1000 * 1000000}, NULL);
    return (int)syscall(SYS_fdatasync, fd);
}
