/* Opens files of a folder by a path that cannot leave it. It refuses "..", an absolute path, and a symbolic link at any place. It
 * uses openat2() where the kernel has it, else it opens one component after the other. Any thread. */
#ifndef MEMAED_IO_BASE_BENEATH_H
#define MEMAED_IO_BASE_BENEATH_H

/* flags are those of open(2) without O_CREAT, and O_PATH only with O_DIRECTORY; O_CLOEXEC is added. Returns a descriptor;
 * -EINVAL: an empty or absolute path, or an empty component, "." or ".."; -ELOOP or -ENOTDIR: a symbolic link; or another
 * -errno of open(2). */
int beneath_open(int folder_fd, const char *path, int flags);
/* The same without openat2(). */
int beneath_open_stepwise(int folder_fd, const char *path, int flags);

#endif
