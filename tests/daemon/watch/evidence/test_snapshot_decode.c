/* daemon/watch/evidence/snapshot: a damaged picture is used, unless privacy masks are to be drawn over it. */
#include "daemon/watch/evidence/snapshot.h"

#include <errno.h>

#include "tests/io/video/packets/packets.h"

#define SECOND_US INT64_C(1000000)

enum { LOST = 30, SHOWN = 35 };         /* numbers of packets, both of the group that begins with packet 25 */

static struct packet_ring *ring;

static int64_t arrival_of(size_t i)
{
    return 10 * SECOND_US + 40000 * (int64_t)i;
}

/* Fills the ring with packets, 25 a second from 10 s on, but not with packet `lost`. */
static void fill_ring(size_t lost)
{
    read_four_seconds();
    ck_assert_int_eq(packet_ring_open(&ring, 1 << 24, 60 * SECOND_US), 0);
    ck_assert_int_eq(packet_ring_begin(ring, &packets[0]->stream->format, packets[0]->stream->extradata), 0);
    for (size_t i = 0; i < n_packets; i++) {
        struct packet_times times = packets[i]->times;
        times.arrival_us = arrival_of(i);
        if (i != lost)
            ck_assert_int_eq(packet_ring_add(ring, &times, packets[i]->data, packets[i]->size), 0);
    }
}

static void tear_down(void)
{
    packet_ring_unref(ring);
    ring = NULL;
    free_packets();
}

static int decode(bool is_masked, struct picture *ret, struct error *err)
{
    const struct snapshot_options options = {.arrival_us = arrival_of(SHOWN), .is_exact = true, .is_masked = is_masked,
                                             .longest = 1280, .limit_ms = 20000};
    return snapshot_decode(ret, ring, &options, err);
}

static void expect_picture(bool is_masked)
{
    struct picture picture;
    struct error err = {""};
    ck_assert_msg(decode(is_masked, &picture, &err) == 0, "%s", err.text);
    ck_assert(picture.width == 160 && picture.height == 120);
    picture_close(&picture);
}

START_TEST(a_sound_picture_is_given)
{
    fill_ring(MAX_PACKETS);
    expect_picture(false);
    expect_picture(true);
}
END_TEST

START_TEST(no_mask_is_drawn_over_a_damaged_picture)
{
    struct picture picture = {.width = -1};
    struct error err = {""};
    fill_ring(LOST);
    expect_picture(false);
    ck_assert_int_eq(decode(true, &picture, &err), -EBADMSG);
    ck_assert_str_eq(err.text, "the picture is damaged, and may show what a privacy mask covers at another place");
    ck_assert_int_eq(picture.width, -1);
}
END_TEST

START_TEST(without_packets_there_is_no_picture)
{
    struct picture picture;
    struct error err = {""};
    ck_assert_int_eq(packet_ring_open(&ring, 1 << 24, 60 * SECOND_US), 0);
    ck_assert_int_eq(decode(false, &picture, &err), -ENOENT);
    ck_assert_str_eq(err.text, "no packets were kept at that time");
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("snapshot_decode");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, NULL, tear_down);
    tcase_add_test(tcase, a_sound_picture_is_given);
    tcase_add_test(tcase, no_mask_is_drawn_over_a_damaged_picture);
    tcase_add_test(tcase, without_packets_there_is_no_picture);
    return clips_run("snapshot_decode", tcase);
}
