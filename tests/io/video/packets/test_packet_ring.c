/* A ring holds whole groups of pictures, within its bounds. Packets that a reader has taken stay. */
#include <check.h>
#include <errno.h>
#include <libavcodec/codec_id.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "io/video/packets/packet_ring.h"
#include "tests/suite.h"

static const struct packet_format format = {.codec = AV_CODEC_ID_H264, .pixel_format = -1, .width = 64, .height = 48,
                                            .aspect_den = 1, .time_base_num = 1, .time_base_den = 90000};
static const struct packet_format audio_format = {
    .kind = PACKET_AUDIO, .codec = AV_CODEC_ID_PCM_ALAW, .pixel_format = -1, .aspect_den = 1, .sample_rate = 8000, .channels = 1,
    .time_base_num = 1, .time_base_den = 8000};
static uint8_t data[1 << 17];

static struct packet_ring *open_ring(size_t max_bytes, int64_t keep_us)
{
    struct packet_ring *ring;
    ck_assert_int_eq(packet_ring_open(&ring, max_bytes, keep_us), 0);
    ck_assert_int_eq(packet_ring_begin(ring, &format, NULL), 0);
    return ring;
}

/* Packet i arrives at i * 100 ms. */
static void add(struct packet_ring *ring, int i, bool key, size_t size)
{
    const struct packet_times times = {.pts = i, .dts = i, .arrival_us = i * INT64_C(100000), .key = key};
    memset(data, i, size);
    ck_assert_int_eq(packet_ring_add(ring, &times, data, size), 0);
}

static struct packet_ring_stats stats_of(struct packet_ring *ring)
{
    struct packet_ring_stats stats;
    packet_ring_stats(ring, &stats);
    return stats;
}

/* Returns the pts of the first packet from that number on; -1: there is none. */
static int64_t first_from(struct packet_ring *ring, uint64_t number)
{
    struct packet *packet;
    if (packet_ring_take(ring, &number, &packet, 1) == 0)
        return -1;
    int64_t pts = packet->times.pts;
    packet_unref(packet);
    return pts;
}

START_TEST(keeps_whole_groups)
{
    struct packet_ring *ring = open_ring(1 << 20, 2000000);
    add(ring, 0, false, 100);
    ck_assert_uint_eq(stats_of(ring).packets, 0);       /* packets before the first key frame are dropped */
    for (int i = 1; i < 100; i++) {
        add(ring, i, i % 10 == 1, 100);
        struct packet_ring_stats stats = stats_of(ring);
        int64_t oldest = first_from(ring, 0);
        ck_assert_int_eq(oldest % 10, 1);
        ck_assert_int_eq((int64_t)stats.packets, i - oldest + 1);
        ck_assert_uint_eq(stats.bytes, stats.packets * (100 + PACKET_RING_OVERHEAD));
        ck_assert_int_eq(stats.span_us, (i - oldest) * 100000);
        /* The ring holds at least two seconds, and no group that it does not need for that. */
        ck_assert(oldest == 1 || stats.span_us >= 2000000);
        ck_assert_int_lt(stats.span_us, 3000000);
    }
    packet_ring_unref(ring);
}
END_TEST

START_TEST(finds_the_key_frame_before)
{
    struct packet_ring *ring = open_ring(1 << 20, INT64_MAX);
    ck_assert_int_eq(first_from(ring, packet_ring_find(ring, 0)), -1);
    for (int i = 1; i < 60; i++)
        add(ring, i, i % 10 == 1, 100);
    ck_assert_int_eq(first_from(ring, packet_ring_find(ring, 2500000)), 21);
    ck_assert_int_eq(first_from(ring, packet_ring_find(ring, 2100000)), 21);
    ck_assert_int_eq(first_from(ring, packet_ring_find(ring, 2099999)), 11);
    ck_assert_int_eq(first_from(ring, packet_ring_find(ring, INT64_MAX)), 51);
    ck_assert_int_eq(first_from(ring, packet_ring_find(ring, -5)), 1);
    packet_ring_unref(ring);
}
END_TEST

START_TEST(bytes_are_bounded)
{
    struct packet_ring *ring = open_ring(20000, INT64_MAX);
    for (int i = 0; i < 1000; i++) {
        add(ring, i, i % 7 == 0, 500);
        ck_assert_uint_le(stats_of(ring).bytes, 20000);
        ck_assert_int_eq(first_from(ring, 0) % 7, 0);
    }
    ck_assert_uint_gt(stats_of(ring).bytes, 20000 - 7 * (500 + PACKET_RING_OVERHEAD));
    ck_assert_uint_eq(stats_of(ring).too_large, 0);
    packet_ring_unref(ring);
}
END_TEST

/* A group that exceeds the ring is dropped, and the next one is kept. */
START_TEST(a_group_may_be_too_large)
{
    struct packet_ring *ring = open_ring(20000, INT64_MAX);
    for (int i = 0; i < 100; i++)
        add(ring, i, i % 50 == 0, 1000);
    struct packet_ring_stats stats = stats_of(ring);
    ck_assert_uint_eq(stats.too_large, 2);
    ck_assert_uint_eq(stats.packets, 0);
    add(ring, 100, true, 1000);
    add(ring, 101, false, 1000);
    ck_assert_int_eq(first_from(ring, 0), 100);
    add(ring, 102, true, 60000);        /* this packet alone exceeds the ring */
    ck_assert_uint_eq(stats_of(ring).packets, 0);
    ck_assert_uint_eq(stats_of(ring).too_large, 3);
    packet_ring_unref(ring);
}
END_TEST

START_TEST(waits_for_a_key_frame)
{
    struct packet_ring *ring = open_ring(1 << 20, INT64_MAX);
    add(ring, 0, true, 10);
    packet_ring_lose(ring);
    add(ring, 1, false, 10);
    add(ring, 2, true, 10);
    add(ring, 3, false, 10);
    struct packet_format other = format;
    other.width = 128;
    ck_assert_int_eq(packet_ring_begin(ring, &other, NULL), 0);
    add(ring, 4, false, 10);
    add(ring, 5, true, 10);
    struct packet *got[8];
    uint64_t next = 0;
    ck_assert_uint_eq(packet_ring_take(ring, &next, got, 8), 4);
    static const int64_t expected[] = {0, 2, 3, 5};
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(got[i]->times.pts, expected[i]);
        ck_assert_int_eq(got[i]->stream->format.width, i < 3 ? 64 : 128);
        packet_unref(got[i]);
    }
    ck_assert_uint_eq(stats_of(ring).losses, 1);
    packet_ring_unref(ring);
}
END_TEST

START_TEST(faults_are_refused)
{
    struct packet_ring *ring;
    ck_assert_int_eq(packet_ring_open(&ring, 1 << 20, INT64_MAX), 0);
    const struct packet_times right = {.key = true};
    ck_assert_int_eq(packet_ring_add(ring, &right, data, 10), -EINVAL);         /* there is no stream */
    struct packet_format bad[] = {format, format, format, format, format, format, format, format,
                                  audio_format, audio_format, audio_format, audio_format};
    bad[0].codec = AV_CODEC_ID_AAC;
    bad[1].width = -1;
    bad[2].time_base_den = 0;
    bad[3].extradata_size = PACKET_MAX_EXTRADATA + 1;
    bad[4].turn = 8;
    bad[5].pixel_format = 100000;
    bad[6].kind = 2;
    bad[7].sample_rate = 8000;
    bad[8].codec = AV_CODEC_ID_H264;
    bad[9].sample_rate = 192001;
    bad[10].channels = 9;
    bad[11].width = 64;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_int_eq(packet_ring_begin(ring, &bad[i], data), -EINVAL);
    ck_assert_int_eq(packet_ring_begin(ring, &format, NULL), 0);
    ck_assert_int_eq(packet_ring_add(ring, &right, data, 0), -EINVAL);
    ck_assert_int_eq(packet_ring_add(ring, &(struct packet_times){.key = true, .pts = INT64_MAX}, data, 10), -EINVAL);
    ck_assert_int_eq(packet_ring_add(ring, &right, data, 10), 0);
    packet_ring_unref(ring);
}
END_TEST

static int add_audio(struct packet_ring *ring, int i, size_t size)
{
    const struct packet_times times = {.pts = i, .dts = i, .arrival_us = i * INT64_C(100000), .audio = true};
    return packet_ring_add(ring, &times, data, size);
}

/* Audio before the first picture is dropped. Other audio goes with its group, and may take a fourth of the ring's bytes more. */
START_TEST(audio_has_its_share)
{
    struct packet_ring *ring = open_ring(20000, INT64_MAX);
    ck_assert_int_eq(add_audio(ring, 0, 100), -EINVAL);         /* there is no stream of audio */
    ck_assert_int_eq(packet_ring_begin(ring, &audio_format, NULL), 0);
    ck_assert_int_eq(add_audio(ring, 0, 100), 0);
    ck_assert_uint_eq(stats_of(ring).packets, 0);
    ck_assert_ptr_null(packet_ring_audio(ring, 0));
    add(ring, 1, true, 100);
    ck_assert_int_eq(add_audio(ring, 2, 100), 0);
    struct packet_stream *stream = packet_ring_audio(ring, 0);
    ck_assert(stream && stream->format.codec == AV_CODEC_ID_PCM_ALAW);
    packet_stream_unref(stream);
    ck_assert_uint_eq(stats_of(ring).audio_bytes, 100 + PACKET_RING_OVERHEAD);
    ck_assert_uint_eq(stats_of(ring).bytes, 2 * (100 + PACKET_RING_OVERHEAD));
    ck_assert_int_eq(stats_of(ring).newest_us, 100000);         /* that of the video */
    for (int i = 3; i < 1000; i++) {
        ck_assert_int_eq(add_audio(ring, i, 300), 0);
        if (i % 4 == 0)
            add(ring, i, i % 40 == 0, 1000);
        ck_assert_uint_le(stats_of(ring).bytes - stats_of(ring).audio_bytes, 20000);
        ck_assert_uint_le(stats_of(ring).audio_bytes, 20000 / PACKET_RING_AUDIO_SHARE);
        ck_assert_uint_gt(stats_of(ring).packets, 0);
    }
    ck_assert_uint_eq(stats_of(ring).too_large, 0);
    struct packet *first;
    uint64_t next = 0;
    ck_assert_uint_eq(packet_ring_take(ring, &next, &first, 1), 1);
    ck_assert(first->times.key && !first->times.audio);
    packet_unref(first);
    packet_ring_unref(ring);
}
END_TEST

/* Returns the sum of the times of the video packets that a ring holds, and their number in n. */
static int64_t video_of(struct packet_ring *ring, size_t *n)
{
    struct packet *got[64];
    uint64_t next = 0;
    int64_t sum = 0;
    *n = 0;
    for (size_t k; (k = packet_ring_take(ring, &next, got, 64)) > 0;)
        for (size_t i = 0; i < k; i++) {
            *n += !got[i]->times.audio;
            sum += got[i]->times.audio ? 0 : got[i]->times.pts;
            packet_unref(got[i]);
        }
    return sum;
}

/* Whatever the sizes of groups are, a ring with audio always holds the same video as a ring without. */
START_TEST(audio_displaces_nothing)
{
    static const int sizes[] = {900, 2400, 4900, 9700, 10100};         /* of key frames; the last is too large */
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        struct packet_ring *with = open_ring(10000, 4000000), *without = open_ring(10000, 4000000);
        ck_assert_int_eq(packet_ring_begin(with, &audio_format, NULL), 0);
        for (int i = 0; i < 400; i++) {
            size_t n_with, n_without;
            bool key = i % 20 == 0;
            add(with, i, key, key ? (size_t)sizes[k] : 20);
            add(without, i, key, key ? (size_t)sizes[k] : 20);
            for (int more = 0; more < i % 7; more++)
                ck_assert_int_eq(add_audio(with, i, 200), 0);
            ck_assert_int_eq(video_of(with, &n_with), video_of(without, &n_without));
            ck_assert_uint_eq(n_with, n_without);
        }
        ck_assert_uint_eq(stats_of(with).too_large, stats_of(without).too_large);
        packet_ring_unref(with);
        packet_ring_unref(without);
    }
}
END_TEST

/* Audio cannot push out the ring's only group. Faults of audio cost no video. */
START_TEST(audio_costs_no_video)
{
    struct packet_ring *ring = open_ring(10000, INT64_MAX);
    ck_assert_int_eq(packet_ring_begin(ring, &audio_format, NULL), 0);
    add(ring, 1, true, 9000);
    for (int i = 2; i < 20; i++)
        ck_assert_int_eq(add_audio(ring, i, 300), 0);
    ck_assert_int_eq(first_from(ring, 0), 1);
    ck_assert_uint_eq(stats_of(ring).too_large, 0);
    ck_assert_int_eq(add_audio(ring, 20, PACKET_MAX_AUDIO + 1), -EINVAL);
    struct packet_format bad = audio_format;
    bad.channels = 0;
    ck_assert_int_eq(packet_ring_begin(ring, &bad, NULL), -EINVAL);
    ck_assert_int_eq(add_audio(ring, 21, 10), -EINVAL);
    add(ring, 22, false, 10);           /* it follows without a key frame */
    ck_assert_uint_ge(stats_of(ring).packets, 2);
    packet_ring_unref(ring);
}
END_TEST

/* Packets that a reader has taken stay unchanged while the writer goes on. */
static atomic_bool done;

static void *read_on(void *arg)
{
    struct packet_ring *ring = arg;
    uint64_t next = 0;
    int64_t last = -1;
    while (!atomic_load(&done)) {
        struct packet *got[16];
        size_t n = packet_ring_take(ring, &next, got, 16);
        for (size_t i = 0; i < n; i++) {
            ck_assert_int_gt(got[i]->times.pts, last);
            last = got[i]->times.pts;
            for (size_t k = 0; k < got[i]->size; k++)
                ck_assert_uint_eq(got[i]->data[k], (uint8_t)last);
            packet_unref(got[i]);
        }
        packet_ring_find(ring, last * 100000);
    }
    packet_ring_unref(ring);
    return NULL;
}

START_TEST(one_writes_and_others_read)
{
    struct packet_ring *ring = open_ring(5000, 1000000);
    pthread_t readers[2];
    atomic_store(&done, false);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_create(&readers[i], NULL, read_on, packet_ring_ref(ring)), 0);
    for (int i = 0; i < 100000; i++)
        add(ring, i, i % 5 == 0, 50);
    packet_ring_unref(ring);
    atomic_store(&done, true);
    for (int i = 0; i < 2; i++)
        pthread_join(readers[i], NULL);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("packet_ring");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, keeps_whole_groups);
    tcase_add_test(tc, finds_the_key_frame_before);
    tcase_add_test(tc, bytes_are_bounded);
    tcase_add_test(tc, a_group_may_be_too_large);
    tcase_add_test(tc, waits_for_a_key_frame);
    tcase_add_test(tc, audio_has_its_share);
    tcase_add_test(tc, audio_displaces_nothing);
    tcase_add_test(tc, audio_costs_no_video);
    tcase_add_test(tc, faults_are_refused);
    tcase_add_test(tc, one_writes_and_others_read);
    Suite *suite = suite_create("packet_ring");
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
