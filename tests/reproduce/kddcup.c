/* Repeats the paper's experiment on KDDCUP (Gong et al., ICCV 2019, section 4.3), by the protocol of Zong et al. (DAGMM,
 * ICLR 2018). Half of the rows are drawn at random; the network learns from the attacks among them. The other half is
 * the test: the fifth with the largest error is flagged. The anomaly is `normal.`, a fifth of all rows. Each run draws
 * its own half. Columns 2, 3, 4, 7, 12 and 22 are one-hot. Column 21 is constant and left out. The other 34 are numbers,
 * scaled to 0 … 1 by their range in the table. Prints JSON.
 * --validate, for choosing settings, halves the learning half again, so that no row of the test half is seen. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"
#include "tests/reproduce/reproduce.h"

enum { COLUMNS = 41, DROPPED = 20, CATEGORIES = 6, NUMBERS = COLUMNS - 1 - CATEGORIES, MAX_NAMES = 80, FEATURES = 120 };
static const int category_columns[CATEGORIES] = {1, 2, 3, 6, 11, 21};       /* counted from 0 */

struct row {
    float numbers[NUMBERS];
    uint8_t features[CATEGORIES];       /* indices of the one-hot features that are 1 */
    uint8_t normal;
};

struct experiment {
    const struct reproduce *o;
    struct row *rows;
    size_t n;
    double precision[100], recall[100], f1[100];
};

struct half {
    const struct row *rows;
    const size_t *index;
};

static int category(int column)
{
    for (int i = 0; i < CATEGORIES; i++)
        if (category_columns[i] == column)
            return i;
    return -1;
}

/* Returns the index of a name in its category; a new name is added at the end. */
static int find_name(char *names[MAX_NAMES], int *n, char *name)
{
    for (int i = 0; i < *n; i++)
        if (strcmp(names[i], name) == 0)
            return i;
    if (*n == MAX_NAMES)
        reproduce_fail("kdd99: more than %d names in a category", MAX_NAMES);
    names[*n] = name;
    return (*n)++;
}

static void load(struct experiment *e)
{
    static char *names[CATEGORIES][MAX_NAMES];
    int n_names[CATEGORIES] = {0};
    size_t size, room = 0;
    char *text = (char *)reproduce_read("kdd99/kddcup.data_10_percent.gz", &size), *line_end = NULL;
    for (char *line = strtok_r(text, "\n", &line_end); line; line = strtok_r(NULL, "\n", &line_end)) {
        if (e->n == room && !(e->rows = realloc(e->rows, (room = room ? 2 * room : 1 << 18) * sizeof *e->rows)))
            reproduce_fail("out of memory");
        struct row *row = &e->rows[e->n++];
        char *field_end = NULL, *field = strtok_r(line, ",", &field_end);
        for (int column = 0, number = 0; column < COLUMNS; column++, field = strtok_r(NULL, ",", &field_end)) {
            int k = category(column);
            if (!field)
                reproduce_fail("kdd99: row %zu: expected %d columns, got %d", e->n, COLUMNS + 1, column);
            if (k >= 0)
                row->features[k] = (uint8_t)find_name(names[k], &n_names[k], field);
            else if (column != DROPPED)
                row->numbers[number++] = strtof(field, NULL);
        }
        if (!field)
            reproduce_fail("kdd99: row %zu has no label", e->n);
        row->normal = strncmp(field, "normal.", 7) == 0;
    }
    int first[CATEGORIES], features = NUMBERS;
    for (int k = 0; k < CATEGORIES; k++) {
        first[k] = features;
        features += n_names[k];
    }
    if (features != FEATURES)
        reproduce_fail("kdd99: expected %d features, got %d", FEATURES, features);
    for (size_t i = 0; i < e->n; i++)
        for (int k = 0; k < CATEGORIES; k++)
            e->rows[i].features[k] = (uint8_t)(e->rows[i].features[k] + first[k]);
    for (int j = 0; j < NUMBERS; j++) {
        float low = e->rows[0].numbers[j], high = low;
        for (size_t i = 0; i < e->n; i++) {
            float v = e->rows[i].numbers[j];
            low = v < low ? v : low;
            high = v > high ? v : high;
        }
        for (size_t i = 0; i < e->n; i++)
            e->rows[i].numbers[j] = high > low ? (e->rows[i].numbers[j] - low) / (high - low) : 0;
    }
    free(text);
}

static void fill(const void *arg, size_t i, float *x)
{
    const struct half *h = arg;
    const struct row *row = &h->rows[h->index[i]];
    memset(x, 0, FEATURES * sizeof *x);
    memcpy(x, row->numbers, sizeof row->numbers);
    for (int k = 0; k < CATEGORIES; k++)
        x[row->features[k]] = 1;
}

static int descending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x < y) - (x > y);
}

#define LINEAR(n, f) {.type = LAYER_LINEAR, .out = n, .kernel = {1, 1, 1}, .stride = {1, 1, 1}, .activation = f}
#define TANH(n) LINEAR(n, ACTIVATION_TANH)
#define PLAIN(n) LINEAR(n, ACTIVATION_NONE)

static void one_run(void *arg, int run, int worker)
{
    struct experiment *e = arg;
    const struct reproduce *o = e->o;
    (void)worker;
    const struct arch arch = {
        .kind = INPUT_TABLE, .channels = FEATURES, .frames = 1, .height = 1, .width = 1, .std = 1,
        .n_encoder = 4, .encoder = {TANH(60), TANH(30), TANH(10), PLAIN(3)},
        .has_memory = !o->plain, .memory = {.slots = 50, .similarity = SIMILARITY_COSINE, .shrink = (float)o->shrink,
                                            .temperature = (float)o->temperature},
        .n_decoder = 4, .decoder = {TANH(10), TANH(30), TANH(60), PLAIN(FEATURES)},
    };
    uint64_t seed = (uint64_t)(o->seed + run);
    struct rng rng;
    size_t *order = reproduce_allocate(e->n, sizeof *order), *learn = reproduce_allocate(e->n, sizeof *learn), n_learn = 0;
    for (size_t i = 0; i < e->n; i++)
        order[i] = i;
    rng_seed(&rng, seed);
    rng_shuffle(&rng, order, e->n, sizeof *order);
    size_t all = o->validate ? e->n / 2 : e->n, half = all / 2, n = all - half;
    const size_t *test = order + half;
    for (size_t i = 0; i < half; i++)
        if (!e->rows[order[i]].normal)
            learn[n_learn++] = order[i];
    char label[32];
    snprintf(label, sizeof label, "run %d", run + 1);
    struct model *model = reproduce_learn(o, &arch, seed, n_learn, fill, &(struct half){e->rows, learn}, label);

    double *errors = reproduce_allocate(n, sizeof *errors), *sorted = reproduce_allocate(n, sizeof *sorted);
    reproduce_errors(model, n, fill, &(struct half){e->rows, test}, errors);
    memcpy(sorted, errors, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, descending);
    double threshold = sorted[n / 5];           /* a fifth of the errors are above it */
    size_t flagged = 0, hit = 0, positive = 0;
    for (size_t i = 0; i < n; i++) {
        bool flag = errors[i] > threshold, normal = e->rows[test[i]].normal;
        flagged += flag;
        positive += normal;
        hit += flag && normal;
    }
    e->precision[run] = flagged ? (double)hit / (double)flagged : 0;
    e->recall[run] = (double)hit / (double)positive;
    e->f1[run] = 2 * (double)hit / (double)(flagged + positive);
    fprintf(stderr, "%s: precision %.4f, recall %.4f, F1 %.4f\n", label, e->precision[run], e->recall[run], e->f1[run]);
    free(sorted);
    free(errors);
    free(learn);
    free(order);
    model_close(model);
}

int main(int argc, char **argv)
{
    struct reproduce o = {.name = "kddcup", .runs = 20, .epochs = 3, .batch = 1024, .seed = 1, .learning_rate = 3e-3,
                          .alpha = 2e-4, .shrink = 0.015, .temperature = 1};
    static struct experiment e;
    reproduce_options(&o, argc, argv);
    e.o = &o;
    load(&e);
    reproduce_each(&o, o.runs, one_run, &e);
    printf("{\"experiment\": \"kddcup\", \"tested_on\": \"%s\", \"runs\": %d, \"seed\": %d, \"epochs\": %d, \"batch\": %d,\n"
           " \"learning_rate\": %g, \"entropy_weight\": %g, \"shrink\": %g, \"temperature\": %g, \"memory\": %s",
           o.validate ? "half of the learning half" : "test half", o.runs, o.seed, o.epochs, o.batch, o.learning_rate, o.alpha,
           o.shrink, o.temperature, o.plain ? "false" : "true");
    reproduce_print("precision", e.precision, o.runs);
    reproduce_print("recall", e.recall, o.runs);
    reproduce_print("f1", e.f1, o.runs);
    puts("}");
    return fflush(stdout) == 0 ? 0 : 1;
}
