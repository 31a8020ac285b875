/* Repeats the paper's experiment on MNIST (Gong et al., ICCV 2019, section 4.1): ten models, each learned on one digit and
 * tested on all 10,000 test images. The score is the reconstruction error; the other digits are the anomaly. Prints JSON.
 * The paper's network, 16-32-64 on 32x32, encodes 4x4x64 = 1,024 numbers, as many as there are pixels. With a query for
 * each of the 16 positions it copies any digit, with the memory or without. So one more layer here makes a single query of
 * an image, and a slot is a whole digit, as in the paper's figure of slots. The first kernel is 3x3 here. The paper's is
 * 1x1, which at a stride of 2 sees a quarter of the pixels.
 * --plain leaves the memory out.
 * --validate, for choosing settings, learns on the first 50,000 training images and tests on the last 10,000. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/evaluation/evaluation.h"
#include "tests/reproduce/reproduce.h"

enum { DIGITS = 10, QUERY = 16, SIDE = 28, MARGIN = 2, PADDED = SIDE + 2 * MARGIN, VALIDATION = 10000 };

struct images {
    const uint8_t *pixels;
    size_t *index, n;           /* the n images used, in the file's order */
    uint8_t *labels;            /* [n] */
};

struct experiment {
    const struct reproduce *o;
    const uint8_t *pixels[2], *labels[2];       /* training file, test file */
    size_t n[2];
    double auc[DIGITS * 100];
};

static size_t big_endian(const uint8_t *p)
{
    return (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | (size_t)p[3];
}

static void load(struct experiment *e, int which, const char *prefix)
{
    char path[64];
    size_t n;
    snprintf(path, sizeof path, "mnist/%s-images-idx3-ubyte.gz", prefix);
    const uint8_t *images = reproduce_read(path, &n);
    e->n[which] = n >= 16 ? big_endian(images + 4) : 0;
    if (n < 16 || big_endian(images) != 0x803 || big_endian(images + 8) != SIDE || big_endian(images + 12) != SIDE ||
        n != 16 + e->n[which] * SIDE * SIDE)
        reproduce_fail("%s: not the images of MNIST", path);
    e->pixels[which] = images + 16;
    snprintf(path, sizeof path, "mnist/%s-labels-idx1-ubyte.gz", prefix);
    const uint8_t *labels = reproduce_read(path, &n);
    if (n != 8 + e->n[which] || big_endian(labels) != 0x801)
        reproduce_fail("%s: not the labels of MNIST", path);
    e->labels[which] = labels + 8;
}

static void fill(const void *arg, size_t i, float *x)
{
    const struct images *s = arg;
    const uint8_t *p = s->pixels + s->index[i] * SIDE * SIDE;
    for (int k = 0; k < PADDED * PADDED; k++)
        x[k] = -1;
    for (int y = 0; y < SIDE; y++)
        for (int c = 0; c < SIDE; c++)
            x[(y + MARGIN) * PADDED + c + MARGIN] = ((float)p[y * SIDE + c] / 255 - 0.5f) / 0.5f;
}

static struct images select_images(const uint8_t *pixels, const uint8_t *labels, size_t first, size_t end, int digit, bool all)
{
    struct images s = {.pixels = pixels, .index = reproduce_allocate(end - first, sizeof *s.index),
                       .labels = reproduce_allocate(end - first, 1)};
    for (size_t i = first; i < end; i++)
        if (all || labels[i] == digit) {
            s.labels[s.n] = labels[i] != digit;
            s.index[s.n++] = i;
        }
    return s;
}

#define HIDDEN .norm = true, .activation = ACTIVATION_LEAKY_RELU, .slope = 0.2f
#define CONV(c) {.type = LAYER_CONV2D, .out = c, .kernel = {1, 3, 3}, .stride = {1, 2, 2}, .padding = {0, 1, 1}, HIDDEN}
#define DECONV(c, ...) {.type = LAYER_DECONV2D, .out = c, .kernel = {1, 3, 3}, .stride = {1, 2, 2}, .padding = {0, 1, 1}, \
                        .output_padding = {0, 1, 1}, __VA_ARGS__}
/* A layer from 4x4 to a single position, or back. */
#define WHOLE(t, c, ...) {.type = t, .out = c, .kernel = {1, 4, 4}, .stride = {1, 4, 4}, __VA_ARGS__}

static void one_model(void *arg, int i, int worker)
{
    struct experiment *e = arg;
    const struct reproduce *o = e->o;
    int digit = i % DIGITS, run = i / DIGITS;
    (void)worker;
    const struct arch arch = {
        .kind = INPUT_IMAGE, .channels = 1, .frames = 1, .height = PADDED, .width = PADDED, .mean = 0.5f, .std = 0.5f,
        .n_encoder = 4, .encoder = {CONV(16), CONV(32), CONV(64), WHOLE(LAYER_CONV2D, QUERY, .norm = true)},
        .has_memory = !o->plain, .memory = {.slots = 100, .similarity = SIMILARITY_COSINE, .shrink = (float)o->shrink,
                                            .temperature = (float)o->temperature},
        .n_decoder = 4, .decoder = {WHOLE(LAYER_DECONV2D, 64, HIDDEN), DECONV(32, HIDDEN), DECONV(16, HIDDEN),
                                    DECONV(1, .norm = false)},
    };
    size_t cut = e->n[0] - (o->validate ? VALIDATION : 0);
    int which = o->validate ? 0 : 1;
    struct images learn = select_images(e->pixels[0], e->labels[0], 0, cut, digit, false);
    struct images test = select_images(e->pixels[which], e->labels[which], o->validate ? cut : 0, e->n[which], digit, true);
    char label[64];
    snprintf(label, sizeof label, "run %d, digit %d", run + 1, digit);
    struct model *model = reproduce_learn(o, &arch, (uint64_t)(o->seed + run), learn.n, fill, &learn, label);
    double *errors = reproduce_allocate(test.n, sizeof *errors);
    reproduce_errors(model, test.n, fill, &test, errors);
    if (evaluation_auc(&e->auc[i], errors, test.labels, test.n) < 0)
        reproduce_fail("%s: no area under the curve", label);
    fprintf(stderr, "%s: AUC %.4f\n", label, e->auc[i]);
    free(errors);
    free(learn.index);
    free(learn.labels);
    free(test.index);
    free(test.labels);
    model_close(model);
}

int main(int argc, char **argv)
{
    struct reproduce o = {.name = "mnist", .runs = 3, .epochs = 30, .batch = 32, .seed = 1, .learning_rate = 1e-2, .alpha = 0,
                          .shrink = 0.005, .temperature = 0.05};
    static struct experiment e;
    reproduce_options(&o, argc, argv);
    e.o = &o;
    load(&e, 0, "train");
    load(&e, 1, "t10k");
    reproduce_each(&o, DIGITS * o.runs, one_model, &e);

    double means[100];
    for (int run = 0; run < o.runs; run++) {
        means[run] = 0;
        for (int digit = 0; digit < DIGITS; digit++)
            means[run] += e.auc[run * DIGITS + digit] / DIGITS;
    }
    printf("{\"experiment\": \"mnist\", \"tested_on\": \"%s\", \"runs\": %d, \"seed\": %d, \"epochs\": %d, \"batch\": %d,\n"
           " \"learning_rate\": %g, \"entropy_weight\": %g, \"shrink\": %g, \"temperature\": %g, \"memory\": %s",
           o.validate ? "held-out training images" : "test set", o.runs, o.seed, o.epochs, o.batch, o.learning_rate, o.alpha,
           o.shrink, o.temperature, o.plain ? "false" : "true");
    for (int digit = 0; digit < DIGITS; digit++) {
        char name[16];
        double values[100];
        for (int run = 0; run < o.runs; run++)
            values[run] = e.auc[run * DIGITS + digit];
        snprintf(name, sizeof name, "auc_%d", digit);
        reproduce_print(name, values, o.runs);
    }
    reproduce_print("auc", means, o.runs);
    puts("}");
    return fflush(stdout) == 0 ? 0 : 1;
}
