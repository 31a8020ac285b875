/* daemon/watch/evidence/pictures: faults of a camera's picture. Each is told to be ready once, after its files are there, also
 * where it has none; a camera has pictures of so many faults an hour, and those that close add theirs. */
#include "daemon/watch/evidence/pictures.h"

#include <check.h>
#include <stdatomic.h>
#include <unistd.h>

#include "daemon/base/log.h"
#include "daemon/watch/health/sights.h"
#include "io/base/clock.h"
#include "tests/folder.h"
#include "tests/suite.h"

enum { SIDE = 32, FIRST_ID = 86400000 };

static struct heartbeats heartbeats;
static struct packet_ring *ring;
static struct pictures *pictures;
static atomic_int n_made, n_ready, made_when_ready;

static void made(void *arg, const struct pictures_made *file)
{
    (void)arg;
    ck_assert(file->alert == 0 && file->bytes > 100);
    ck_assert_str_eq(file->camera, "gate");
    n_made++;
}

static void ready(void *arg, uint64_t id)
{
    (void)arg;
    ck_assert_uint_ge(id, FIRST_ID);
    made_when_ready = n_made;
    n_ready++;
}

static void setup(void)
{
    log_open(LOG_DEBUG);
    make_folder();
    n_made = n_ready = made_when_ready = 0;
    heartbeats_init(&heartbeats);
    must(packet_ring_open(&ring, 1 << 20, 1000000));
    must(pictures_open(&pictures, &(struct pictures_options){.state_dir = folder, .heartbeats = &heartbeats, .made = made,
                                                             .ready = ready}, &err));
    must(pictures_add(pictures, &(struct pictures_camera){.name = "gate", .ring = ring}));
}

static void tear_down(void)
{
    pictures_remove(pictures, ring);
    ck_assert(pictures_end(pictures, monotonic_us() + 30000000));
    pictures_close(pictures);
    packet_ring_unref(ring);
    heartbeats_destroy(&heartbeats);
    delete_folder();
}

/* Tells of the fault, and waits until it is ready. */
static void take(enum event_type type, const char *camera, int i)
{
    static const uint8_t gray[SIDE * SIDE];
    struct sight *sight = sight_new(gray, SIDE, SIDE, 1, 1000000, NULL);
    const struct event_health fault = {.id = FIRST_ID + (uint64_t)i, .kind = "black", .now = sight,
                                       .before = type == EVENT_HEALTH_OPENED ? sight : NULL};
    const int before = n_ready;
    pictures_take_fault(pictures, &(struct event){.type = type, .camera = camera, .health = &fault});
    sight_unref(sight);
    for (int k = 0; n_ready == before && k < 3000; k++)
        usleep(10000);
    ck_assert_int_eq(n_ready, before + 1);
}

START_TEST(files_of_a_fault)
{
    take(EVENT_HEALTH_OPENED, "gate", 0);
    ck_assert(n_made == 2 && made_when_ready == 2);
    take(EVENT_HEALTH_CLOSED, "gate", 0);
    ck_assert(n_made == 3 && made_when_ready == 3);
    shell("test \"$(cd evidence/gate/1970-01-02/%d && ls -m)\" = 'after.jpg, before.jpg, fault.jpg'", FIRST_ID);
    take(EVENT_HEALTH_CLOSED, "gate", 1);               /* nothing is kept of its opening */
    take(EVENT_HEALTH_OPENED, "other", 2);              /* the camera has left */
    ck_assert_int_eq(n_made, 3);
}
END_TEST

START_TEST(so_many_an_hour)
{
    for (int i = 0; i < PICTURES_FAULTS_MAX + 3; i++)
        take(EVENT_HEALTH_OPENED, "gate", i);
    ck_assert_int_eq(n_made, 2 * PICTURES_FAULTS_MAX);
    take(EVENT_HEALTH_CLOSED, "gate", PICTURES_FAULTS_MAX - 1);
    ck_assert_int_eq(n_made, 2 * PICTURES_FAULTS_MAX + 1);
    take(EVENT_HEALTH_CLOSED, "gate", PICTURES_FAULTS_MAX);
    ck_assert_int_eq(n_made, 2 * PICTURES_FAULTS_MAX + 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pictures");
    TCase *tcase = tcase_create("pictures");
    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, setup, tear_down);
    tcase_add_test(tcase, files_of_a_fault);
    tcase_add_test(tcase, so_many_an_hour);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
