/* With SAN=thread, kernels are not instrumented: they announce their arrays to ThreadSanitizer. A second thread uses
 * the first and the last byte of every array of every kernel. ThreadSanitizer must report what races, and nothing else. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/kernels/int8_kernels.h"
#include "core/kernels/kernels.h"
#include "tests/suite.h"

enum { N = 20, ROWS = 3, K = 8, RUNS = 2, OUTPUTS = 17, PANELS = 2, MOST_ARRAYS = 8 };

static float arrays[MOST_ARRAYS][4096] __attribute__((aligned(64)));

struct array {
    size_t size_bytes;              /* 0: none */
    bool written;
};
#define READ(n) {(n) * sizeof(float), false}
#define WRITTEN(n) {(n) * sizeof(float), true}

struct user {
    const char *name;
    void (*run)(float (*x)[4096]);
    struct array arrays[MOST_ARRAYS];
};

static void point(const void **rows, void **out, size_t tile, const char *in, size_t run_bytes, char *to, size_t out_bytes)
{
    for (size_t r = 0; r < OUTPUTS; r++) {
        out[r] = to + r * out_bytes;
        for (size_t run = 0; run < RUNS; run++)
            rows[(r / tile * RUNS + run) * tile + r % tile] = in + (r * RUNS + run) * run_bytes;
    }
}

static void row_products(float (*x)[4096])
{
    const void *rows[(OUTPUTS + KERNEL_MAX_TILE_ROWS) * RUNS] = {0};
    void *out[OUTPUTS];
    point(rows, out, kernels->tile_rows, (const char *)x[0], K * sizeof(float), (char *)x[1], N * sizeof(float));
    kernels->row_products(&(struct row_products){.rows = rows, .out = out, .n_rows = OUTPUTS, .runs = RUNS, .k = K, .n = N,
                                                 .weight = x[2], .panel_step = RUNS * K * KERNEL_PANEL, .bias = x[3]});
}

static void outer_products(float (*x)[4096])
{
    struct outer_products p = {.rows = {x[0], x[0] + 1}, .n_rows = 2, .a_step = 2, .a_line = 2 * K, .b = x[1],
                               .b_step = PANELS * KERNEL_PANEL, .b_line = PANELS * KERNEL_PANEL * K, .count = K, .lines = ROWS,
                               .n = N, .c = x[2], .ldc = N};
    kernels->outer_products(&p);
}

static void add_columns(float (*x)[4096])
{
    float *to[KERNEL_PANEL];
    for (size_t j = 0; j < KERNEL_PANEL; j++)
        to[j] = x[0] + j * ROWS;
    kernels->add_columns(to, x[1], ROWS, KERNEL_PANEL);
}

static void join_columns(float (*x)[4096])
{
    const float *from[] = {x[1], x[2]};
    kernels->join_columns(x[0], 2, from, 2, N, 0.5f, ACTIVATION_NONE, 0);
}

static void affine_activation(float (*x)[4096])
{
    kernels->affine_activation(x[0], N + 3, x[1], x[2], x[3], ROWS, N, ACTIVATION_RELU, 0);
}

static void bytes_to_float(float (*x)[4096])
{
    kernels->bytes_to_float(x[0], (const uint8_t *)x[1], N, 1, 0);
}

static void product(float (*x)[4096])
{
    kernels->product(x[0], x[1], x[2], ROWS, N, K);
}

static void residual_norm(float (*x)[4096])
{
    kernels->residual_norm(x[0], x[1], ROWS, N);
}

static void sum(float (*x)[4096])
{
    kernels->sum(x[0], N);
}

static void motion(float (*x)[4096])
{
    kernels->motion(x[0], N, x[1], x[2], x[3], x[4], x[5], x[6], x[7], 0.5f, 0, 0, 0);
}

static void address(float (*x)[4096])
{
    kernels->address(x[0], N, 1, 0.01f, x[1]);
}

static void normalize(float (*x)[4096])
{
    kernels->normalize(x[0], x[1], ROWS, N, x[2]);
}

static void channel_moments(float (*x)[4096])
{
    kernels->channel_moments(x[0], x[1], ROWS, N, (double *)x[2], (double *)x[3], x[4]);
}

static void activation_backward(float (*x)[4096])
{
    kernels->activation_backward(x[0], x[1], x[2], x[3], x[4], ROWS, N, ACTIVATION_RELU, 0, (double *)x[5], (double *)x[6], x[7]);
}

static void norm_backward(float (*x)[4096])
{
    kernels->norm_backward(x[0], x[1], x[2], x[3], x[4], ROWS, N);
}

static void adam(float (*x)[4096])
{
    kernels->adam(x[0], x[1], x[2], x[3], N, 0.9f, 0.99f, 0.1f, 1, 1e-8f);
}

static void byte_products(float (*x)[4096])
{
    const void *rows[(OUTPUTS + KERNEL_MAX_TILE_ROWS) * RUNS] = {0};
    void *out[OUTPUTS];
    point(rows, out, int8_kernels->tile_rows, (const char *)x[0], K, (char *)x[1], N);
    struct byte_products p = {.rows = rows, .out = out, .n_rows = OUTPUTS, .runs = RUNS, .k = K, .n = N, .weight = x[2],
                              .panel_step = RUNS * K * KERNEL_PANEL * int8_kernels->weight_size, .scale = x[3], .bias = x[4],
                              .to_bytes = true, .gain = x[5], .zero = x[6]};
    int8_kernels->byte_products(&p);
}

static void quantize(float (*x)[4096])
{
    int8_kernels->quantize((uint8_t *)x[0], x[1], ROWS, N, x[2], x[3]);
}

static const struct user users[] = {
    {"row_products", row_products,
     {READ(OUTPUTS * RUNS * K), WRITTEN(OUTPUTS * N), READ(PANELS * RUNS * K * KERNEL_PANEL), READ(N)}},
    {"outer_products", outer_products, {READ(2 * K * ROWS), READ(PANELS * KERNEL_PANEL * K * ROWS), WRITTEN(2 * N)}},
    {"add_columns", add_columns, {WRITTEN(KERNEL_PANEL * ROWS), READ(KERNEL_PANEL * ROWS)}},
    {"join_columns", join_columns, {WRITTEN(2 * (N - 1) + 1), READ(N), READ(N)}},
    {"affine_activation", affine_activation, {WRITTEN((ROWS - 1) * (N + 3) + N), READ(ROWS * N), READ(N), READ(N)}},
    {"bytes_to_float", bytes_to_float, {WRITTEN(N), {N, false}}},
    {"product", product, {WRITTEN(ROWS * N), READ(ROWS * K), READ(K * N)}},
    {"residual_norm", residual_norm, {READ(ROWS * N), READ(ROWS * N)}},
    {"sum", sum, {READ(N)}},
    {"motion", motion, {WRITTEN(MOTION_SUMS * N), READ(N), READ(N), READ(N), READ(N), READ(N), READ(N), READ(N)}},
    {"address", address, {WRITTEN(N), WRITTEN(N)}},
    {"normalize", normalize, {WRITTEN(ROWS * N), READ(ROWS * N), WRITTEN(ROWS)}},
    {"channel_moments", channel_moments, {READ(ROWS * N), READ(N), WRITTEN(2 * N), WRITTEN(2 * N), WRITTEN(2 * N)}},
    {"activation_backward", activation_backward,
     {WRITTEN(ROWS * N), READ(ROWS * N), READ(N), READ(N), READ(N), WRITTEN(2 * N), WRITTEN(2 * N), WRITTEN(2 * N)}},
    {"norm_backward", norm_backward, {WRITTEN(ROWS * N), READ(ROWS * N), READ(N), READ(N), READ(N)}},
    {"adam", adam, {WRITTEN(N), WRITTEN(N), WRITTEN(N), READ(N)}},
    {"byte_products", byte_products,
     {{OUTPUTS * RUNS * K, false}, {OUTPUTS * N, true}, {PANELS * RUNS * K * KERNEL_PANEL, false}, READ(N), READ(N), READ(N),
      READ(N)}},
    {"quantize", quantize, {{ROWS * N, true}, READ(ROWS * N), READ(N), READ(N)}},
};
enum { USERS = sizeof users / sizeof users[0], INT8 = 2 };      /* the last two are of struct int8_kernels */
_Static_assert((sizeof(struct kernels) - offsetof(struct kernels, row_products)) / sizeof(void (*)(void)) == USERS - INT8,
               "every kernel has its row in users");

/* ---- two threads ------------------------------------------------------------------------------------------------- */

static int reports;

/* ThreadSanitizer calls these two. Equal stacks and addresses are reported again, because many cases have the same. */
void __tsan_on_report(void *report);
const char *__tsan_default_options(void);

void __tsan_on_report(void *report)
{
    (void)report;
    reports++;
}

const char *__tsan_default_options(void)
{
    return "suppress_equal_stacks=0:suppress_equal_addresses=0:symbolize=0";
}

static volatile char *used;
static bool use_writes;
static atomic_bool ended;           /* the kernel has; relaxed, so that ThreadSanitizer sees no order */

static void *use(void *arg)
{
    (void)arg;
    char c = 0;
    while (!atomic_load_explicit(&ended, memory_order_relaxed))
        sched_yield();
    if (use_writes)
        *used = c;
    else
        c = *used;
    (void)c;
    return NULL;
}

static void *run(void *user)
{
    ((const struct user *)user)->run(arrays);
    atomic_store_explicit(&ended, true, memory_order_relaxed);
    return NULL;
}

/* Runs a kernel beside a thread that uses this byte. Returns true if ThreadSanitizer reports a race. */
static bool races(const struct user *user, char *byte, bool writes)
{
    pthread_t threads[2];
    used = byte;
    use_writes = writes;
    reports = 0;
    atomic_store(&ended, false);
    if (pthread_create(&threads[0], NULL, run, (void *)user) || pthread_create(&threads[1], NULL, use, NULL))
        _exit(1);
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
    return reports > 0;
}

/* Writes a line for each use that ThreadSanitizer judged wrongly, and at the end the number of uses. */
static void judge(FILE *to)
{
    int uses = 0;
    for (int i = 0; i < USERS; i++)
        for (int a = 0; a < MOST_ARRAYS && users[i].arrays[a].size_bytes > 0; a++)
            for (int k = 0; k < 4; k++, uses++) {
                bool last = k & 1, writes = k & 2, expected = writes || users[i].arrays[a].written;
                size_t size = users[i].arrays[a].size_bytes;
                if (users[i].run == byte_products && a == 2)
                    size *= int8_kernels->weight_size;
                if (races(&users[i], (char *)arrays[a] + (last ? size - 1 : 0), writes) != expected)
                    fprintf(to, "%s of %s, array %d, a %s of its %s byte: expected %s\n", users[i].name,
                            i < USERS - INT8 ? kernels->name : int8_kernels->name, a, writes ? "write" : "read",
                            last ? "last" : "first", expected ? "a report" : "none");
                if (races(&users[i], (char *)arrays[a] + size, true))
                    fprintf(to, "%s, array %d: the byte behind it is announced\n", users[i].name, a);
            }
    fprintf(to, "%d\n", uses);
}

#ifdef __SANITIZE_THREAD__
enum { SANITIZED = 1 };
#else
enum { SANITIZED = 0 };
#endif
static const char *const tables[] = {"c", "avx2", "avxvnni", "avx512", "amx"};

START_TEST(test_races)
{
    if (!SANITIZED) {
        printf("SKIPPED: only with SAN=thread\n");
        return;
    }
    if (kernels_choose(tables[_i]) == -ENOTSUP) {
        printf("SKIPPED: this CPU has no %s\n", tables[_i]);
        return;
    }
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {               /* its reports are expected, so they are not shown */
        dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
        FILE *to = fdopen(ends[1], "w");
        judge(to);
        fclose(to);
        _exit(0);
    }
    close(ends[1]);
    char verdict[8192];
    FILE *from = fdopen(ends[0], "r");
    verdict[fread(verdict, 1, sizeof verdict - 1, from)] = '\0';
    fclose(from);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
    if (strcmp(verdict, "280\n") != 0)
        ck_abort_msg("%.2000s", verdict);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("announce");
    TCase *t = tcase_create("announce");
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, test_races, 0, SANITIZED ? sizeof tables / sizeof tables[0] : 1);
    suite_add_tcase(s, t);
    return suite_run(s);
}
