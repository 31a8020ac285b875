/* Shapes of architectures, refused architectures, sizes for cameras, tensors of a model. */
#include <check.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/network/arch.h"
#include "core/network/model.h"
#include "tests/suite.h"

static struct error err;

START_TEST(test_paper)
{
    struct arch_shapes s;
    ck_assert_msg(arch_shapes(&s, arch_profile("paper"), &err) == 0, "%s", err.text);
    const struct dims z = s.decoder[0], out = s.decoder[4], first = s.encoder[1];
    ck_assert(first.c == 96 && first.t == 16 && first.h == 128 && first.w == 128);
    ck_assert(z.c == 256 && z.t == 2 && z.h == 16 && z.w == 16);
    ck_assert(out.c == 1 && out.t == 16 && out.h == 256 && out.w == 256);
    ck_assert_int_eq(arch_module_index(arch_profile("paper")->encoder, 3), 9);
    ck_assert_int_eq(arch_profile("paper")->memory.slots, 2000);
    double gflop = 2e-9 * arch_total_cost(arch_profile("paper"), &s).multiply_adds;
    ck_assert_msg(gflop > 65.3 && gflop < 65.5, "%g GFLOP a cube", gflop);
}
END_TEST

START_TEST(test_every_profile)
{
    struct arch_shapes s;
    int n = 0;
    for (; arch_profile_name(n); n++)
        ck_assert_msg(arch_shapes(&s, arch_profile(arch_profile_name(n)), &err) == 0, "%s: %s", arch_profile_name(n), err.text);
    ck_assert_int_ge(n, 4);
    ck_assert_ptr_null(arch_profile("nothing"));
}
END_TEST

static void refuse(const struct arch *a, const char *words)
{
    struct arch_shapes s, before;
    memset(&s, 0x5a, sizeof s);
    memcpy(&before, &s, sizeof s);
    ck_assert_int_eq(arch_shapes(&s, a, &err), -EINVAL);
    ck_assert_msg(strstr(err.text, words) != NULL, "\"%s\" does not speak of \"%s\"", err.text, words);
    ck_assert_mem_eq(&s, &before, sizeof s);
}

START_TEST(test_refused)
{
    struct arch a;
#define WITH(CHANGE, WORDS) a = *arch_profile("nano"); CHANGE; refuse(&a, WORDS)
    WITH(a.encoder[1].out = 0, "encoder layer 1: out");
    WITH(a.encoder[1].out = 1 << 30, "encoder layer 1: out");
    WITH(a.encoder[0].kernel[2] = 0, "encoder layer 0: kernel");
    WITH(a.encoder[0].kernel[0] = 60, "kernel: expected at most 18 frames");
    WITH(a.encoder[0].stride[0] = -1, "stride");
    WITH(a.decoder[2].output_padding[1] = 2, "decoder layer 2: output_padding");
    WITH(a.encoder[2].output_padding[1] = 1, "unless the type is deconv3d or deconv2d");
    WITH(a.decoder[3].out = 2, "the input's shape");
    WITH(a.n_decoder = 3, "the input's shape");
    WITH(a.n_encoder = 0, "encoder: expected 1 to 32 layers, got 0");
    WITH(a.n_encoder = 33, "encoder: expected 1 to 32 layers, got 33");
    WITH(a.frames = 0, "input: frames");
    WITH(a.width = 1 << 20, "input: width");
    WITH((a.width = 1 << 14, a.height = 1 << 14), "input: expected at most 2147483647 elements");
    WITH(a.std = 0, "std");
    WITH(a.mean = (float)(0.0 / 0.0), "mean");
    WITH(a.memory.slots = 0, "memory: slots");
    WITH(a.memory.shrink = 1, "memory: shrink");
    WITH(a.memory.temperature = 0, "memory: temperature");
    WITH(a.memory.slots = 1 << 20; a.encoder[3].out = 4096, "elements, got 1048576 slots");
    WITH((a.encoder[0].out = 65536, a.encoder[0].stride[1] = 1), "the output: expected at most 2147483647 elements");
    WITH(a.encoder[0].slope = (float)(1.0 / 0.0), "slope");
    WITH(a.encoder[0].activation = (enum activation)9, "activation");
    WITH(a.encoder[0].type = LAYER_CONV2D, "encoder layer 0: type: expected conv3d or deconv3d");
    WITH(a.kind = INPUT_IMAGE, "expected an image of one frame");
    WITH((a.kind = INPUT_TABLE, a.frames = 1), "a table of one pixel, got 1 x 64 x 64");
    WITH((a.kind = INPUT_IMAGE, a.frames = 1), "encoder layer 0: type: expected conv2d or deconv2d");
    WITH((a.kind = INPUT_IMAGE, a.frames = 1, a.encoder[0].type = LAYER_CONV2D), "expected 1, 1 and 0 along frames");
    WITH((a.kind = INPUT_TABLE, a.frames = a.height = a.width = 1, a.encoder[0].type = LAYER_LINEAR),
         "expected 1, 1 and 0 along frames");
    a = *arch_profile("nano");
    ck_assert_int_eq(arch_check_camera(&a, &err), 0);
    a.channels = 3;
    ck_assert_int_eq(arch_check_camera(&a, &err), -EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "got one for 3 channels"));
    a.kind = INPUT_TABLE;
    ck_assert_int_eq(arch_check_camera(&a, &err), -EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "rows of a table"));
}
END_TEST

START_TEST(test_sizes_near_the_cameras)
{
    static const struct {
        int camera[2], small[2], nano[2];
    } sizes[] = {
        {{360, 240}, {160, 112}, {80, 48}},          {{1920, 1080}, {176, 96}, {80, 48}},
        {{640, 480}, {144, 112}, {64, 48}},         {{1080, 1920}, {96, 176}, {48, 80}},
        {{128, 64}, {128, 64}, {96, 48}},           {{100, 100}, {96, 96}, {64, 64}},
        {{128, 128}, {128, 128}, {64, 64}},         {{4096, 4096}, {128, 128}, {64, 64}},
        {{3840, 320}, {384, 32}, {144, 32}},        {{40, 30}, {48, 32}, {48, 32}},
        {{1, 1}, {32, 32}, {32, 32}},               {{INT_MAX, 1}, {576, 32}, {144, 32}},
    };
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        for (int k = 0; k < 2; k++) {
            int w = sizes[i].camera[0], h = sizes[i].camera[1];
            const int *expected = k ? sizes[i].nano : sizes[i].small;
            arch_fit_size(arch_profile(k ? "nano" : "small"), &w, &h);
            ck_assert_msg(w == expected[0] && h == expected[1], "%dx%d: %dx%d, not %dx%d", sizes[i].camera[0],
                          sizes[i].camera[1], w, h, expected[0], expected[1]);
        }
    ck_assert(arch_profile_fits("compact") && arch_profile_fits("small-ae") && arch_profile_fits("nano-ae") &&
              !arch_profile_fits("paper") && !arch_profile_fits("released") && !arch_profile_fits("nothing"));
}
END_TEST

/* A size that was fitted to a camera has the camera's aspect. The aspect of another camera does not fit. */
START_TEST(test_aspect_of_another_camera)
{
    static const int cameras[][2] = {
        {1920, 1080}, {640, 480}, {360, 240}, {704, 576}, {352, 288}, {1280, 720}, {2560, 1920}, {1280, 800}, {1080, 1920},
        {2592, 1944}, {2688, 1520}, {720, 576}, {1024, 576}, {704, 480}, {640, 360}, {320, 240}, {1280, 1024}, {3072, 2048},
        {704, 288}, {240, 288}, {352, 240},
    };
    for (int k = 0; k < 2; k++)
        for (size_t i = 0; i < sizeof cameras / sizeof *cameras; i++) {
            struct arch a = *arch_profile(k ? "nano" : "small");
            int w = cameras[i][0], h = cameras[i][1];
            double aspect = (double)w / h;
            a.width = w;
            a.height = h;
            arch_fit_size(arch_profile(k ? "nano" : "small"), &a.width, &a.height);
            ck_assert_msg(arch_fits_aspect(&a, w, h), "%dx%d by %dx%d", w, h, a.width, a.height);
            if (fabs(log(aspect / (16 / 9.))) < 0.01)
                ck_assert(!arch_fits_aspect(&a, 640, 480) && !arch_fits_aspect(&a, 1080, 1920));
            if (fabs(log(aspect / (4 / 3.))) < 0.01)
                ck_assert(!arch_fits_aspect(&a, 1920, 1080) && !arch_fits_aspect(&a, 480, 640));
        }
    ck_assert(arch_fits_aspect(arch_profile("paper"), 1920, 1080));
}
END_TEST

/* Every fitted size is within its bounds and makes a valid architecture. A camera turned by 90° gets the size turned by
 * 90°. */
START_TEST(test_every_size_is_within_bounds)
{
    static const char *const names[] = {"small", "nano"};
    for (int k = 0; k < 2; k++)
        for (int cw = 1; cw < 2600; cw += 1 + cw / 8)
            for (int ch = 1; ch < 2600; ch += 1 + ch / 8) {
                struct arch a = *arch_profile(names[k]);
                struct arch_shapes s;
                double area = (double)a.width * a.height;
                int w = cw, h = ch, turned_w = ch, turned_h = cw;
                arch_fit_size(&a, &w, &h);
                arch_fit_size(&a, &turned_w, &turned_h);
                ck_assert_msg(turned_w == h && turned_h == w, "%dx%d: %dx%d, turned %dx%d", cw, ch, w, h, turned_w, turned_h);
                ck_assert_msg(w % 16 == 0 && h % 16 == 0 && w >= 32 && h >= 32 && w * h <= 1.15 * area &&
                              (w == 32 || w <= cw + 8) && (h == 32 || h <= ch + 8), "%dx%d: %dx%d", cw, ch, w, h);
                double distortion = fabs(log((double)w * ch / ((double)h * cw))), ratio = (double)cw / ch;
                if (cw >= 176 && ch >= 176 && ratio > 0.5 && ratio < 2)      /* only rounding to multiples of 16 distorts */
                    ck_assert_msg(distortion < (k ? 0.19 : 0.075), "%dx%d: %dx%d is distorted by %g", cw, ch, w, h, distortion);
                a.width = w;
                a.height = h;
                ck_assert_msg(arch_shapes(&s, &a, &err) == 0, "%dx%d: %s", w, h, err.text);
                ck_assert_msg(arch_fits_aspect(&a, cw, ch), "%dx%d does not fit %dx%d", w, h, cw, ch);
            }
}
END_TEST

START_TEST(test_model_tensors)
{
    struct model *m;
    ck_assert_int_eq(model_open(&m, arch_profile("nano"), &err), 0);
    model_init(m, 1);
    struct model_tensor t;
    size_t sum = 0;
    int n = 0;
    bool memory = false;
    for (; model_tensor(m, n, &t); n++) {
        sum += t.n;
        memory = memory || strcmp(t.name, "mem_rep.memory.weight") == 0;
        if (strcmp(t.name, "decoder.6.weight") == 0)
            ck_assert(t.ndim == 5 && t.shape[0] == 32 && t.shape[1] == 16 && t.shape[4] == 3);
    }
    ck_assert_int_eq(n, 7 * 6 + 2 + 1);
    ck_assert_uint_eq(sum, m->n_storage);
    ck_assert(memory);
    struct model *again;
    ck_assert_int_eq(model_open(&again, arch_profile("nano"), &err), 0);
    model_init(again, 1);
    ck_assert_mem_eq(m->storage, again->storage, sum * sizeof(float));
    model_init(again, 2);
    ck_assert_mem_ne(m->storage, again->storage, sum * sizeof(float));
    model_close(m);
    model_close(again);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("arch");
    TCase *t = tcase_create("arch");
    tcase_add_test(t, test_paper);
    tcase_add_test(t, test_every_profile);
    tcase_add_test(t, test_refused);
    tcase_add_test(t, test_sizes_near_the_cameras);
    tcase_add_test(t, test_every_size_is_within_bounds);
    tcase_add_test(t, test_aspect_of_another_camera);
    tcase_add_test(t, test_model_tensors);
    suite_add_tcase(s, t);
    return suite_run(s);
}
