/* Packets cross unchanged from a process to the daemon. Whatever an attacker writes into the shared memory is an error, or
 * harmless. */
#include <check.h>
#include <errno.h>
#include <libavcodec/codec_id.h>
#include <string.h>

#include "core/rng.h"
#include "io/base/clock.h"
#include "io/capture/packet_queue.h"
#include "tests/suite.h"

static const struct packet_format format = {.codec = AV_CODEC_ID_H264, .pixel_format = -1, .width = 64, .height = 48,
                                            .aspect_den = 1, .time_base_num = 1, .time_base_den = 90000, .extradata_size = 5};
static const struct packet_format audio_format = {
    .kind = PACKET_AUDIO, .codec = AV_CODEC_ID_AAC, .pixel_format = -1, .aspect_den = 1, .sample_rate = 48000, .channels = 2,
    .time_base_num = 1, .time_base_den = 48000, .extradata_size = 2};
static struct capture_memory memory;
static struct packet_queue_writer writer;
static struct packet_queue_reader reader;
static uint8_t data[PACKET_QUEUE_BYTES];

/* The calls of the target so far, and the last packet. */
static struct {
    int begun, packets, lost, audio_begun, audio_packets;
    struct packet_format format;
    uint8_t extradata[16];
    struct packet_times times;
    size_t size, bytes;
    uint32_t sum;
} got;

static uint32_t sum_of(const uint8_t *p, size_t n)
{
    uint32_t sum = 1;
    for (size_t i = 0; i < n; i++)
        sum = sum * 31 + p[i];
    return sum;
}

static void take_begin(void *arg, const struct packet_format *f, const void *extradata)
{
    ck_assert_ptr_eq(arg, &got);
    if (f->kind == PACKET_AUDIO) {
        got.audio_begun++;
        return;
    }
    got.begun++;
    got.format = *f;
    memcpy(got.extradata, extradata, f->extradata_size < 16 ? f->extradata_size : 16);
}

static void take_packet(void *arg, const struct packet_times *times, const void *bytes, size_t size)
{
    ck_assert_ptr_eq(arg, &got);
    if (times->audio) {
        got.audio_packets++;
        return;
    }
    got.packets++;
    got.times = *times;
    got.size = size;
    got.bytes += size;
    got.sum = sum_of(bytes, size);
}

static void take_loss(void *arg)
{
    ck_assert_ptr_eq(arg, &got);
    got.lost++;
}

static const struct packet_queue_target target = {
    .consumer = {.arg = &got, .begin = take_begin, .add = take_packet}, .lose = take_loss};

static void setup(void)
{
    ck_assert_int_eq(capture_memory_open(&memory, PACKET_QUEUE_BYTES), 0);
    packet_queue_writer_init(&writer, &memory);
    packet_queue_reader_init(&reader, &memory);
    memset(&got, 0, sizeof got);
}

static void teardown(void)
{
    capture_memory_close(&memory);
}

static void add(size_t size, bool key)
{
    struct packet_consumer consumer = packet_queue_consumer(&writer);
    consumer.add(consumer.arg, &(struct packet_times){.pts = 7, .dts = PACKET_NO_TIME, .arrival_us = monotonic_us(), .key = key},
                 data, size);
}

static void begin(void)
{
    struct packet_consumer consumer = packet_queue_consumer(&writer);
    consumer.begin(consumer.arg, &format, "\1abcd");
}

static int drain(void)
{
    struct error err = {""};
    return packet_queue_drain(&reader, &target, &err);
}

START_TEST(packets_arrive)
{
    ck_assert_int_eq(drain(), 0);
    begin();
    data[3] = 9;
    add(1000, true);
    ck_assert_int_eq(drain(), 0);
    ck_assert(got.begun == 1 && got.packets == 1 && got.lost == 0);
    ck_assert_mem_eq(&got.format, &format, sizeof format);
    ck_assert_mem_eq(got.extradata, "\1abcd", 5);
    ck_assert(got.times.pts == 7 && got.times.dts == PACKET_NO_TIME && got.times.key && got.size == 1000);
    ck_assert_uint_eq(got.sum, sum_of(data, 1000));
    ck_assert_int_eq(drain(), 0);
    ck_assert_int_eq(got.packets, 1);
}
END_TEST

/* Packets of random sizes are drained now and then. Those that found room arrive whole. The next packet tells of a loss. */
START_TEST(random_sizes_arrive_or_are_told)
{
    enum { N = 20000 };
    struct rng rng;
    int added = 0, losses = 0;
    bool lost = false;
    rng_seed(&rng, 3);
    begin();
    for (int i = 0; i < N; i++) {
        size_t size = 1 + rng_below(&rng, rng_below(&rng, 20) ? 20000 : 1500000);
        for (size_t k = 0; k < 16 && k < size; k++)
            data[k] = data[size - 1 - k] = (uint8_t)rng_below(&rng, 256);
        uint32_t before = writer.written, sum = sum_of(data, size);
        add(size, i % 10 == 0);
        if (writer.written == before) {
            lost = true;
        } else {
            added++;
            losses += lost;
            lost = false;
        }
        if (rng_below(&rng, 12) == 0 || i == N - 1) {
            ck_assert_int_eq(drain(), 0);
            ck_assert_int_eq(got.packets, added);
            ck_assert_int_eq(got.lost, losses);
            if (!lost)
                ck_assert_uint_eq(got.sum, sum);
        }
    }
    ck_assert_int_gt(losses, 3);
    ck_assert_int_gt(added, N / 2);
}
END_TEST

/* If each packet is taken at once, its data lie at the beginning, and the pages behind stay untouched. */
START_TEST(an_empty_queue_begins_again)
{
    begin();
    memset(data, 0xff, 1000);
    for (int i = 0; i < 10000; i++) {
        add(1000, true);
        ck_assert_int_eq(drain(), 0);
    }
    ck_assert_int_eq(got.packets, 10000);
    size_t used = PACKET_QUEUE_BYTES;
    while (used > 0 && memory.bytes[used - 1] == 0)     /* no assertion for each byte: it costs a system call */
        used--;
    ck_assert_uint_le(used, sizeof(struct packet_queue_head) + 4096);
}
END_TEST

/* A stream that finds no room at first is told before its first packet. */
START_TEST(a_stream_waits_for_room)
{
    begin();
    for (int i = 0; i < PACKET_QUEUE_RECORDS; i++)
        add(10, false);
    begin();
    add(10, true);
    ck_assert_int_eq(drain(), 0);
    ck_assert(got.begun == 1 && got.packets == PACKET_QUEUE_RECORDS - 1);
    add(10, true);
    ck_assert_int_eq(drain(), 0);
    ck_assert(got.begun == 2 && got.packets == PACKET_QUEUE_RECORDS && got.lost == 1);
}
END_TEST

static void add_audio(size_t size)
{
    struct packet_consumer consumer = packet_queue_consumer(&writer);
    const struct packet_times times = {.pts = 7, .dts = 7, .arrival_us = monotonic_us(), .audio = true};
    consumer.add(consumer.arg, &times, data, size);
}

static void begin_audio(void)
{
    struct packet_consumer consumer = packet_queue_consumer(&writer);
    consumer.begin(consumer.arg, &audio_format, "ab");
}

/* Audio crosses where it was asked for, and is a fault where it was not. */
START_TEST(audio_crosses_where_asked)
{
    begin();
    begin_audio();
    add_audio(300);
    add(1000, true);
    ck_assert_int_eq(drain(), -EPROTO);
    ck_assert(got.audio_begun == 0 && got.audio_packets == 0);
    teardown();
    setup();
    reader.audio = true;
    begin();
    begin_audio();
    add_audio(300);
    add(1000, true);
    ck_assert_int_eq(drain(), 0);
    ck_assert(got.begun == 1 && got.packets == 1 && got.audio_begun == 1 && got.audio_packets == 1 && got.lost == 0);
}
END_TEST

/* However much audio comes, half of the records and data stay for the video. Lost audio is not told. */
START_TEST(audio_leaves_half)
{
    reader.audio = true;
    begin();
    begin_audio();
    for (int i = 0; i < 2 * PACKET_QUEUE_RECORDS; i++)
        add_audio(10);
    for (int i = 0; i < PACKET_QUEUE_RECORDS / 2 - 2; i++)
        add(10, i == 0);
    ck_assert_int_eq(drain(), 0);
    ck_assert(got.packets == PACKET_QUEUE_RECORDS / 2 - 2 && got.lost == 0);
    ck_assert(got.audio_packets > 0 && got.audio_packets <= PACKET_QUEUE_RECORDS / 2);
    for (int i = 0; i < 200; i++)
        add_audio(PACKET_MAX_AUDIO);
    add(PACKET_QUEUE_BYTES / 2 - (1 << 18), true);
    ck_assert_int_eq(drain(), 0);
    ck_assert(got.packets == PACKET_QUEUE_RECORDS / 2 - 1 && got.lost == 0);
}
END_TEST

/* ---- attacks ---------------------------------------------------------------------------------------------------------- */

static void claim_audio(struct packet_record *record)
{
    record->type = PACKET_RECORD_STREAM;
    record->format = audio_format;
    record->size = audio_format.extradata_size;
}

static void attack(struct packet_record *record, int which)
{
    if (which >= 11) {
        record->type = PACKET_RECORD_STREAM;
        record->format = format;
        record->size = 5;
    }
    switch (which) {
    case 0: record->offset = UINT32_MAX; break;
    case 1: record->size = PACKET_QUEUE_BYTES; break;
    case 2: record->offset = PACKET_QUEUE_BYTES - 100; break;
    case 3: record->type = 77; break;
    case 4: record->flags = 0x80; break;
    case 5: record->pts = INT64_MAX; break;
    case 6: record->dts = INT64_MIN + 1; break;
    case 7: record->arrival_us = 1; break;
    case 8: record->arrival_us += INT64_C(60000000); break;
    case 9: record->size = 0; break;
    case 10: record->flags |= PACKET_RECORD_AUDIO; break;       /* audio with a key frame, before its stream */
    case 11: record->format.codec = AV_CODEC_ID_AAC; break;
    case 12: record->size = 6; break;
    case 13: record->size = record->format.extradata_size = 1 << 20; break;
    case 14: record->format.time_base_den = 0; break;
    case 15: record->format.kind = 2; break;
    case 16: claim_audio(record); record->format.sample_rate = 0; break;
    case 17: claim_audio(record); record->format.channels = 99; break;
    case 18: claim_audio(record); record->format.codec = AV_CODEC_ID_FLAC; break;
    case 19: claim_audio(record); record->format.block_align = -1; break;
    default: record->format.height = 1 << 20; break;
    }
}

START_TEST(attacks_are_refused)
{
    struct packet_queue_head *head = (struct packet_queue_head *)memory.bytes;
    reader.audio = true;
    begin();
    add(1000, true);
    attack(&head->records[1], _i);
    ck_assert_int_eq(drain(), -EPROTO);
    ck_assert_int_eq(got.packets, 0);
}
END_TEST

START_TEST(counters_are_not_trusted)
{
    struct packet_queue_head *head = (struct packet_queue_head *)memory.bytes;
    atomic_store(&head->written, PACKET_QUEUE_RECORDS + 1);
    ck_assert_int_eq(drain(), -EPROTO);
    atomic_store(&head->written, UINT32_MAX);
    ck_assert_int_eq(drain(), -EPROTO);
    atomic_store(&head->written, 0);
    add(10, true);                      /* a packet without a stream */
    ck_assert_int_eq(drain(), -EPROTO);
    begin();
    atomic_store(&head->taken, 12345);  /* the daemon writes this and does not read it */
    ck_assert_int_eq(got.packets, 0);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("packet_queue");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, packets_arrive);
    tcase_add_test(tc, random_sizes_arrive_or_are_told);
    tcase_add_test(tc, an_empty_queue_begins_again);
    tcase_add_test(tc, a_stream_waits_for_room);
    tcase_add_test(tc, audio_crosses_where_asked);
    tcase_add_test(tc, audio_leaves_half);
    tcase_add_loop_test(tc, attacks_are_refused, 0, 21);
    tcase_add_test(tc, counters_are_not_trusted);
    Suite *suite = suite_create("packet_queue");
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
