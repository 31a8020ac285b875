/* For LD_PRELOAD: opening the file named by MEMAED_TEST_OPEN first makes the file named by MEMAED_TEST_OPENS, then takes a second
 * longer. */
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int open(const char *path, int flags, ...)
{
    const char *slow = getenv("MEMAED_TEST_OPEN"), *begun = getenv("MEMAED_TEST_OPENS");
    va_list args;
    va_start(args, flags);
    int mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(args, int) : 0;
    va_end(args);
    if (slow && begun && strcmp(path, slow) == 0) {
        close((int)syscall(SYS_openat, AT_FDCWD, begun, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
        struct timespec left = {1, 0};
        while (nanosleep(&left, &left) != 0)
            ;
    }
    return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}
