/* daemon/watch/evidence/fault_pictures: which files a fault has, that they show the moments asked for, in colour or gray, and
 * that privacy masks are black in all. */
#include "daemon/watch/evidence/fault_pictures.h"

#include <errno.h>
#include <fcntl.h>

#include "daemon/base/log.h"
#include "tests/io/video/packets/packets.h"

#define SECOND_US INT64_C(1000000)
enum { WIDTH = 160, HEIGHT = 120, SMALL = 40, KEY = 25, SHOWN = 60 };       /* packets; the clip has a key frame every 25 */

static struct packet_ring *ring;
static struct zones zones;
static char state_dir[32];
static const struct place place = {.camera = "gate", .opened_us = 5000000, .alert = 5000};

/* What was put last. */
static struct {
    char kinds[64];
    int64_t time_us;
    int width, height;
    uint8_t pixels[3 * WIDTH * HEIGHT];
    int result;
} seen;

static int put(void *arg, const char *kind, const struct picture *picture, int64_t time_us, struct error *error)
{
    ck_assert_ptr_eq(arg, &seen);
    strcat(seen.kinds, kind);
    strcat(seen.kinds, " ");
    seen.time_us = time_us;
    seen.width = picture->width;
    seen.height = picture->height;
    ck_assert_int_le(picture->width * picture->height, WIDTH * HEIGHT);
    memcpy(seen.pixels, picture->pixels, 3 * (size_t)picture->width * (size_t)picture->height);
    return seen.result < 0 ? error_set(error, seen.result, "no") : 0;
}

static int64_t arrival_of(size_t i)
{
    return 10 * SECOND_US + 40000 * (int64_t)i;
}

static void setup(void)
{
    log_open(LOG_DEBUG);
    strcpy(state_dir, "/tmp/memaed-faults-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(state_dir));
    memset(&seen, 0, sizeof seen);
    memset(&zones, 0, sizeof zones);
    read_four_seconds();
    ck_assert_int_eq(packet_ring_open(&ring, 1 << 24, 60 * SECOND_US), 0);
    ck_assert_int_eq(packet_ring_begin(ring, &packets[0]->stream->format, packets[0]->stream->extradata), 0);
    for (size_t i = 0; i < n_packets; i++) {
        struct packet_times times = packets[i]->times;
        times.arrival_us = arrival_of(i);
        ck_assert_int_eq(packet_ring_add(ring, &times, packets[i]->data, packets[i]->size), 0);
    }
    ck_assert(packets[KEY]->times.key);
}

static void tear_down(void)
{
    packet_ring_unref(ring);
    free_packets();
    char command[64];
    snprintf(command, sizeof command, "rm -rf %s", state_dir);
    ck_assert_int_eq(system(command), 0);
}

/* A sight of gray 77, of that packet's moment, or of one that no packet is kept of. */
static struct sight *sight_of(size_t i, bool has_key)
{
    uint8_t gray[SMALL * SMALL];
    memset(gray, 77, sizeof gray);
    struct sight *sight = sight_new(gray, SMALL, SMALL, arrival_of(i), (int64_t)i, has_key ? packets[i] : NULL);
    ck_assert_ptr_nonnull(sight);
    return sight;
}

static void make(bool closed, struct sight *before, struct sight *now)
{
    fault_pictures_make(&(struct fault_pictures){.state_dir = state_dir, .place = place, .ring = ring, .zones = &zones,
                                                 .decoding = {.longest = 1280, .limit_ms = 20000, .is_masked = zones.n_masks > 0},
                                                 .closed = closed, .before = before, .now = now, .put = put, .arg = &seen});
    sight_unref(before);
    sight_unref(now);
}

static bool is_colour(void)
{
    bool differs = false;
    for (int i = 0; i < seen.width * seen.height; i++)
        differs |= abs(seen.pixels[3 * i] - seen.pixels[3 * i + 2]) > 20;
    return differs;
}

START_TEST(opened_and_closed)
{
    char path[PLACE_PATH_SIZE];
    struct error err;
    make(false, sight_of(KEY, true), sight_of(SHOWN, false));
    ck_assert_str_eq(seen.kinds, "before fault ");
    ck_assert(seen.time_us == SHOWN && seen.width == WIDTH && seen.height == HEIGHT && is_colour());
    make(true, NULL, sight_of(SHOWN + 2, false));       /* what it is compared with is not there */
    ck_assert_str_eq(seen.kinds, "before fault ");
    ck_assert_msg(place_put(state_dir, &place, "fault.jpg", "x", 1, path, &err) == 0, "%s", err.text);
    make(true, NULL, sight_of(SHOWN + 2, false));
    ck_assert_str_eq(seen.kinds, "before fault after ");
    ck_assert_int_eq(seen.time_us, SHOWN + 2);
}
END_TEST

/* The key frame alone gives the picture that the ring gives of its moment. */
START_TEST(a_key_frame_by_itself)
{
    static uint8_t from_ring[sizeof seen.pixels];
    make(false, sight_of(KEY, false), NULL);
    memcpy(from_ring, seen.pixels, sizeof from_ring);
    ck_assert(is_colour());
    memset(seen.pixels, 0, sizeof seen.pixels);
    make(false, sight_of(KEY, true), NULL);
    ck_assert_str_eq(seen.kinds, "before before ");
    ck_assert_mem_eq(seen.pixels, from_ring, sizeof from_ring);
}
END_TEST

/* Where no packet is kept, or it cannot be decoded, the gray picture is shown, at its size. */
START_TEST(gray)
{
    for (int i = 0; i < 2; i++) {
        struct sight *sight = sight_of(KEY, i == 1);
        if (i == 0)
            sight->arrival_us = 1;
        else
            memset(sight->key->data, 0, sight->key->size);
        make(false, NULL, sight);
        ck_assert(seen.width == SMALL && seen.height == SMALL);
        for (int k = 0; k < 3 * SMALL * SMALL; k++)
            ck_assert_int_eq(seen.pixels[k], 77);
    }
    ck_assert_str_eq(seen.kinds, "fault fault ");
    seen.result = -ENOSPC;              /* is logged */
    make(false, NULL, sight_of(SHOWN, false));
}
END_TEST

/* The right half is masked. */
START_TEST(masks_are_black)
{
    static const struct point right[] = {{0.5F, 0}, {1, 0}, {1, 1}, {0.5F, 1}};
    zones.n_masks = 1;
    zones.mask[0].privacy = true;
    zones.mask[0].area.n = 4;
    memcpy(zones.mask[0].area.points, right, sizeof right);
    struct sight *old = sight_of(SHOWN, false);
    old->arrival_us = 1;
    struct sight *const sights[] = {sight_of(KEY, true), sight_of(SHOWN, false), old};
    for (int i = 0; i < 3; i++) {
        make(false, sights[i], NULL);
        int lit = 0;
        for (int y = 0; y < seen.height; y++)
            for (int x = 0; x < seen.width; x++) {
                const uint8_t *p = seen.pixels + 3 * (y * seen.width + x);
                lit += p[0] + p[1] + p[2] > 0;
                ck_assert_msg(x < seen.width / 2 || p[0] + p[1] + p[2] == 0, "%d: %d, %d", i, x, y);
            }
        ck_assert_int_gt(lit, seen.width * seen.height / 4);
    }
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("fault_pictures");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, tear_down);
    tcase_add_test(tcase, opened_and_closed);
    tcase_add_test(tcase, a_key_frame_by_itself);
    tcase_add_test(tcase, gray);
    tcase_add_test(tcase, masks_are_black);
    return clips_run("fault_pictures", tcase);
}
