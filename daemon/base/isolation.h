/* The isolation of a command's sources: each is read in a process of its own (io/capture/capture.h), or all in the command's.
 * There is one for the whole program. Main's thread opens and closes it; any thread may read sources in between. */
#ifndef MEMAED_DAEMON_BASE_ISOLATION_H
#define MEMAED_DAEMON_BASE_ISOLATION_H

#include "core/error.h"
#include "io/capture/capture.h"

enum isolation { ISOLATION_PROCESS, ISOLATION_THREAD };

enum { ISOLATION_FOOTAGE_MIB = 4096 };  /* of memory for a process that reads footage: large pictures, many threads */

/* The names for tables of options: "process", "thread". */
const char *isolation_names(int i);
extern const char isolation_help[];

/* With ISOLATION_THREAD nothing is started. 0; -errno with the cause in err. */
int isolation_open(enum isolation isolation, struct error *err);
/* Both may be called if nothing is open. isolation_end() ends the processes, and keeps the memory for threads that use it. */
void isolation_end(void);
void isolation_close(void);

/* The host for struct capture_options; NULL: the source is read in this process. */
struct capture_host *isolation_host(void);

/* The options of a capture of footage. What source points to is borrowed. */
struct capture_options isolation_capture(const struct source_options *source);

#endif
