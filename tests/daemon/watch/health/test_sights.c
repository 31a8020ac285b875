/* daemon/watch/health/sights: which pictures are kept while a camera is sound, with which key frames, and which one is shown
 * beside a fault. */
#include "daemon/watch/health/sights.h"

#include <check.h>
#include <string.h>

#include "tests/suite.h"

#define SECOND_US INT64_C(1000000)
enum { HEIGHT = 2, WIDTH = 3 };

static struct packet_ring *ring;
static struct sights *sights;

static void open_sights(void)
{
    ck_assert_int_eq(sights_open(&sights, HEIGHT, WIDTH, ring), 0);
}

/* Packets are kept for 12 s. */
static void open_ring(void)
{
    ck_assert_int_eq(packet_ring_open(&ring, 1 << 20, 12 * SECOND_US), 0);
    const struct packet_format format = {.kind = PACKET_VIDEO, .codec = 7 /* Motion JPEG */, .pixel_format = -1, .width = 64,
                                         .height = 64, .aspect_den = 1, .time_base_num = 1, .time_base_den = 1000};
    ck_assert_int_eq(packet_ring_begin(ring, &format, NULL), 0);
}

static void tear_down(void)
{
    sights_close(sights);
    packet_ring_unref(ring);
    sights = NULL;
    ring = NULL;
}

/* A picture each second from second `from` on, before second `until`, all of its pixels the second; a key frame of one byte each
 * key_s seconds. */
static void see(int from, int until, bool is_sound, int key_s)
{
    for (int s = from; s < until; s++) {
        uint8_t pixels[HEIGHT * WIDTH], byte = (uint8_t)s;
        memset(pixels, s, sizeof pixels);
        const struct packet_times times = {.pts = s * 1000, .dts = s * 1000, .arrival_us = s * SECOND_US, .key = s % key_s == 0};
        if (ring)
            ck_assert_int_eq(packet_ring_add(ring, &times, &byte, 1), 0);
        sights_see(sights, pixels, s * SECOND_US, (1000 + s) * SECOND_US, is_sound);
    }
}

/* The sight that is shown beside a fault that began in that second; key: the second of its key frame; -1: none. */
static void expect(int since, int second, int key)
{
    struct sight *sight = sights_before(sights, since * SECOND_US);
    ck_assert_ptr_nonnull(sight);
    int shown = key < 0 ? second : key;
    ck_assert_int_eq(sight->arrival_us, shown * SECOND_US);
    ck_assert_int_eq(sight->time_us, (1000 + shown) * SECOND_US);
    ck_assert(sight->height == HEIGHT && sight->width == WIDTH);
    for (int i = 0; i < HEIGHT * WIDTH; i++)
        ck_assert_int_eq(sight->pixels[i], second);
    ck_assert_int_eq(sight->key != NULL, key >= 0);
    if (sight->key)
        ck_assert(sight->key->times.key && sight->key->data[0] == key);
    sight_unref(sight);
}

static void expect_none(int since)
{
    ck_assert_ptr_null(sights_before(sights, since * SECOND_US));
}

START_TEST(the_newest_that_is_old_enough)
{
    open_sights();
    expect_none(0);
    see(0, 9, true, 1);
    expect_none(2);
    expect(3, 0, -1);
    see(9, 25, true, 1);                /* kept at 0, 10 and 20 s */
    expect(24, 20, -1);
    expect(22, 10, -1);
    expect(13, 10, -1);
    expect_none(12);                    /* two are kept */
    sights_forget(sights);
    expect_none(30);
}
END_TEST

/* A fault that is found late leaves the sight from before it. */
START_TEST(none_is_kept_while_a_fault_holds)
{
    open_sights();
    see(0, 8, true, 1);
    see(8, 40, false, 1);
    expect(30, 0, -1);
    see(40, 45, true, 1);
    expect(44, 40, -1);
    expect(42, 0, -1);
}
END_TEST

START_TEST(key_frames_lie_in_sound_time)
{
    open_ring();
    open_sights();
    see(0, 14, true, 4);
    expect(13, 10, 8);
    expect(10, 0, 0);
    see(14, 25, false, 4);
    see(25, 28, true, 4);               /* the key frame of 24 s is from the fault */
    expect(27, 10, 8);
    see(28, 36, true, 4);
    expect(32, 28, 28);
    see(36, 39, true, 100);             /* the newest key frame is that of 32 s */
    expect(38, 38, 32);
}
END_TEST

/* A picture is kept in gray while there are no packets, and its key frame outlasts the ring. */
START_TEST(a_sight_outlasts_the_packets)
{
    open_ring();
    open_sights();
    see(1, 2, true, 100);
    expect(8, 1, -1);
    see(2, 3, false, 1);
    see(3, 60, false, 1);
    expect(50, 1, -1);
    sights_forget(sights);
    see(60, 61, true, 1);
    see(61, 90, false, 1);
    expect(80, 60, 60);
    struct packet_ring_stats stats;
    packet_ring_stats(ring, &stats);
    ck_assert_int_lt(stats.span_us, 20 * SECOND_US);
    struct sight *sight = sights_before(sights, 80 * SECOND_US);
    sights_close(sights);
    sights = NULL;
    packet_ring_unref(ring);
    ring = NULL;
    ck_assert_int_eq(sight->key->data[0], 60);
    sight_unref(sight_ref(sight));
    sight_unref(sight);
    sight_unref(NULL);
    ck_assert_ptr_null(sight_ref(NULL));
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("sights");
    tcase_add_checked_fixture(tcase, NULL, tear_down);
    tcase_add_test(tcase, the_newest_that_is_old_enough);
    tcase_add_test(tcase, none_is_kept_while_a_fault_holds);
    tcase_add_test(tcase, key_frames_lie_in_sound_time);
    tcase_add_test(tcase, a_sight_outlasts_the_packets);
    Suite *suite = suite_create("sights");
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
