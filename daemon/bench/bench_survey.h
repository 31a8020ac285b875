/* All that memaed bench knows of a network on this machine, in every precision: multiply-adds on registers, cubes by threads,
 * windows that slide, cameras, every step, memory. */
#ifndef MEMAED_DAEMON_BENCH_BENCH_SURVEY_H
#define MEMAED_DAEMON_BENCH_BENCH_SURVEY_H

#include <jansson.h>
#include <stdio.h>

#include "core/error.h"

struct bench_survey_options {
    const char *arch_name, *model_path;         /* one of them */
    int threads;                                /* up to so many */
    double rate;                                /* windows a second of a camera */
    double seconds;                             /* for each figure */
};

/* As docs/memaed.1 has it; *ret is the caller's. 0 or a negative errno with the cause in err. */
int bench_survey(json_t **ret, const struct bench_survey_options *options, struct error *err);

/* The same as a table to read. */
void bench_survey_table(FILE *out, const json_t *survey);

/* The first CPU's "model name"; "unknown" where /proc doesn't say. */
void bench_cpu_name(char *ret, size_t size);

#endif
