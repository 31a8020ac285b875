#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/kernels/kernels.h"
#include "daemon/base/blas.h"
#include "daemon/base/ffmpeg_log.h"
#include "daemon/commands.h"
#include "io/capture/host.h"

static void usage(FILE *out)
{
    fprintf(out, "Usage: memaed COMMAND [OPTION…]\n\n"
                 "Learns what is usual in front of a camera, and alerts on what is not.\n\n"
                 "Commands:\n");
    for (int i = 0; commands[i]; i++)
        fprintf(out, "  %-16s  %s\n", commands[i]->name, commands[i]->summary);
    fprintf(out, "\n'memaed help COMMAND' explains a command and its options. 'memaed --version' prints the version.\n");
}

/* The number of words of argv that are the command's name, 1 or 2; 0: it is not this command. */
static int names(const struct command *command, int argc, char **argv)
{
    size_t n = strcspn(command->name, " ");
    if (strlen(argv[1]) != n || strncmp(command->name, argv[1], n) != 0)
        return 0;
    if (!command->name[n])
        return 1;
    return argc > 2 && strcmp(command->name + n + 1, argv[2]) == 0 ? 2 : 0;
}

static bool asks_for_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

/* Handles a command of two words whose second word is missing, unknown or --help. Returns the exit status. */
static int run_group(int argc, char **argv)
{
    size_t n = strlen(argv[1]);
    char words[256] = "";
    bool help = argc > 2 && asks_for_help(argv[2]), any = false;
    for (int i = 0; commands[i]; i++) {
        const char *name = commands[i]->name;
        if (strncmp(name, argv[1], n) != 0 || name[n] != ' ')
            continue;
        if (help) {
            fputs(any ? "\n" : "", stdout);
            command_help(commands[i], stdout);
        }
        size_t used = strlen(words);
        snprintf(words + used, sizeof words - used, "%s%s", any ? " or " : "", name + n + 1);
        any = true;
    }
    if (help && any)
        return 0;
    if (any && argc > 2)
        fprintf(stderr, "memaed %s: expected %s, got \"%s\"\n", argv[1], words, argv[2]);
    else if (any)
        fprintf(stderr, "memaed %s: expected %s after it\n", argv[1], words);
    if (any) {
        fprintf(stderr, "Try 'memaed %s --help'.\n", argv[1]);
        return 2;
    }
    fprintf(stderr, "memaed: %s: no such command\n\n", argv[1]);
    usage(stderr);
    return 2;
}

/* Takes the kernels of this CPU, or those that MEMAED_CPU asks for. */
static int choose_kernels(void)
{
    const char *limit = getenv("MEMAED_CPU");
    int r = kernels_choose(limit && *limit ? limit : NULL);
    if (r == -ENOTSUP)
        fprintf(stderr, "memaed: MEMAED_CPU: this CPU does not have the instructions of \"%s\"\n", limit);
    else if (r < 0)
        fprintf(stderr, "memaed: MEMAED_CPU: expected c, avx2, avxvnni, avx512 or amx, got \"%s\"\n", limit);
    return r;
}

/* Runs the command that argv names. Returns the exit status. *name is the command's, where there is one. */
static int dispatch(int argc, char **argv, const char **name)
{
    if (choose_kernels() < 0)
        return 2;
    if (argc < 2) {
        usage(stderr);
        return 2;
    }
    if (strcmp(argv[1], "help") == 0 && argc > 2) {        /* memaed help COMMAND is memaed COMMAND --help */
        memmove(argv + 1, argv + 2, (size_t)(argc - 2) * sizeof *argv);
        argv[argc - 1] = "--help";
    }
    if (asks_for_help(argv[1]) || strcmp(argv[1], "help") == 0) {
        usage(stdout);
        return 0;
    }
    if (strcmp(argv[1], "--version") == 0) {
        puts("memaed " MEMAED_VERSION);
        return 0;
    }
    ffmpeg_log_lines();
    for (int i = 0; commands[i]; i++) {
        int words = names(commands[i], argc, argv);
        if (words > 0) {
            *name = commands[i]->name;
            return commands[i]->run(argc - words, argv + words);
        }
    }
    return run_group(argc, argv);
}

int main(int argc, char **argv)
{
    const char *name = NULL;
    if (capture_host_is_asked(argc, argv))
        return capture_host_main();
    blas_init(argv);
    signal(SIGXFSZ, SIG_IGN);       /* a file beyond a limit is an error of write() */
    int status = dispatch(argc, argv, &name);
    /* If output was lost, for example on a full disk, the status is 1 although the command succeeded. */
    errno = EIO;                    /* if an earlier write failed, its errno is gone */
    if (status != 0 || (fflush(stdout) == 0 && !ferror(stdout)))
        return status;
    fprintf(stderr, "memaed%s%s: standard output: %s\n", name ? " " : "", name ? name : "", strerror(errno));
    return 1;
}
