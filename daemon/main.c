#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/kernels/kernels.h"
#include "daemon/base/blas.h"
#include "daemon/commands.h"

static const struct {
    const char *name, *help;
    int (*run)(int argc, char **argv);
} commands[] = {
    {"run", "watch cameras: the daemon, in the foreground", command_run},
    {"check", "read a configuration and report every fault", command_check},
    {"learn", "train a model on normal footage", command_learn},
    {"calibrate", "set a model's alerts anew, on other footage", command_calibrate},
    {"score", "score footage, one row a window", command_score},
    {"eval", "measure a model against labelled clips", command_eval},
    {"model", "show what a model file holds, and its memory as pictures", command_model},
    {"bench", "measure the speed of this machine on this code", command_bench},
};

enum { N_COMMANDS = sizeof commands / sizeof commands[0] };

static void usage(FILE *out)
{
    fprintf(out, "usage: memaed COMMAND [OPTION]...\n\n"
                 "Watches video for what it has not learned as normal.\n\n");
    for (int i = 0; i < N_COMMANDS; i++)
        fprintf(out, "  %-9s %s\n", commands[i].name, commands[i].help);
    fprintf(out, "\nmemaed COMMAND --help tells more. memaed --version prints the version.\n");
}

/* The kernels of this CPU, or those that MEMAED_CPU asks for. */
static int choose_kernels(void)
{
    const char *limit = getenv("MEMAED_CPU");
    int r = kernels_choose(limit && *limit ? limit : NULL);
    if (r < 0)
        fprintf(stderr, "memaed: MEMAED_CPU=%s: %s\n", limit,
                r == -ENOTSUP ? "this CPU has no such instructions" : "c, avx2, avxvnni, avx512 or amx expected");
    return r;
}

int main(int argc, char **argv)
{
    blas_init(argv);
    if (choose_kernels() < 0)
        return 2;
    if (argc < 2) {
        usage(stderr);
        return 2;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        usage(stdout);
        return fflush(stdout) == 0 ? 0 : 1;
    }
    if (strcmp(argv[1], "--version") == 0) {
        puts("memaed " MEMAED_VERSION);
        return fflush(stdout) == 0 ? 0 : 1;
    }
    for (int i = 0; i < N_COMMANDS; i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    fprintf(stderr, "memaed: unknown command: %s\n\n", argv[1]);
    usage(stderr);
    return 2;
}
