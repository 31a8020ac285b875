/* Measures everything about a network on this machine, in every precision: multiply-adds on registers, cubes by number of
 * threads, sliding windows, cameras, every step, memory. Main's thread. */
#ifndef MEMAED_DAEMON_BENCH_BENCH_SURVEY_H
#define MEMAED_DAEMON_BENCH_BENCH_SURVEY_H

#include <jansson.h>
#include <stdio.h>

#include "core/error.h"

struct bench_survey_options {
    const char *arch_name, *model_path;         /* one is NULL */
    int threads;                                /* the most that are measured */
    double rate;                                /* windows a second of one camera */
    double seconds;                             /* time for each figure */
};

/* *ret is the JSON object of `memaed bench --all` and the caller's. Returns 0 or a negative errno with the cause in err. */
int bench_survey(json_t **ret, const struct bench_survey_options *options, struct error *err);

/* Prints that object as a table for people. */
void bench_survey_table(FILE *out, const json_t *survey);

/* The "model name" of the first CPU in /proc/cpuinfo; "unknown" if there is none. */
void bench_cpu_name(char *ret, size_t size);

#endif
