#include "tests/reproduce/reproduce.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "core/kernels/kernels.h"
#include "core/network/network.h"
#include "core/network/training.h"
#include "core/rng.h"
#include "daemon/base/blas.h"
#include "daemon/base/options.h"
#include "daemon/base/parallel_threads.h"

_Noreturn void reproduce_fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("reproduce: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    exit(1);
}

void *reproduce_allocate(size_t n, size_t size)
{
    void *p = calloc(n ? n : 1, size);
    if (!p)
        reproduce_fail("out of memory");
    return p;
}

static const struct command_option table[] = {
    {"runs", 0, OPTION_INT(struct reproduce, runs, 1, 100), .argument = "N", .help = "Runs, each with the next seed."},
    {"epochs", 0, OPTION_INT(struct reproduce, epochs, 1, 10000), .argument = "N", .help = "Epochs of training."},
    {"batch", 0, OPTION_INT(struct reproduce, batch, 2, 65536), .argument = "N", .help = "Samples a step."},
    {"seed", 0, OPTION_INT(struct reproduce, seed, 0, 1 << 30), .argument = "N", .help = "Seed of the first run."},
    {"threads", 0, OPTION_INT(struct reproduce, threads, 1, PARALLEL_THREADS_MAX), .argument = "N", .help = "Threads."},
    {"learning-rate", 0, OPTION_REAL_ABOVE(struct reproduce, learning_rate, 0, 1), .argument = "R", .help = "Learning rate."},
    {"entropy", 0, OPTION_REAL(struct reproduce, alpha, 0, 1), .argument = "A", .help = "Weight of the entropy in the loss."},
    {"shrink", 0, OPTION_REAL(struct reproduce, shrink, 0, 0.999), .argument = "L", .help = "Threshold of hard shrinkage."},
    {"temperature", 0, OPTION_REAL_ABOVE(struct reproduce, temperature, 0, 100), .argument = "T", .help = "Softmax temperature."},
    {"validate", 0, OPTION_FLAG(struct reproduce, validate), .help = "Measure on a part of the training data."},
    {"plain", 0, OPTION_FLAG(struct reproduce, plain), .help = "Without a memory."},
    {0},
};

void reproduce_options(struct reproduce *o, int argc, char **argv)
{
    const struct command command = {.name = o->name, .forms = "[OPTION…]", .about = "Reproduces an experiment of the paper.",
                                    .options = table};
    int status;
    blas_init(argv);
    kernels_choose(NULL);
    o->threads = parallel_threads_cores();
    if (!command_parse(&command, o, argc, argv, &status))
        exit(status);
}

uint8_t *reproduce_read(const char *path, size_t *n)
{
    const char *folder = getenv("MEMAED_DATA");
    char full[4096];
    snprintf(full, sizeof full, "%s/%s", folder && *folder ? folder : "../shared/data", path);
    gzFile file = gzopen(full, "rb");
    if (!file)
        reproduce_fail("%s: %s; set MEMAED_DATA to the folder of the data", full, strerror(errno));
    size_t room = 1 << 20, size = 0;
    uint8_t *data = reproduce_allocate(room, 1);
    for (int got; (got = gzread(file, data + size, (unsigned)(room - size - 1))) != 0; size += (size_t)got) {
        if (got < 0)
            reproduce_fail("%s: %s", full, gzerror(file, &got));
        if (size + (size_t)got + 1 == room && !(data = realloc(data, room *= 2)))
            reproduce_fail("out of memory");
    }
    if (gzclose(file) != Z_OK)
        reproduce_fail("%s: the file is truncated", full);
    data[size] = 0;
    *n = size;
    return data;
}

struct model *reproduce_learn(const struct reproduce *o, const struct arch *arch, uint64_t seed, size_t n, reproduce_fill *fill,
                              const void *arg, const char *label)
{
    struct error err;
    struct model *model;
    struct training *training;
    struct network_loss loss;
    const struct training_options options = {.batch = o->batch, .learning_rate = o->learning_rate, .alpha = o->alpha,
                                             .seed = seed};
    if (n < (size_t)o->batch)
        reproduce_fail("%s: expected at least a batch of %d samples to learn from, got %zu", label, o->batch, n);
    if (model_open(&model, arch, &err) < 0)
        reproduce_fail("%s", err.text);
    model_init(model, seed);
    if (training_open(&training, model, &options, &parallel_serial, &err) < 0)
        reproduce_fail("%s", err.text);
    struct rng rng;
    rng_seed(&rng, seed);
    size_t *order = reproduce_allocate(n, sizeof *order), steps = n / (size_t)o->batch;
    float *x = reproduce_allocate(dims_elements(model->shapes.encoder[0]), sizeof *x);
    for (size_t i = 0; i < n; i++)
        order[i] = i;
    for (int epoch = 0; epoch < o->epochs; epoch++) {
        double error = 0;
        rng_shuffle(&rng, order, n, sizeof *order);
        for (size_t step = 0; step < steps; step++) {
            for (int i = 0; i < o->batch; i++) {
                fill(arg, order[step * (size_t)o->batch + (size_t)i], x);
                training_sample(training, i, x);
            }
            double progress = ((double)epoch + (double)step / (double)steps) / o->epochs;
            if (training_step(training, progress, &loss) < 0)
                reproduce_fail("%s: training diverged in epoch %d", label, epoch + 1);
            error += loss.mse / (double)steps;
        }
        if ((epoch + 1) % ((o->epochs + 3) / 4) == 0 || epoch + 1 == o->epochs)
            fprintf(stderr, "%s: epoch %d of %d, error %.6f, %d of %d slots in use\n", label, epoch + 1, o->epochs, error,
                    training_health(training).used, arch->memory.slots);
    }
    free(x);
    free(order);
    training_close(training);
    return model;
}

void reproduce_errors(struct model *model, size_t n, reproduce_fill *fill, const void *arg, double *errors)
{
    enum { BATCH = 256 };
    struct error err;
    struct network *net;
    size_t elements = dims_elements(model->shapes.encoder[0]);
    if (network_open(&net, &model->arch, BATCH, &parallel_serial, &err) < 0)
        reproduce_fail("%s", err.text);
    for (size_t first = 0; first < n; first += BATCH) {
        size_t rows = n - first < BATCH ? n - first : BATCH;
        for (size_t i = 0; i < rows; i++)
            fill(arg, first + i, network_input(net) + i * elements);
        network_forward(net, model, (int)rows, NETWORK_INFERENCE);
        const float *x = network_input(net), *x_hat = network_output(net);
        for (size_t i = 0; i < rows; i++) {
            double sum = 0;
            for (size_t j = i * elements; j < (i + 1) * elements; j++)
                sum += pow((double)x_hat[j] - (double)x[j], 2);
            errors[first + i] = sum / (double)elements;
        }
    }
    network_close(net);
}

void reproduce_each(const struct reproduce *o, int n, void (*fn)(void *arg, int i, int worker), void *arg)
{
    struct parallel_threads *threads;
    if (parallel_threads_open(&threads, o->threads) < 0)
        reproduce_fail("cannot start %d threads", o->threads);
    struct parallel parallel = parallel_threads_parallel(threads);
    parallel.run(&parallel, n, fn, arg);
    parallel_threads_close(threads);
}

void reproduce_print(const char *name, const double *values, int n)
{
    double mean = 0, square = 0;
    for (int i = 0; i < n; i++)
        mean += values[i] / n;
    for (int i = 0; i < n; i++)
        square += pow(values[i] - mean, 2);
    printf(",\n \"%s\": {\"mean\": %.4f, \"spread\": %.4f}", name, mean, n > 1 ? sqrt(square / (n - 1)) : 0);
}
