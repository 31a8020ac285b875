/* A folder of its own for each test: make_folder() as the fixture's beginning, delete_folder() as its end. */
#ifndef MEMAED_TESTS_FOLDER_H
#define MEMAED_TESTS_FOLDER_H

#include <check.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"

static char folder[64];
static struct error err;

#define must(call) ck_assert_msg((call) >= 0, "%s: %s", #call, err.text)

static inline void make_folder(void)
{
    snprintf(folder, sizeof folder, "/tmp/memaed-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

/* Runs a command of the shell in the folder. The test fails if the command does. */
__attribute__((format(printf, 1, 2)))
static inline void shell(const char *format, ...)
{
    char command[600];
    int at = snprintf(command, sizeof command, "cd %s && ", folder);
    va_list args;
    va_start(args, format);
    at += vsnprintf(command + at, sizeof command - (size_t)at, format, args);
    va_end(args);
    ck_assert_int_lt(at, (int)sizeof command);
    ck_assert_msg(system(command) == 0, "%s", command);
}

static inline void delete_folder(void)
{
    shell("rm -rf %s", folder);
}

/* Returns FOLDER/NAME in a static buffer. */
__attribute__((format(printf, 1, 2)))
static inline const char *path_of(const char *format, ...)
{
    static char path[300];
    int at = snprintf(path, sizeof path, "%s/", folder);
    va_list args;
    va_start(args, format);
    at += vsnprintf(path + at, sizeof path - (size_t)at, format, args);
    va_end(args);
    ck_assert_int_lt(at, (int)sizeof path);
    return path;
}

#endif
