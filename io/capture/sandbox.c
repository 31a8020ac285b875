#include "io/capture/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sched.h>
#include <seccomp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
enum { HAS_SHADOW_MEMORY = 1 };
#else
enum { HAS_SHADOW_MEMORY = 0 };
#endif

enum { MAX_DESCRIPTORS = 128 };

/* ---- limits of resources ---------------------------------------------------------------------------------------------- */

static int limit(int resource, rlim_t most)
{
    struct rlimit now;
    if (getrlimit((__rlimit_resource_t)resource, &now) < 0)
        return -errno;
    if (now.rlim_max != RLIM_INFINITY && now.rlim_max < most)
        most = now.rlim_max;
    return setrlimit((__rlimit_resource_t)resource, &(struct rlimit){most, most}) < 0 ? -errno : 0;
}

/* Bytes of address space that the process uses; 0: not known. */
static size_t address_space(void)
{
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (!file)
        return 0;
    if (fscanf(file, "%lu", &pages) != 1)
        pages = 0;
    fclose(file);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static int limit_resources(size_t memory_bytes, size_t file_bytes, struct error *err)
{
    int r = limit(RLIMIT_CORE, 0);
    if (r == 0)
        r = limit(RLIMIT_FSIZE, file_bytes);
    if (r == 0)
        r = limit(RLIMIT_NOFILE, MAX_DESCRIPTORS);
    size_t now = HAS_SHADOW_MEMORY || memory_bytes == 0 ? 0 : address_space();
    if (r == 0 && now > 0)
        r = limit(RLIMIT_AS, now + memory_bytes);
    return r < 0 ? error_set(err, r, "cannot set limits of resources: %s", strerror(-r)) : 0;
}

/* ---- Landlock --------------------------------------------------------------------------------------------------------- */

/* Names and certificates are looked up in these. None of them holds a secret. */
static const char *const network_paths[] = {
    "/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/host.conf", "/etc/gai.conf", "/etc/services", "/etc/protocols",
    "/etc/ssl/certs", "/usr/share/ca-certificates", "/usr/local/share/ca-certificates", "/etc/gnutls", "/etc/ld.so.cache",
    "/usr/lib", "/lib", "/lib64", "/usr/lib64", "/dev/null", "/dev/urandom",
};

/* Rights over files by the version of Landlock that knows them; Debian 12's header ends with version 2. */
static uint64_t rights_of(int version)
{
    return version >= 5 ? (UINT64_C(1) << 16) - 1 : version >= 3 ? (UINT64_C(1) << 15) - 1
           : version == 2 ? (UINT64_C(1) << 14) - 1 : (UINT64_C(1) << 13) - 1;
}

int sandbox_landlock(void)
{
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    return version > 0 ? (int)version : 0;
}

/* 0, also where there is no such file. */
static int allow_reading(int rules, const char *path)
{
    struct stat st;
    int fd = open(path, O_PATH | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR || errno == EACCES ? 0 : -errno;
    int r = fstat(fd, &st) < 0 ? -errno : 0;
    if (r == 0) {
        struct landlock_path_beneath_attr rule = {.allowed_access = LANDLOCK_ACCESS_FS_READ_FILE, .parent_fd = fd};
        if (S_ISDIR(st.st_mode))
            rule.allowed_access |= LANDLOCK_ACCESS_FS_READ_DIR;
        r = syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0 ? -errno : 0;
    }
    close(fd);
    return r;
}

static int restrict_files(const struct sandbox_options *options, struct error *err)
{
    int version = sandbox_landlock();
    if (version == 0)
        return 0;
    struct landlock_ruleset_attr attr = {.handled_access_fs = rights_of(version)};
    int rules = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof attr, 0);
    int r = rules < 0 ? -errno : 0;
    for (size_t i = 0; r == 0 && options->network && i < sizeof network_paths / sizeof *network_paths; i++)
        r = allow_reading(rules, network_paths[i]);
    for (size_t i = 0; r == 0 && i < SANDBOX_MAX_PATHS; i++)
        if (options->paths[i])
            r = allow_reading(rules, options->paths[i]);
    if (r == 0 && syscall(SYS_landlock_restrict_self, rules, 0) < 0)
        r = -errno;
    if (rules >= 0)
        close(rules);
    return r < 0 ? error_set(err, r, "Landlock: %s", strerror(-r)) : 0;
}

/* ---- system calls ----------------------------------------------------------------------------------------------------- */

/* Reading, decoding and waiting need these. Arguments are checked for those of `filter` below. */
static const char *const allowed[] = {
    /* input and output of what is open */
    "read", "readv", "pread64", "write", "writev", "close", "lseek", "_llseek", "fstat", "fstat64", "fcntl64",
    "poll", "ppoll", "ppoll_time64", "select", "_newselect", "pselect6", "pselect6_time64", "getdents64",
    /* what files are there: Landlock cannot hide names and sizes */
    "stat", "stat64", "lstat", "lstat64", "newfstatat", "fstatat64", "statx", "access", "faccessat", "faccessat2", "readlink",
    "readlinkat", "getcwd",
    /* sockets that are open */
    "connect", "bind", "sendto", "sendmsg", "sendmmsg", "recvfrom", "recvmsg", "recvmmsg", "recvmmsg_time64", "getsockname",
    "getpeername", "setsockopt", "getsockopt", "shutdown",
    /* memory and threads */
    "brk", "munmap", "mremap", "madvise", "futex", "futex_time64", "set_robust_list", "rseq", "sched_yield", "sched_getaffinity",
    "gettid", "getpid", "getppid", "exit", "exit_group", "restart_syscall", "membarrier",
    /* signals of its own */
    "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigreturn", "sigaltstack",
    /* clocks, random numbers, facts */
    "clock_gettime", "clock_gettime64", "clock_getres", "clock_nanosleep", "clock_nanosleep_time64", "nanosleep", "gettimeofday",
    "time", "getrandom", "uname", "sysinfo", "getuid", "geteuid", "getgid", "getegid", "getrusage", "times", "getrlimit",
    "ugetrlimit",
};

/* The process never makes these calls; an attacker who has taken it over would. */
static const char *const fatal[] = {
    "execve", "execveat", "fork", "vfork", "ptrace", "process_vm_readv", "process_vm_writev", "kill", "tkill", "pidfd_open",
    "pidfd_send_signal", "pidfd_getfd", "mount", "umount2", "pivot_root", "chroot", "unshare", "setns", "bpf", "perf_event_open",
    "userfaultfd", "io_uring_setup", "keyctl", "add_key", "request_key", "init_module", "finit_module", "delete_module",
    "kexec_load", "kexec_file_load", "open_by_handle_at", "name_to_handle_at", "setuid", "setgid", "setreuid", "setregid",
    "setresuid", "setresgid", "setgroups", "setfsuid", "setfsgid", "capset", "personality", "listen", "accept", "accept4",
    "unlink", "unlinkat", "rename", "renameat", "renameat2", "mkdir", "mkdirat", "rmdir", "link", "linkat", "symlink",
    "symlinkat", "chmod", "fchmod", "fchmodat", "chown", "fchown", "lchown", "fchownat", "truncate", "ftruncate", "mknod",
    "mknodat", "creat", "memfd_create", "memfd_secret", "reboot", "swapon", "swapoff", "acct", "settimeofday", "clock_settime",
    "adjtimex", "clock_adjtime", "sethostname", "setdomainname", "iopl", "ioperm", "quotactl", "socketpair",
};

static int add_list(scmp_filter_ctx filter, uint32_t action, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int number = seccomp_syscall_resolve_name(names[i]);
        if (number == __NR_SCMP_ERROR)
            continue;           /* this library, or this processor, does not know it */
        int r = seccomp_rule_add(filter, action, number, 0);
        if (r < 0 && r != -EDOM)
            return r;
    }
    return 0;
}

/* A rule for one argument. */
static int add(scmp_filter_ctx filter, uint32_t action, const char *name, struct scmp_arg_cmp argument)
{
    int number = seccomp_syscall_resolve_name(name);
    int r = number == __NR_SCMP_ERROR ? 0 : seccomp_rule_add_array(filter, action, number, 1, &argument);
    return r == -EDOM ? 0 : r;
}

static int allow_files(scmp_filter_ctx filter)
{
    /* Files are opened for reading alone, and none is created. */
    const scmp_datum_t flags = O_ACCMODE | O_CREAT | O_TRUNC | (O_TMPFILE & ~O_DIRECTORY);
    int r = add(filter, SCMP_ACT_ALLOW, "open", SCMP_A1(SCMP_CMP_MASKED_EQ, flags, O_RDONLY));
    if (r == 0)
        r = add(filter, SCMP_ACT_ALLOW, "openat", SCMP_A2(SCMP_CMP_MASKED_EQ, flags, O_RDONLY));
    static const int commands[] = {F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_DUPFD_CLOEXEC, F_GET_SEALS};
    for (size_t i = 0; r == 0 && i < sizeof commands / sizeof *commands; i++)
        r = add(filter, SCMP_ACT_ALLOW, "fcntl", SCMP_A1(SCMP_CMP_EQ, (scmp_datum_t)commands[i]));
    static const unsigned long controls[] = {FIONBIO, FIONREAD};
    for (size_t i = 0; r == 0 && i < sizeof controls / sizeof *controls; i++)
        r = add(filter, SCMP_ACT_ALLOW, "ioctl", SCMP_A1(SCMP_CMP_EQ, controls[i]));
    return r;
}

/* Memory is writable or executable, never both. Executable mappings are allowed because looking up a name loads libraries. */
static int allow_memory(scmp_filter_ctx filter)
{
    static const char *const calls[] = {"mmap", "mmap2", "mprotect", "pkey_mprotect"};
    int r = 0;
    for (size_t i = 0; r == 0 && i < sizeof calls / sizeof *calls; i++) {
        r = add(filter, SCMP_ACT_ALLOW, calls[i], SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
        if (r == 0)
            r = add(filter, SCMP_ACT_ALLOW, calls[i], SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC | PROT_WRITE, PROT_EXEC));
    }
    return r;
}

static int allow_threads(scmp_filter_ctx filter)
{
    const scmp_datum_t spaces = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |
                                CLONE_NEWNET;
    int r = add(filter, SCMP_ACT_ALLOW, "clone", SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD | spaces, CLONE_THREAD));
    if (r == 0)                 /* a filter cannot see its flags; the C library then uses clone() */
        r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), seccomp_syscall_resolve_name("clone3"), 0);
    if (r == 0)                 /* abort(), and the end of FFmpeg's threads */
        r = add(filter, SCMP_ACT_ALLOW, "tgkill", SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid()));
    if (r == 0)
        r = add(filter, SCMP_ACT_ALLOW, "prctl", SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME));
    if (r == 0)                 /* to read limits, not to set them */
        r = add(filter, SCMP_ACT_ALLOW, "prlimit64", SCMP_A2(SCMP_CMP_EQ, 0));
    return r;
}

static int filter_calls(bool network, struct error *err)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    int r = filter ? add_list(filter, SCMP_ACT_ALLOW, allowed, sizeof allowed / sizeof *allowed) : -ENOMEM;
    if (r == 0)
        r = add_list(filter, SCMP_ACT_KILL_PROCESS, fatal, sizeof fatal / sizeof *fatal);
    if (r == 0)
        r = allow_files(filter);
    if (r == 0)
        r = allow_memory(filter);
    if (r == 0)
        r = allow_threads(filter);
    static const int families[] = {AF_INET, AF_INET6};
    for (size_t i = 0; r == 0 && network && i < sizeof families / sizeof *families; i++)
        r = add(filter, SCMP_ACT_ALLOW, "socket", SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)families[i]));
    if (r == 0)
        r = seccomp_load(filter);
    seccomp_release(filter);
    return r < 0 ? error_set(err, r, "seccomp: %s", strerror(-r)) : 0;
}

int sandbox_enter(const struct sandbox_options *options, struct error *err)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        return error_set(err, -errno, "prctl: %s", strerror(errno));
    int r = limit_resources(options->memory_bytes, options->file_bytes, err);
    if (r == 0)
        r = restrict_files(options, err);
    if (r == 0)
        r = filter_calls(options->network, err);
    return r;
}
