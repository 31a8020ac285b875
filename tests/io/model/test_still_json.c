/* io/model/still_json: a memory is read as it was written, also in a model file. Every fault is named. */
#include "io/model/still_json.h"

#include <check.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/rng.h"
#include "io/model/model_file.h"
#include "tests/suite.h"

#define GOLDEN "tests/golden/"

static struct arch arch;                /* only its size counts */
static struct still_memory memory;

static void setup(void)
{
    struct rng rng;
    rng_seed(&rng, 3);
    arch.height = 48;
    arch.width = 64;
    ck_assert(slow_shape_of(&memory.shape, arch.height, arch.width));
    memory.lights = 2;
    memory.boundary = 4.25;
    memory.exemplars = 5;
    for (int l = 0; l < 2; l++) {
        struct still_light *light = &memory.light[l];
        light->known = true;
        light->least = 1 + 4 * (float)l;
        light->most = 4 + 4 * (float)l;
        light->rare = (struct pareto){.level = 0.1 + l, .share = 3, .scale = 0.7, .shape = 0.2};
        for (int p = 0; p < STILL_PARTS; p++)
            for (int i = 0; i < still_cells(&memory.shape); i++)
                light->largest[p][i] = (float)rng_below(&rng, 1000) / 1000;
        still_limits(&memory.shape, light->largest[0], light->largest[1], light->limit);
    }
    for (size_t i = 0; i < still_exemplars_at(&memory, 2, 0); i++)
        memory.exemplar[i] = (int8_t)((int)rng_below(&rng, 256) - 128);
}

static json_t *written(void)
{
    json_t *json = still_to_json(&memory);
    ck_assert_ptr_nonnull(json);
    return json;
}

static void check_equal(const struct still_memory *a, const struct still_memory *b)
{
    ck_assert_mem_eq(&a->shape, &b->shape, sizeof a->shape);
    ck_assert_int_eq(a->lights, b->lights);
    ck_assert_double_eq(a->boundary, b->boundary);
    ck_assert_int_eq(a->exemplars, b->exemplars);
    ck_assert_mem_eq(a->exemplar, b->exemplar, sizeof a->exemplar);
    for (int l = 0; l < STILL_LIGHTS; l++) {
        ck_assert_int_eq(a->light[l].known, b->light[l].known);
        ck_assert_float_eq(a->light[l].least, b->light[l].least);
        ck_assert_float_eq(a->light[l].most, b->light[l].most);
        ck_assert_mem_eq(&a->light[l].rare, &b->light[l].rare, sizeof a->light[l].rare);
        ck_assert_mem_eq(a->light[l].largest, b->light[l].largest, sizeof a->light[l].largest);
        ck_assert_mem_eq(a->light[l].limit, b->light[l].limit, sizeof a->light[l].limit);
    }
}

START_TEST(read_as_written)
{
    static struct still_memory read;
    struct error err = {0};
    json_t *json = written();
    ck_assert_msg(still_from_json(&read, &arch, json, &err) == 0, "%s", err.text);
    check_equal(&read, &memory);
    json_decref(json);
}
END_TEST

/* An unknown light is null. The exemplars of the other light stay in their place. */
START_TEST(an_unknown_light)
{
    static struct still_memory read;
    memory.light[0] = (struct still_light){.least = INFINITY, .most = -INFINITY};
    json_t *json = written();
    ck_assert(json_is_null(json_array_get(json_object_get(json, "lights"), 0)));
    ck_assert_int_eq(still_from_json(&read, &arch, json, NULL), 0);
    ck_assert(!read.light[0].known && read.light[1].known);
    size_t at = still_exemplars_at(&memory, 1, 0);
    ck_assert_mem_eq(read.exemplar + at, memory.exemplar + at, at);
    json_decref(json);
}
END_TEST

static void refused(json_t *json, const char *expected)
{
    static struct still_memory untouched, read;
    struct error err = {0};
    memset(&read, 1, sizeof read);
    memset(&untouched, 1, sizeof untouched);
    ck_assert_int_eq(still_from_json(&read, &arch, json, &err), -EINVAL);
    ck_assert_msg(strstr(err.text, expected) != NULL, "expected \"%s\" in \"%s\"", expected, err.text);
    ck_assert_mem_eq(&read, &untouched, sizeof read);
    json_decref(json);
}

START_TEST(faults_are_named)
{
    static const struct {
        const char *in, *key, *value, *expected;       /* in: "": the memory; "light": its second light */
    } cases[] = {
        {"", "boundary", "\"x\"", "boundary: expected a number"},
        {"", "exemplars", "0", "exemplars: expected 1 to 12, got 0"},
        {"", "exemplars", "13", "exemplars: expected 1 to 12, got 13"},
        {"", "exemplars", "2", "exemplars: expected 6144 bytes, got 15360"},
        {"", "lights", "[]", "lights: expected a list of 1 or 2"},
        {"", "lights", "[null]", "lights: expected at least one that is known"},
        {"", "more", "1", "more"},
        {"light", "least", "9", "lights[1]: most: expected a number from 9 to 1e+09, got 8"},
        {"light", "least", "null", "lights[1]: light: least: expected a number"},
        {"light", "largest", "[[]]", "lights[1]: largest: expected 2 lists"},
        {"light", "largest", "[[], []]", "lights[1]: largest[0]: expected a list of 117 numbers"},
        {"light", "rare", "{\"level\": 0, \"share\": 0, \"scale\": 1, \"shape\": 0}",
         "lights[1]: rare: share: expected a number from 1e-40 to 1e+40, got 0"},
        {"light", "rare", "{}", "lights[1]: rare: level: expected a number"},
        {"light", "exemplars", "5", "lights[1]: exemplars: expected base64"},
        {"light", "exemplars", "\"%%%%\"", "lights[1]: exemplars: expected base64"},
        {"light", "exemplars", "\"AAAA\"", "lights[1]: exemplars: expected 15360 bytes, got 3"},
        {"light", "more", "1", "more"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        json_t *json = written(), *value = json_loads(cases[i].value, JSON_DECODE_ANY, NULL);
        json_t *in = *cases[i].in ? json_array_get(json_object_get(json, "lights"), 1) : json;
        ck_assert_ptr_nonnull(value);
        ck_assert_int_eq(json_object_set_new(in, cases[i].key, value), 0);
        refused(json, cases[i].expected);
    }
    json_t *json = written();
    json_t *light = json_array_get(json_object_get(json, "lights"), 0);
    json_array_set_new(json_array_get(json_object_get(light, "largest"), 1), 7, json_real(-1));
    refused(json, "lights[0]: largest[1][7]: expected a number from 0 to 1e+09, got -1");
    arch.height = 8;
    refused(written(), "pictures are too small");
}
END_TEST

/* A model file holds the memory. A memory of pictures of another size is refused. */
START_TEST(in_a_model_file)
{
    struct model_file file, again;
    struct error err = {0};
    char path[] = "/tmp/memaed-still-XXXXXX";
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    close(fd);
    ck_assert_int_eq(model_file_load(&file, GOLDEN "tiny-noshrink.safetensors", NULL), 0);
    ck_assert_ptr_null(file.still);
    ck_assert_int_eq(model_file_save(path, file.model, NULL, &memory, NULL, &err), -EINVAL);
    ck_assert_msg(strstr(err.text, "memae.still: expected pictures of") != NULL, "%s", err.text);
    bool fits = slow_shape_of(&memory.shape, file.model->arch.height, file.model->arch.width);
    ck_assert(fits);
    ck_assert_msg(model_file_save(path, file.model, NULL, &memory, NULL, &err) == 0, "%s", err.text);
    ck_assert_msg(model_file_load(&again, path, &err) == 0, "%s", err.text);
    ck_assert_ptr_nonnull(again.still);
    ck_assert_mem_eq(again.still->exemplar, memory.exemplar, still_exemplars_at(&memory, 2, 0));
    model_file_clear(&again);
    model_file_clear(&file);
    unlink(path);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("still_json");
    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, read_as_written);
    tcase_add_test(tcase, an_unknown_light);
    tcase_add_test(tcase, faults_are_named);
    tcase_add_test(tcase, in_a_model_file);
    Suite *suite = suite_create("still_json");
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
