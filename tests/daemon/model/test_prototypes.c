/* Slots as pictures: each equals the output of a model with that slot alone. The most used slot comes first. */
#include <check.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/kernels/kernels.h"
#include "core/network/network.h"
#include "core/rng.h"
#include "daemon/model/prototypes.h"
#include "io/video/source.h"
#include "tests/suite.h"

enum { SLOTS = 3, HEIGHT = 16, WIDTH = 24 };

static struct error err;
static char folder[] = "/tmp/memaed-prototypes-XXXXXX";

#define CONV(t, c, s, ...) {.type = LAYER_CONV##t, .out = c, .kernel = {s, 3, 3}, .stride = {s == 1 ? 1 : 2, 2, 2}, \
                            .padding = {s / 2, 1, 1}, __VA_ARGS__}
#define NORM .norm = true, .activation = ACTIVATION_RELU

static struct arch architecture(enum input_kind kind, int channels)
{
    struct arch a = {.kind = kind, .channels = channels, .frames = kind == INPUT_VIDEO ? 4 : 1, .height = HEIGHT, .width = WIDTH,
                     .mean = 0.5f, .std = 0.25f, .n_encoder = 1, .n_decoder = 1, .has_memory = true,
                     .memory = {.slots = SLOTS, .similarity = SIMILARITY_COSINE, .temperature = 1}};
    if (kind == INPUT_VIDEO) {
        a.encoder[0] = (struct layer_spec)CONV(3D, 6, 3, NORM);
        a.decoder[0] = (struct layer_spec){.type = LAYER_DECONV3D, .out = 1, .kernel = {3, 3, 3}, .stride = {2, 2, 2},
                                           .padding = {1, 1, 1}, .output_padding = {1, 1, 1}};
    } else if (kind == INPUT_IMAGE) {
        a.encoder[0] = (struct layer_spec)CONV(2D, 6, 1, NORM);
        a.decoder[0] = (struct layer_spec){.type = LAYER_DECONV2D, .out = channels, .kernel = {1, 3, 3}, .stride = {1, 2, 2},
                                           .padding = {0, 1, 1}, .output_padding = {0, 1, 1}};
    } else {
        a.height = a.width = 1;
        a.mean = 0;
        a.std = 1;
        a.encoder[0] = (struct layer_spec){.type = LAYER_LINEAR, .out = 2, .kernel = {1, 1, 1}, .stride = {1, 1, 1}};
        a.decoder[0] = a.encoder[0];
        a.decoder[0].out = channels;
    }
    return a;
}

static struct model_file open_model(const struct arch *arch, const char *training)
{
    struct model_file file = {0};
    int r = model_open(&file.model, arch, &err);
    ck_assert_msg(r == 0, "%s", err.text);
    model_init(file.model, 5);
    for (size_t i = 0; arch->has_memory && i < SLOTS * (size_t)file.model->shapes.decoder[0].c; i++)
        file.model->memory[i] *= 8;             /* so that pictures differ */
    if (training)
        ck_assert_ptr_nonnull(file.training = json_loads(training, 0, NULL));
    return file;
}

/* The centre frame of what a model with this slot alone gives for a window of noise. */
static void expected(const struct model *model, int slot, uint8_t *pixels)
{
    struct arch arch = model->arch;
    struct model *one;
    struct network *net;
    struct rng rng;
    arch.memory.slots = 1;
    ck_assert_int_eq(model_open(&one, &arch, &err), 0);
    ck_assert_int_eq(network_open(&net, &arch, 1, &parallel_serial, &err), 0);
    struct model_tensor from, to;
    for (int i = 0; model_tensor(model, i, &from) && model_tensor(one, i, &to); i++) {
        bool memory = to.data == one->memory;
        memcpy(to.data, from.data + (memory ? (size_t)slot * to.n : 0), to.n * sizeof(float));
    }
    rng_seed(&rng, 1);
    for (size_t i = 0; i < dims_elements(one->shapes.encoder[0]); i++)
        network_input(net)[i] = (float)rng_below(&rng, 1000) / 500 - 1;
    network_forward(net, one, 1, NETWORK_INFERENCE);
    const float *x = network_output(net) + (size_t)(arch.frames / 2) * HEIGHT * WIDTH;
    for (int i = 0; i < HEIGHT * WIDTH; i++) {
        float v = (x[i] * 0.25f + 0.5f) * 255;
        pixels[i] = v < 0 ? 0 : v > 255 ? 255 : (uint8_t)(v + 0.5f);
    }
    network_close(net);
    model_close(one);
}

static void remove_picture(const char *name, bool there)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    ck_assert_msg((unlink(path) == 0) == there, "%s", name);
}

/* Checks that the pictures of the folder, in the order of their names, are those of slots[0] … slots[n - 1]. */
static void check_pictures(const struct model *model, const int *slots, int n)
{
    const struct source_options options = {.width = WIDTH, .height = HEIGHT};
    struct source *source;
    struct source_frame frame;
    uint8_t found[HEIGHT * WIDTH], wanted[HEIGHT * WIDTH];
    int r = source_open(&source, folder, &options, &err);
    ck_assert_msg(r == 0, "%s", err.text);
    for (int i = 0; i < n; i++) {
        ck_assert_int_eq(source_read(source, found, &frame, &err), 1);
        expected(model, slots[i], wanted);
        int low = 255, high = 0;
        for (int k = 0; k < HEIGHT * WIDTH; k++) {
            ck_assert_msg(abs(found[k] - wanted[k]) <= 1, "picture %d, pixel %d: %d, not %d", i, k, found[k], wanted[k]);
            low = wanted[k] < low ? wanted[k] : low;
            high = wanted[k] > high ? wanted[k] : high;
        }
        ck_assert_int_gt(high - low, 20);
    }
    ck_assert_int_eq(source_read(source, found, &frame, &err), 0);
    source_close(source);
}

START_TEST(test_order)
{
    const struct arch arch = architecture(_i ? INPUT_IMAGE : INPUT_VIDEO, 1);
    struct model_file file = open_model(&arch, "{\"slot_use\": [0.2, 0.5, 0.3]}");
    int n;
    bool by_use;
    ck_assert_int_eq(prototypes_write(&file, folder, 0, &n, &by_use, &err), 0);
    ck_assert(n == 3 && by_use);
    check_pictures(file.model, (const int[]){1, 2, 0}, 3);
    remove_picture("000-slot001.png", true);
    remove_picture("001-slot002.png", true);
    remove_picture("002-slot000.png", true);
    json_decref(file.training);
    file.training = NULL;
    ck_assert_int_eq(prototypes_write(&file, folder, 2, &n, &by_use, &err), 0);
    ck_assert(n == 2 && !by_use);
    check_pictures(file.model, (const int[]){0, 1}, 2);
    remove_picture("000-slot000.png", true);
    remove_picture("001-slot001.png", true);
    model_file_clear(&file);
}
END_TEST

START_TEST(test_colour)
{
    const struct arch arch = architecture(INPUT_IMAGE, 3);
    struct model_file file = open_model(&arch, NULL);
    int n;
    bool by_use;
    char path[256];
    uint8_t head[26];
    ck_assert_int_eq(prototypes_write(&file, folder, 1, &n, &by_use, &err), 0);
    snprintf(path, sizeof path, "%s/000-slot000.png", folder);
    FILE *f = fopen(path, "rb");
    ck_assert(f && fread(head, 1, sizeof head, f) == sizeof head);
    fclose(f);
    ck_assert(head[19] == WIDTH && head[23] == HEIGHT && head[24] == 8 && head[25] == 2);       /* IHDR: 8 bits, RGB */
    remove_picture("000-slot000.png", true);
    model_file_clear(&file);
}
END_TEST

static void refused(enum input_kind kind, int channels, bool memory, const char *training, const char *reason)
{
    struct arch arch = architecture(kind, channels);
    arch.has_memory = memory;
    struct model_file file = open_model(&arch, training);
    int n;
    bool by_use;
    ck_assert_int_eq(prototypes_write(&file, folder, 0, &n, &by_use, &err), -EINVAL);
    ck_assert_msg(strstr(err.text, reason) != NULL, "%s", err.text);
    remove_picture("000-slot000.png", false);
    model_file_clear(&file);
}

START_TEST(test_refused)
{
    refused(INPUT_TABLE, 7, true, NULL, "table");
    refused(INPUT_VIDEO, 1, false, NULL, "plain autoencoder");
    refused(INPUT_IMAGE, 2, true, NULL, "1 or 3 channels, got 2");
    refused(INPUT_VIDEO, 1, true, "{\"slot_use\": [1, 0]}", "list of 3");
    refused(INPUT_VIDEO, 1, true, "{\"slot_use\": 3}", "list of 3");
    refused(INPUT_VIDEO, 1, true, "{\"slot_use\": [1, \"a\", 0]}", "slot_use[1]");
    refused(INPUT_VIDEO, 1, true, "{\"slot_use\": [1, 0, -1]}", "slot_use[2]");
    const struct arch arch = architecture(INPUT_IMAGE, 1);
    struct model_file file = open_model(&arch, NULL);
    int n;
    bool by_use;
    ck_assert_int_eq(prototypes_write(&file, "/proc/none/here", 0, &n, &by_use, &err), -ENOENT);
    ck_assert_msg(strstr(err.text, "/proc/none/here") != NULL, "%s", err.text);
    model_file_clear(&file);
}
END_TEST

int main(void)
{
    kernels_choose(NULL);
    if (!mkdtemp(folder))
        return 1;
    Suite *suite = suite_create("prototypes");
    TCase *tcase = tcase_create("prototypes");
    tcase_add_loop_test(tcase, test_order, 0, 2);
    tcase_add_test(tcase, test_colour);
    tcase_add_test(tcase, test_refused);
    suite_add_tcase(suite, tcase);
    int failed = suite_run(suite);
    rmdir(folder);
    return failed;
}
