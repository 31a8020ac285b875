/* A process in the sandbox tries calls. Those that it needs work. Those that it must not make fail or end it. */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <netdb.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/capture/sandbox.h"
#include "tests/suite.h"

static char folder[64], own[96], other[96], new_file[96];

static void set_up(void)
{
    snprintf(folder, sizeof folder, "/tmp/memaed-test-sandbox-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(own, sizeof own, "%s/own", folder);
    snprintf(other, sizeof other, "%s/other", folder);
    snprintf(new_file, sizeof new_file, "%s/new", folder);
    const char *const files[] = {own, other};
    for (int i = 0; i < 2; i++) {
        FILE *file = fopen(files[i], "w");
        fputs("content\n", file);
        fclose(file);
    }
}

static void tear_down(void)
{
    unlink(own);
    unlink(other);
    unlink(new_file);
    ck_assert_int_eq(rmdir(folder), 0);
}

/* Runs `attempt` in a sandbox of its own. Returns what it returned (0 to 255), or minus the signal that ended it. */
static int try(int (*attempt)(void), bool network)
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        struct error err = {""};
        if (sandbox_enter(&(struct sandbox_options){.network = network, .paths = {own}, .memory_bytes = 64 << 20}, &err) < 0) {
            fprintf(stderr, "%s\n", err.text);
            _exit(254);
        }
        _exit(attempt());
    }
    int status = 0;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

/* Returns 0, or the errno, of a call that returns -1 on failure. */
static int error_of(long r)
{
    return r < 0 ? errno : 0;
}

/* ---- what is needed --------------------------------------------------------------------------------------------------- */

static int read_own(void)
{
    char text[16] = "";
    int fd = open(own, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? errno : read(fd, text, 7) == 7 && strcmp(text, "content") == 0 ? 0 : 255;
}

static void *add_one(void *arg)
{
    ++*(int *)arg;
    return arg;
}

static int run_thread(void)
{
    int n = 0;
    pthread_t thread;
    int r = pthread_create(&thread, NULL, add_one, &n);
    return r ? r : pthread_join(thread, NULL) == 0 && n == 1 ? 0 : 255;
}

static int take_memory(void)
{
    char *p = malloc(32 << 20);
    if (!p)
        return ENOMEM;
    memset(p, 1, 32 << 20);
    free(p);
    return 0;
}

static int cancel_thread_by_signal(void)
{
    return error_of(tgkill(getpid(), gettid(), 0));
}

static int resolve_name(void)
{
    struct addrinfo *found = NULL;
    int r = getaddrinfo("localhost", "80", NULL, &found);
    if (r == 0)
        freeaddrinfo(found);
    return r == 0 ? 0 : 255;
}

/* A refusal by the network itself shows that the sandbox allowed the call. */
static int connect_to(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(1), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return fd < 0 ? errno : connect(fd, (struct sockaddr *)&to, sizeof to) < 0 && errno == ECONNREFUSED ? 0 : errno;
}

START_TEST(what_is_needed_works)
{
    ck_assert_int_eq(try(read_own, false), 0);
    ck_assert_int_eq(try(read_own, true), 0);
    ck_assert_int_eq(try(run_thread, false), 0);
    ck_assert_int_eq(try(take_memory, false), 0);
    ck_assert_int_eq(try(cancel_thread_by_signal, false), 0);
    ck_assert_int_eq(try(resolve_name, true), 0);
    ck_assert_int_eq(try(connect_to, true), 0);
}
END_TEST

/* ---- what is forbidden ------------------------------------------------------------------------------------------------ */

static int open_other(void) { return error_of(open(other, O_RDONLY)); }
static int open_passwords(void) { return error_of(open("/etc/passwd", O_RDONLY)); }
static int open_environment(void) { return error_of(open("/proc/1/environ", O_RDONLY)); }
static int list_folder(void) { return error_of(open(folder, O_RDONLY | O_DIRECTORY)); }
static int write_own(void) { return error_of(open(own, O_WRONLY)); }
static int write_own_both(void) { return error_of(open(own, O_RDWR)); }
static int cut_own(void) { return error_of(open(own, O_RDONLY | O_TRUNC)); }
static int make_file(void) { return error_of(open(new_file, O_RDONLY | O_CREAT, 0600)); }
static int make_nameless_file(void) { return error_of(open(folder, O_RDWR | O_TMPFILE, 0600)); }
static int open_2(void) { return error_of(syscall(SYS_openat2, AT_FDCWD, own, NULL, 0)); }
static int remove_own(void) { return error_of(unlink(own)); }
static int rename_own(void) { return error_of(rename(own, new_file)); }
static int start_program(void) { return error_of(execl("/bin/true", "true", NULL)); }
static int start_process(void) { return error_of(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0)); }
static int start_process_3(void) { return error_of(syscall(SYS_clone3, NULL, 0)); }
static int new_namespace(void) { return error_of(unshare(CLONE_NEWUSER)); }
static int signal_parent(void) { return error_of(kill(getppid(), 0)); }
static int signal_thread_of_parent(void) { return error_of(tgkill(getppid(), getppid(), 0)); }
static int watch_parent(void) { return error_of(ptrace(PTRACE_ATTACH, getppid(), NULL, NULL)); }
static int local_socket(void) { return error_of(socket(AF_UNIX, SOCK_STREAM, 0)); }
static int packet_socket(void) { return error_of(socket(AF_PACKET, SOCK_RAW, 0)); }
static int network_socket(void) { return error_of(socket(AF_INET, SOCK_STREAM, 0)); }
static int type_into_terminal(void) { return error_of(ioctl(0, TIOCSTI, "x")); }
static int become_root(void) { return error_of(setuid(0)); }
static int dump_core(void) { return error_of(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)); }
static int raise_limit(void) { return error_of(setrlimit(RLIMIT_NOFILE, &(struct rlimit){1024, 1024})); }
static int keys(void) { return error_of(syscall(SYS_keyctl, 0, 0, 0, 0, 0)); }
static int rings(void) { return error_of(syscall(SYS_io_uring_setup, 1, NULL)); }
static int filter_of_kernel(void) { return error_of(syscall(SYS_bpf, 0, NULL, 0)); }
static int memory_file(void) { return error_of(memfd_create("x", 0)); }

static int listen_for_others(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return fd < 0 ? errno : error_of(listen(fd, 1));
}

static int read_parent(void)
{
    char byte;
    struct iovec here = {&byte, 1}, there = {(void *)&folder, 1};
    return error_of(process_vm_readv(getppid(), &here, 1, &there, 1, 0));
}

static int make_code(void)
{
    void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED ? errno : 0;
}

static int make_memory_code(void)
{
    void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return error_of(mprotect(p, 4096, PROT_READ | PROT_WRITE | PROT_EXEC));
}

static int take_too_much_memory(void)
{
    void *p = mmap(NULL, (size_t)128 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED ? errno : 0;
}

static int open_many(void)
{
    for (int i = 0; i < 200; i++)
        if (open(own, O_RDONLY | O_CLOEXEC) < 0)
            return errno;
    return 0;
}

struct forbidden {
    const char *name;
    int (*attempt)(void);
    int expected;               /* an errno, or minus a signal */
    bool network, landlock;     /* landlock: only Landlock refuses it */
};

static const struct forbidden forbidden[] = {
    {"open another file", open_other, EACCES, false, true},
    {"open another file, with network", open_other, EACCES, true, true},
    {"open /etc/passwd", open_passwords, EACCES, true, true},
    {"open another process's environment", open_environment, EACCES, true, true},
    {"list a folder", list_folder, EACCES, false, true},
    {"write its file", write_own, EPERM, false, false},
    {"write its file, reading too", write_own_both, EPERM, false, false},
    {"cut its file", cut_own, EPERM, false, false},
    {"make a file", make_file, EPERM, false, false},
    {"make a file without a name", make_nameless_file, EPERM, false, false},
    {"openat2", open_2, EPERM, false, false},
    {"remove its file", remove_own, -SIGSYS, false, false},
    {"rename its file", rename_own, -SIGSYS, false, false},
    {"start a program", start_program, -SIGSYS, true, false},
    {"start a process", start_process, EPERM, true, false},
    {"start a process by clone3", start_process_3, ENOSYS, true, false},
    {"make a namespace", new_namespace, -SIGSYS, true, false},
    {"signal its parent", signal_parent, -SIGSYS, true, false},
    {"signal a thread of its parent", signal_thread_of_parent, EPERM, true, false},
    {"trace its parent", watch_parent, -SIGSYS, true, false},
    {"read its parent's memory", read_parent, -SIGSYS, true, false},
    {"a local socket", local_socket, EPERM, true, false},
    {"a raw socket", packet_socket, EPERM, true, false},
    {"a network socket, without network", network_socket, EPERM, false, false},
    {"listen", listen_for_others, -SIGSYS, true, false},
    {"type into a terminal", type_into_terminal, EPERM, true, false},
    {"change its user", become_root, -SIGSYS, true, false},
    {"allow core dumps", dump_core, EPERM, true, false},
    {"raise a limit", raise_limit, EPERM, true, false},
    {"ask for keys", keys, -SIGSYS, true, false},
    {"io_uring", rings, -SIGSYS, true, false},
    {"bpf", filter_of_kernel, -SIGSYS, true, false},
    {"memfd_create", memory_file, -SIGSYS, true, false},
    {"map memory that can be written and executed", make_code, EPERM, true, false},
    {"make written memory executable", make_memory_code, EPERM, true, false},
    {"open 200 files", open_many, EMFILE, false, false},
};

START_TEST(what_is_forbidden_fails)
{
    const struct forbidden *f = &forbidden[_i];
    if (f->landlock && sandbox_landlock() == 0) {
        printf("SKIP %s: the kernel has no Landlock\n", f->name);
        return;
    }
    int r = try(f->attempt, f->network);
    ck_assert_msg(r == f->expected, "%s: expected %d, got %d", f->name, f->expected, r);
}
END_TEST

START_TEST(memory_is_bounded)
{
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
    puts("SKIP memory_is_bounded: a build with sanitizers has no RLIMIT_AS");
#else
    ck_assert_int_eq(try(take_too_much_memory, false), ENOMEM);
#endif
}
END_TEST

/* Without the sandbox each attempt succeeds, unless it needs special rights. So the tests above can fail. */
START_TEST(attempts_succeed_without)
{
    static int (*const attempts[])(void) = {open_other, list_folder, write_own, make_file, make_nameless_file, start_process,
                                            signal_parent, signal_thread_of_parent, local_socket, network_socket,
                                            listen_for_others, make_code, make_memory_code, take_too_much_memory, memory_file,
                                            open_many};
    pid_t pid = fork();
    if (pid == 0) {
        for (size_t i = 0; i < sizeof attempts / sizeof *attempts; i++) {
            int r = attempts[i]();
            if (r != 0)
                _exit((int)i + 1);
        }
        _exit(0);
    }
    int status = 0;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "attempt %d failed without a sandbox",
                  WEXITSTATUS(status) - 1);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("sandbox");
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, what_is_needed_works);
    tcase_add_loop_test(tc, what_is_forbidden_fails, 0, sizeof forbidden / sizeof *forbidden);
    tcase_add_test(tc, memory_is_bounded);
    tcase_add_test(tc, attempts_succeed_without);
    Suite *suite = suite_create("sandbox");
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
