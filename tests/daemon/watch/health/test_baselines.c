/* daemon/watch/health: the file of a baseline belongs to a camera's pictures, and damage is noticed; files are private, the last
 * one counts, and what waits is written at the end. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/base/log.h"
#include "daemon/watch/health/baseline_file.h"
#include "daemon/watch/health/baselines.h"
#include "io/base/clock.h"
#include "tests/core/health/scenery.h"
#include "tests/folder.h"
#include "tests/suite.h"

enum { FPS = 10, LEARN_S = 12 };

static struct heartbeats heartbeats;
static struct baselines *baselines;
static struct health *health;
static char gate[] = "gate", yard[] = "yard", source[] = "rtsp://anna:secret@camera.example/live";
static struct config_camera cameras[] = {{.name = gate, .source = source}, {.name = yard, .source = source}};
static const struct config config = {.cameras = cameras, .n_cameras = 2};

static struct health *open_health(void)
{
    struct health *ret;
    ck_assert_int_eq(health_open(&ret, &(struct health_options){.height = SCENERY_HEIGHT, .width = SCENERY_WIDTH,
                                                                .learn_s = LEARN_S}), 0);
    return ret;
}

static void start(void)
{
    must(baselines_open(&baselines, &(struct baselines_options){.state_dir = folder, .config = &config,
                                                                .heartbeats = &heartbeats}, &err));
}

static void end(void)
{
    ck_assert(baselines_end(baselines, monotonic_us() + 30000000));
    baselines_close(baselines);
    baselines = NULL;
}

static void setup(void)
{
    static struct scenery scenery;
    static uint8_t luma[SCENERY_PIXELS];
    struct health_change changes[HEALTH_KINDS];
    log_open(LOG_DEBUG);
    make_folder();
    heartbeats_init(&heartbeats);
    health = open_health();
    scenery_init(&scenery, 4);
    for (int i = 0; i < 2 * LEARN_S * FPS; i++) {
        scenery_draw(&scenery, &(struct scenery_view){0}, luma);
        health_add(health, &(struct health_picture){.luma = luma, .time_us = i * (1000000 / FPS)}, changes);
    }
    ck_assert(!health_is_learning(health));
    start();
}

static void teardown(void)
{
    if (baselines)
        end();
    health_close(health);
    heartbeats_destroy(&heartbeats);
    delete_folder();
}

/* ---- the file --------------------------------------------------------------------------------------------------------- */

START_TEST(it_belongs_to_its_pictures)
{
    static struct zones zones = {.n_masks = 1, .mask = {{.area = {.n = 3, .points = {{0, 0}, {0.5f, 0}, {0, 0.5f}}}}}};
    static char other_source[] = "rtsp://anna:secret@camera.example/sub", other_user[] = "rtsp://bert:x@camera.example/live";
    struct config_camera camera = cameras[0];
    const struct baseline_basis basis = baseline_basis_of(&camera, SCENERY_HEIGHT, SCENERY_WIDTH, FPS);
    struct health *other = open_health();
    void *data;
    size_t size;
    ck_assert_int_eq(baseline_file_write(&data, &size, &basis, health), 0);
    ck_assert_uint_le(size, BASELINE_FILE_MOST);
    ck_assert_ptr_null(memmem(data, size, "secret", 6));
    camera.zones = &zones;
    struct baseline_basis masked = baseline_basis_of(&camera, SCENERY_HEIGHT, SCENERY_WIDTH, FPS);
    camera.zones = NULL;
    camera.source = other_source;
    struct baseline_basis elsewhere = baseline_basis_of(&camera, SCENERY_HEIGHT, SCENERY_WIDTH, FPS);
    camera.source = other_user;
    struct baseline_basis signed_in = baseline_basis_of(&camera, SCENERY_HEIGHT, SCENERY_WIDTH, FPS);
    struct baseline_basis wide = basis, fast = basis;
    wide.width++;
    fast.fps = 0;
    const struct { const struct baseline_basis *basis; const char *cause; } stale[] = {
        {&masked, "the masks have changed"}, {&elsewhere, "the camera's address has changed"},
        {&wide, "the model's pictures are now 193x108, not 192x108"}, {&fast, "0 pictures a second are now analysed, not 10"},
    };
    for (size_t i = 0; i < sizeof stale / sizeof *stale; i++) {
        ck_assert_int_eq(baseline_file_read(other, stale[i].basis, data, size, &err), -ESTALE);
        ck_assert_str_eq(err.text, stale[i].cause);
    }
    ck_assert(health_is_learning(other));
    must(baseline_file_read(other, &signed_in, data, size, &err));
    ck_assert(!health_is_learning(other) && health_learned(other) == health_learned(health));
    health_close(other);
    free(data);
}
END_TEST

START_TEST(damage)
{
    const struct baseline_basis basis = baseline_basis_of(&cameras[0], SCENERY_HEIGHT, SCENERY_WIDTH, FPS);
    struct health *other = open_health();
    void *data;
    size_t size;
    ck_assert_int_eq(baseline_file_write(&data, &size, &basis, health), 0);
    unsigned char *bytes = data;
    for (size_t at = 0; at < size; at += at < 200 ? 1 : 9973) {
        bytes[at] ^= 0x10;
        ck_assert_msg(baseline_file_read(other, &basis, data, size, &err) < 0, "byte %zu", at);
        bytes[at] ^= 0x10;
    }
    for (size_t n = 0; n < size; n += n < 200 ? 1 : 9973)
        ck_assert_int_eq(baseline_file_read(other, &basis, data, n, &err), -EBADMSG);
    ck_assert_str_eq(err.text, "it is damaged");
    ck_assert(health_is_learning(other));
    must(baseline_file_read(other, &basis, data, size, &err));
    health_close(other);
    free(data);
}
END_TEST

/* ---- the thread ------------------------------------------------------------------------------------------------------- */

static void keep(const char *camera, const char *text)
{
    baselines_keep(baselines, camera, strdup(text), strlen(text));
}

/* Expects that text as the camera's baseline; NULL: there is none. */
static void expect(const char *camera, const char *text)
{
    void *data = NULL;
    size_t size = 0;
    int r = baselines_read(baselines, camera, &data, &size, &err);
    if (!text)
        ck_assert_int_eq(r, -ENOENT);
    else
        ck_assert(r == 0 && size == strlen(text) && memcmp(data, text, size) == 0);
    free(data);
}

START_TEST(files)
{
    struct stat st;
    char path[200];
    expect("gate", NULL);
    keep("gate", "one");
    expect("gate", "one");
    for (int i = 0; i < 50; i++)
        keep("yard", i < 49 ? "lost" : "last");
    keep("gate", "three");
    expect("gate", "three");
    expect("yard", "last");
    end();
    snprintf(path, sizeof path, "%s/health", folder);
    ck_assert(stat(path, &st) == 0 && (st.st_mode & 0777) == 0700);
    snprintf(path, sizeof path, "%s/health/gate.baseline", folder);
    ck_assert(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600);
    start();
    expect("gate", "three");
    expect("yard", "last");
    baselines_forget(baselines, "gate");
    expect("gate", NULL);
    keep("yard", "soon lost");
    baselines_forget(baselines, "yard");
    baselines_forget(baselines, "nobody");
    expect("yard", NULL);
    end();
    ck_assert(stat(path, &st) < 0);
    start();
    expect("gate", NULL);
    expect("yard", NULL);
}
END_TEST

START_TEST(files_of_other_cameras_go)
{
    end();
    shell("mkdir health && touch health/gate.baseline health/gate.baseline.0123456789abcdef.part health/gat.baseline "
          "health/shed.baseline health/shed.baseline.0123456789abcdef.part health/notes.txt");
    start();
    end();
    shell("cd health && test \"$(ls | tr '\\n' ' ')\" = 'gate.baseline gate.baseline.0123456789abcdef.part notes.txt '");
}
END_TEST

START_TEST(what_cannot_be_written)
{
    shell("touch health");
    keep("gate", "one");
    end();
    shell("rm health && mkdir health && ln -s /etc/passwd health/gate.baseline");
    start();
    keep("gate", "one");
    end();
    shell("test -L health/gate.baseline");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("baselines");
    TCase *tcase = tcase_create("baselines");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, it_belongs_to_its_pictures);
    tcase_add_test(tcase, damage);
    tcase_add_test(tcase, files);
    tcase_add_test(tcase, files_of_other_cameras_go);
    tcase_add_test(tcase, what_cannot_be_written);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
