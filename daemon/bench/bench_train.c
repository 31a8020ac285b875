#include "daemon/bench/bench_train.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/network/training.h"
#include "core/rng.h"
#include "daemon/base/parallel_threads.h"
#include "io/base/clock.h"

enum { WARM_UP = 2, MIN_STEPS = 3, MAX_STEPS = 10000 };

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static int random_batch(struct training *t, const struct arch *arch, int batch)
{
    size_t n = (size_t)arch->frames * (size_t)arch->height * (size_t)arch->width * (size_t)arch->channels;
    float *sample = malloc(n * sizeof *sample);
    struct rng rng;

    if (!sample)
        return -ENOMEM;
    rng_seed(&rng, 1);
    for (int i = 0; i < batch; i++) {
        for (size_t j = 0; j < n; j++)
            sample[j] = 2 * rng_uniform(&rng) - 1;
        training_sample(t, i, sample);
    }
    free(sample);
    return 0;
}

static int run(struct bench_train_result *ret, struct training *t, int batch, double seconds, struct error *err)
{
    double *times = malloc(MAX_STEPS * sizeof *times);
    struct network_loss loss;
    int r = times ? 0 : error_set(err, -ENOMEM, "out of memory");

    ret->seconds = 0;
    ret->steps = 0;
    for (int i = 0; r == 0 && ret->steps < MAX_STEPS && (ret->steps < MIN_STEPS || ret->seconds < seconds); i++) {
        int64_t start = monotonic_us();
        r = training_step(t, 0.5, &loss);
        if (i < WARM_UP)
            continue;
        times[ret->steps] = (double)(monotonic_us() - start) * 1e-6;
        ret->seconds += times[ret->steps++];
    }
    if (r == -EDOM)
        error_set(err, r, "training diverged: the loss is not finite");
    if (r == 0) {
        qsort(times, (size_t)ret->steps, sizeof *times, compare);
        ret->seconds_per_cube = times[ret->steps / 2] / batch;
    }
    free(times);
    return r;
}

int bench_train(struct bench_train_result *ret, const struct arch *arch, int batch, int threads, double seconds,
                struct error *err)
{
    const struct training_options options = {.batch = batch, .learning_rate = 1e-4, .alpha = 0.0002, .seed = 1};
    struct parallel_threads *pool = NULL;
    struct training *training = NULL;
    struct model *model = NULL;
    int r = model_open(&model, arch, err);

    if (r < 0)
        return r;
    model_init(model, 1);
    r = parallel_threads_open(&pool, threads);
    if (r < 0)
        error_set(err, r, "--threads %d: %s", threads, strerror(-r));
    if (r == 0) {
        struct parallel parallel = parallel_threads_parallel(pool);
        r = training_open(&training, model, &options, &parallel, err);
    }
    if (r == 0)
        r = random_batch(training, arch, batch) < 0 ? error_set(err, -ENOMEM, "out of memory") : 0;
    if (r == 0)
        r = run(ret, training, batch, seconds, err);
    training_close(training);
    parallel_threads_close(pool);
    model_close(model);
    return r;
}
