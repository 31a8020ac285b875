/* The priority of a process. For the only thread of a process, before it gives up its rights. */
#ifndef MEMAED_IO_CAPTURE_COPYING_PRIORITY_H
#define MEMAED_IO_CAPTURE_COPYING_PRIORITY_H

/* Lowers the priority to that of nice(1), 0 to 19, against all processes of the machine. Where the kernel schedules sessions as
 * groups (autogroup), the process gets one of its own. A process that cannot be lowered goes on as it is. */
void priority_lower(int nice);

#endif
