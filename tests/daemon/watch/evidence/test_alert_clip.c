/* daemon/watch/evidence/alert_clip: a clip appears under its name with its first fragment. After a crash or a failure before,
 * there is no file of that name. */
#include "daemon/watch/evidence/alert_clip.h"

#include <errno.h>
#include <sys/stat.h>

#include "tests/io/video/packets/packets.h"
#include "tests/folder.h"

#define SECOND_US INT64_C(1000000)

static struct packet_ring *ring;
static size_t fed;              /* the number of packets that arrived */

static void set_up(void)
{
    make_folder();
    read_four_seconds();
    ck_assert_int_eq(packet_ring_open(&ring, 1 << 24, 60 * SECOND_US), 0);
    ck_assert_int_eq(packet_ring_begin(ring, &packets[0]->stream->format, packets[0]->stream->extradata), 0);
    fed = 0;
}

static void tear_down(void)
{
    packet_ring_unref(ring);
    free_packets();
    delete_folder();
}

/* The next n packets arrive, 25 a second from 10 s on. */
static void feed(size_t n)
{
    for (; n > 0; n--, fed++) {
        struct packet_times times = packets[fed]->times;
        times.arrival_us = 10 * SECOND_US + 40000 * (int64_t)fed;
        ck_assert_int_eq(packet_ring_add(ring, &times, packets[fed]->data, packets[fed]->size), 0);
    }
}

static struct alert_clip *open_clip(void)
{
    struct alert_clip *clip;
    const struct config_evidence rolls = {.pre_roll_s = 1, .post_roll_s = 1, .max_clip_s = 60};
    const struct alert_clip_options options = {.state_dir = folder,
                                               .place = {.camera = "gate", .opened_us = 86400 * SECOND_US, .alert = 7},
                                               .opened_us = 11 * SECOND_US,
                                               .rolls = &rolls,
                                               .ring = ring};
    ck_assert_int_eq(alert_clip_open(&clip, &options), 0);
    return clip;
}

/* The size of a file of the alert; -1: there is none. */
static long long size_of(const char *name)
{
    struct stat st;
    return stat(path_of("evidence/gate/1970-01-02/7/%s", name), &st) < 0 ? -1 : (long long)st.st_size;
}

START_TEST(appears_with_its_first_fragment)
{
    struct alert_clip_outcome outcome;
    struct alert_clip *clip = open_clip();
    feed(3);
    ck_assert(alert_clip_write(clip, 10 * SECOND_US));
    ck_assert_int_eq(size_of("clip.mp4"), -1);
    ck_assert_int_ge(size_of(".clip.mp4"), 0);
    feed(30);
    ck_assert(alert_clip_write(clip, 11 * SECOND_US));
    ck_assert_int_eq(size_of(".clip.mp4"), -1);
    ck_assert_int_gt(size_of("clip.mp4"), 12000);       /* header, room for the index, and a fragment */
    alert_clip_close(clip, &outcome);
    ck_assert_str_eq(outcome.path, "evidence/gate/1970-01-02/7/clip.mp4");
    ck_assert_str_eq(outcome.error.text, "");
    ck_assert_int_eq(outcome.bytes, size_of("clip.mp4"));
    ck_assert_str_eq(outcome.end, "stopped");
}
END_TEST

START_TEST(a_short_clip_appears_at_its_end)
{
    struct alert_clip_outcome outcome;
    struct alert_clip *clip = open_clip();
    feed(3);
    ck_assert(alert_clip_write(clip, 10 * SECOND_US));
    alert_clip_close(clip, &outcome);
    ck_assert_str_eq(outcome.path, "evidence/gate/1970-01-02/7/clip.mp4");
    ck_assert_int_eq(outcome.bytes, size_of("clip.mp4"));
    ck_assert_int_eq(size_of(".clip.mp4"), -1);
}
END_TEST

START_TEST(without_packets_there_is_no_file)
{
    struct alert_clip_outcome outcome;
    struct alert_clip *clip = open_clip();
    ck_assert(alert_clip_write(clip, 10 * SECOND_US));
    alert_clip_set_closed(clip, 12 * SECOND_US);
    ck_assert(!alert_clip_write(clip, 60 * SECOND_US));
    alert_clip_close(clip, &outcome);
    ck_assert(!outcome.path[0] && outcome.bytes == 0 && !outcome.error.text[0]);
}
END_TEST

/* A file of that name is there already: the clip fails, and the file stays as it is. */
START_TEST(no_file_is_replaced)
{
    struct alert_clip_outcome outcome;
    char path[PLACE_PATH_SIZE];
    const struct place place = {.camera = "gate", .opened_us = 86400 * SECOND_US, .alert = 7};
    must(place_put(folder, &place, "clip.mp4", "old", 3, path, &err));
    struct alert_clip *clip = open_clip();
    feed(60);
    ck_assert(!alert_clip_write(clip, 12 * SECOND_US));
    alert_clip_close(clip, &outcome);
    ck_assert_str_eq(outcome.end, "failed");
    ck_assert_str_eq(outcome.error.text, "evidence/gate/1970-01-02/7/clip.mp4: File exists");
    ck_assert(!outcome.path[0] && outcome.bytes == 0);
    ck_assert_int_eq(size_of("clip.mp4"), 3);
    ck_assert_int_eq(size_of(".clip.mp4"), -1);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("alert_clip");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, appears_with_its_first_fragment);
    tcase_add_test(tcase, a_short_clip_appears_at_its_end);
    tcase_add_test(tcase, without_packets_there_is_no_file);
    tcase_add_test(tcase, no_file_is_replaced);
    return clips_run("alert_clip", tcase);
}
