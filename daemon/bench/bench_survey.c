#include "daemon/bench/bench_survey.h"

#include <errno.h>
#include <string.h>

#include "core/kernels/int8_kernels.h"
#include "core/kernels/kernels.h"
#include "core/kernels/peak/peak.h"
#include "daemon/base/parallel_threads.h"
#include "daemon/bench/bench_peak.h"
#include "daemon/bench/bench_plan.h"

/* The stride of cameras is the configuration's default. With this many cameras a worker, no camera finds its own data in
 * the CPU's caches, as it is in the daemon. */
enum { CAMERA_STRIDE = 2, CAMERAS = 8 };
static const int strides[] = {1, 2, 4};
enum { N_STRIDES = sizeof strides / sizeof strides[0] };

void bench_cpu_name(char *ret, size_t size)
{
    FILE *file = fopen("/proc/cpuinfo", "re");
    char line[256];

    snprintf(ret, size, "unknown");
    while (file && fgets(line, sizeof line, file)) {
        char *value = strstr(line, ": ");
        if (strncmp(line, "model name", 10) != 0 || !value)
            continue;
        value[strcspn(value, "\n")] = '\0';
        snprintf(ret, size, "%s", value + 2);
        break;
    }
    if (file)
        fclose(file);
}

/* ---- measuring ---------------------------------------------------------------------------------------------------- */

/* 0: not measured, written as null. */
static json_t *figure(double x)
{
    return x > 0 ? json_real(x) : json_null();
}

static double share(double gflop, double seconds, double peak)
{
    return gflop > 0 && seconds > 0 && peak > 0 ? gflop * 1e9 / seconds / peak : 0;
}

/* Measures 1, 2, 4 … and all threads. *all: seconds a cube with all threads. */
static json_t *by_threads(struct bench_plan *b, const struct parallel *p, enum precision precision, double seconds, double *all)
{
    json_t *list = json_array();

    for (int n = 1;; n = 2 * n < p->threads ? 2 * n : p->threads) {
        struct bench_rate cubes;
        double peak = bench_peak(p, n, precision);
        bench_plan_cubes(b, n, seconds, &cubes);
        *all = bench_seconds_each(&cubes);
        json_array_append_new(list, json_pack("{s:i, s:o, s:f, s:o}", "threads", n, "peak_gflops", figure(peak * 1e-9),
                                              "cubes_per_s", 1 / *all, "share_of_peak",
                                              figure(share(bench_plan_gflop(b), *all, peak))));
        if (n == p->threads)
            return list;
    }
}

static int sliding(json_t **ret, struct bench_plan *b, const struct parallel *p, double seconds, double cube)
{
    json_t *list = json_array();
    int r = 0;

    for (int i = 0; r == 0 && i < N_STRIDES; i++) {
        struct bench_rate windows;
        size_t kept;
        r = bench_plan_windows(b, p->threads, strides[i], 1, seconds, &windows, &kept);
        if (r == 0)
            json_array_append_new(list, json_pack("{s:i, s:f, s:f, s:I}", "stride", strides[i], "windows_per_s",
                                                  1 / bench_seconds_each(&windows), "share_of_cube",
                                                  bench_seconds_each(&windows) / cube, "history_bytes", (json_int_t)kept));
    }
    *ret = list;
    return r;
}

static int cameras(json_t **ret, struct bench_plan *b, const struct parallel *p, const struct bench_survey_options *o)
{
    struct bench_rate windows;
    size_t kept;
    int r = bench_plan_windows(b, p->threads, CAMERA_STRIDE, CAMERAS, o->seconds, &windows, &kept);

    if (r == 0) {
        double rate = 1 / bench_seconds_each(&windows);
        *ret = json_pack("{s:f, s:i, s:f, s:I}", "rate", o->rate, "stride", CAMERA_STRIDE, "windows_per_s", rate, "cameras",
                         (json_int_t)(rate / o->rate));
    }
    return r;
}

static json_t *steps(struct bench_plan *b, double seconds, double peak)
{
    struct bench_step step[BENCH_MAX_STEPS];
    int n = bench_plan_steps(b, seconds, step);
    json_t *list = json_array();

    for (int i = 0; i < n; i++)
        json_array_append_new(list, json_pack("{s:s, s:f, s:f, s:o}", "step", step[i].name, "seconds", step[i].seconds,
                                              "gflop", step[i].gflop, "share_of_peak",
                                              figure(share(step[i].gflop, step[i].seconds, peak))));
    return list;
}

/* Measures one precision and adds it to survey["precisions"]. Also sets the figures of survey that no precision changes. */
static int add_precision(json_t *survey, const struct bench_survey_options *o, const struct parallel *p,
                         enum precision precision, struct error *err)
{
    struct bench_plan *b = NULL;
    json_t *threads, *slide = NULL, *cams = NULL, *step = NULL, *list = json_object_get(survey, "precisions");
    double cube, latency_s;
    int r = bench_plan_open(&b, &(struct bench_plan_options){o->arch_name, o->model_path, precision, p}, err);

    if (r < 0)
        return r;
    const struct plan *plan = bench_plan_plan(b);
    bool pictures = bench_plan_takes_pictures(b);
    latency_s = bench_plan_latency_s(b, o->seconds);
    threads = by_threads(b, p, precision, o->seconds, &cube);
    if (pictures) {
        step = steps(b, o->seconds, bench_peak(p, 1, precision));
        r = sliding(&slide, b, p, o->seconds, cube);
    }
    if (pictures && r == 0)
        r = cameras(&cams, b, p, o);
    if (r < 0)
        error_set(err, r, "out of memory");
    json_array_append_new(
        list, json_pack("{s:s, s:s, s:s?, s:f, s:I, s:o, s:o?, s:o?, "
                        "s:o?}", "precision", precision_name(precision), "kernels",
                        precision == PRECISION_INT8 ? int8_kernels->name : kernels->name, "peak_kernel",
                        peak_of(precision).kernel, "latency_s", latency_s, "workspace_bytes",
                        (json_int_t)plan_workspace_size(plan), "threads", threads, "sliding", slide, "cameras", cams, "steps",
                        step));
    size_t parameters = arch_total_cost(plan_arch(plan), plan_shapes(plan)).parameters;
    json_object_set_new(survey, "gflop_per_cube", json_real(bench_plan_gflop(b)));
    json_object_set_new(survey, "weights_bytes", json_integer((json_int_t)(sizeof(float) * parameters)));
    json_object_set_new(survey, "takes_pictures", json_boolean(pictures));
    bench_plan_close(b);
    return r;
}

int bench_survey(json_t **ret, const struct bench_survey_options *options, struct error *err)
{
    struct parallel_threads *threads = NULL;
    char cpu[128];
    int r = parallel_threads_open(&threads, options->threads);

    if (r < 0)
        return error_set(err, r, "--threads %d: %s", options->threads, strerror(-r));
    struct parallel parallel = parallel_threads_parallel(threads);
    bench_cpu_name(cpu, sizeof cpu);
    json_t *survey = json_pack("{s:s?, s:s?, s:s, s:s, s:[]}", "arch", options->arch_name, "model", options->model_path,
                               "cpu", cpu, "version", MEMAED_VERSION, "precisions");
    r = survey ? add_precision(survey, options, &parallel, PRECISION_FP32, err) : error_set(err, -ENOMEM, "out of memory");
    if (r == 0 && json_is_true(json_object_get(survey, "takes_pictures"))) {
        r = add_precision(survey, options, &parallel, PRECISION_INT8, err);
        r = r == -ENOTSUP ? 0 : r;      /* too many channels for 8 bits: only fp32 is reported */
    }
    parallel_threads_close(threads);
    if (r < 0) {
        json_decref(survey);
        return r;
    }
    *ret = survey;
    return 0;
}

/* ---- the table ---------------------------------------------------------------------------------------------------- */

enum { LABEL = 34, COLUMN = 24 };

static double number(const json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}

static const char *text(const json_t *object, const char *key)
{
    const char *s = json_string_value(json_object_get(object, key));
    return s ? s : "";
}

/* Prints a cell: a value, and a share as a percentage unless it is 0. */
static void put(FILE *out, double value, const char *unit, double of_one)
{
    char cell[64], more[16] = "";

    if (of_one > 0)
        snprintf(more, sizeof more, " %3.0f %%", 100 * of_one);
    snprintf(cell, sizeof cell, "%.*f%s%s", value < 10 ? 2 : value < 100 ? 1 : 0, value, unit, more);
    fprintf(out, "%*s", COLUMN, cell);
}

/* Prints a row: entry i of the list in each precision, times a factor, with its share if share_key is not NULL. */
static void put_list(FILE *out, const json_t *precisions, const char *list, size_t i, const char *key, double times,
                     const char *unit, const char *share_key)
{
    size_t p;
    json_t *precision;

    json_array_foreach(precisions, p, precision) {
        const json_t *entry = json_array_get(json_object_get(precision, list), i);
        put(out, number(entry, key) * times, unit, share_key ? number(entry, share_key) : 0);
    }
    fputc('\n', out);
}

static void put_key(FILE *out, const json_t *precisions, const char *label, const char *key, double times, const char *unit)
{
    size_t p;
    json_t *precision;

    fprintf(out, "%-*s", LABEL, label);
    json_array_foreach(precisions, p, precision)
        put(out, number(precision, key) * times, unit, 0);
    fputc('\n', out);
}

static void put_threads(FILE *out, const json_t *precisions, const char *what, const char *key, const char *unit,
                        const char *share_key)
{
    const json_t *list = json_object_get(json_array_get(precisions, 0), "threads");

    for (size_t i = 0; i < json_array_size(list); i++) {
        int n = (int)number(json_array_get(list, i), "threads");
        char label[64];
        snprintf(label, sizeof label, "%s, %d thread%s", what, n, n == 1 ? "" : "s");
        fprintf(out, "%-*s", LABEL, label);
        put_list(out, precisions, "threads", i, key, 1, unit, share_key);
    }
}

static void put_pictures(FILE *out, const json_t *precisions)
{
    const json_t *first = json_array_get(precisions, 0), *list = json_object_get(first, "steps");
    const json_t *cams = json_object_get(first, "cameras");
    char label[64];
    size_t p;
    json_t *precision;

    for (size_t i = 0; i < N_STRIDES; i++) {
        snprintf(label, sizeof label, "windows a second, stride %d", strides[i]);
        fprintf(out, "%-*s", LABEL, label);
        put_list(out, precisions, "sliding", i, "windows_per_s", 1, "", NULL);
    }
    for (size_t i = 0; i < N_STRIDES; i++) {
        snprintf(label, sizeof label, "  cache of a camera, stride %d", strides[i]);
        fprintf(out, "%-*s", LABEL, label);
        put_list(out, precisions, "sliding", i, "history_bytes", 1e-6, " MB", NULL);
    }
    snprintf(label, sizeof label, "cameras at %g windows a second", number(cams, "rate"));
    fprintf(out, "%-*s", LABEL, label);
    json_array_foreach(precisions, p, precision)
        fprintf(out, "%*.0f", COLUMN, number(json_object_get(precision, "cameras"), "cameras"));
    fprintf(out, "\n\nstep, one cube alone       GFLOP\n");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *step = json_array_get(list, i);
        fprintf(out, "%-22s %9.3f  ", text(step, "step"), number(step, "gflop"));
        put_list(out, precisions, "steps", i, "seconds", 1e3, " ms", "share_of_peak");
    }
}

void bench_survey_table(FILE *out, const json_t *survey)
{
    const json_t *precisions = json_object_get(survey, "precisions");
    const char *model = text(survey, "model");
    size_t p;
    json_t *precision;

    fprintf(out, "%s, on %s, memaed %s\n%.3g GFLOP a cube, %.2f MB of weights; percentages are shares of the "
                 "multiply-adds\n\n%-*s",
            *model ? model : text(survey, "arch"), text(survey, "cpu"), text(survey, "version"),
            number(survey, "gflop_per_cube"), number(survey, "weights_bytes") * 1e-6, LABEL, "");
    json_array_foreach(precisions, p, precision) {
        char head[64];
        snprintf(head, sizeof head, "%s (%s)", text(precision, "precision"), text(precision, "kernels"));
        fprintf(out, "%*s", COLUMN, head);
    }
    fputc('\n', out);
    put_threads(out, precisions, "multiply-adds", "peak_gflops", " Gop/s", NULL);
    put_threads(out, precisions, "cubes a second", "cubes_per_s", "", "share_of_peak");
    put_key(out, precisions, "one cube alone", "latency_s", 1e3, " ms");
    put_key(out, precisions, "workspace of a thread", "workspace_bytes", 1e-6, " MB");
    if (json_is_true(json_object_get(survey, "takes_pictures")))
        put_pictures(out, precisions);
}
