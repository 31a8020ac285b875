/* Messages arrive as they were sent, and bytes that are no message are refused. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/rng.h"
#include "io/capture/wire.h"
#include "tests/suite.h"

static const struct wire_request open_request = {
    .type = WIRE_OPEN, .url = "rtsp://h/x", .name = "gate", .memory_size = 4096, .memory_mib = 77,
    .options = {.width = 64, .height = 48, .fps = 12.5, .user = "viewer", .password = "p@:/ss", .udp = true,
                .tls_unverified = true, .audio = true, .tls_host = "", .stall_timeout_ms = 9000, .decoder_threads = 3,
                .chroma = true}};

static uint8_t data[WIRE_MAX_REQUEST];

START_TEST(requests_arrive)
{
    struct wire_request got;
    int n = wire_encode_request(data, &open_request);
    ck_assert_int_gt(n, 0);
    ck_assert_int_eq(wire_decode_request(&got, data, (size_t)n), 0);
    const struct source_options *a = &got.options, *b = &open_request.options;
    ck_assert_int_eq(got.type, WIRE_OPEN);
    ck_assert_str_eq(got.url, "rtsp://h/x");
    ck_assert_str_eq(got.name, "gate");
    ck_assert_str_eq(a->user, b->user);
    ck_assert_str_eq(a->password, b->password);
    ck_assert_ptr_null(a->tls_ca_file);
    ck_assert_str_eq(a->tls_host, "");
    ck_assert(a->width == 64 && a->height == 48 && a->fps == 12.5 && a->udp && a->tls_unverified && a->audio &&
              a->stall_timeout_ms == 9000 && a->decoder_threads == 3 && a->chroma);
    ck_assert(got.memory_size == 4096 && got.memory_mib == 77);

    n = wire_encode_request(data, &(struct wire_request){.type = WIRE_RESIZE, .width = 12, .height = 34});
    ck_assert_int_eq(wire_decode_request(&got, data, (size_t)n), 0);
    ck_assert(got.type == WIRE_RESIZE && got.width == 12 && got.height == 34);
    n = wire_encode_request(data, &(struct wire_request){.type = WIRE_READ, .offset = 123456});
    ck_assert_int_eq(wire_decode_request(&got, data, (size_t)n), 0);
    ck_assert(got.type == WIRE_READ && got.offset == 123456);
    n = wire_encode_request(data, &(struct wire_request){.type = WIRE_MOMENT, .url = "file.mp4", .pts_us = -7, .longest = 640,
                                                         .memory_size = 99});
    ck_assert_int_eq(wire_decode_request(&got, data, (size_t)n), 0);
    ck_assert(got.type == WIRE_MOMENT && got.pts_us == -7 && got.longest == 640 && got.memory_size == 99);
    ck_assert_str_eq(got.url, "file.mp4");
}
END_TEST

START_TEST(too_long_requests_are_refused)
{
    char *url = malloc(WIRE_MAX_REQUEST + 1);
    memset(url, 'a', WIRE_MAX_REQUEST);
    url[WIRE_MAX_REQUEST] = '\0';
    ck_assert_int_eq(wire_encode_request(data, &(struct wire_request){.type = WIRE_OPEN, .url = url}), -E2BIG);
    url[WIRE_MAX_REQUEST - 300] = '\0';
    struct wire_request got;
    int n = wire_encode_request(data, &(struct wire_request){.type = WIRE_OPEN, .url = url});
    ck_assert_int_gt(n, 0);
    ck_assert_int_eq(wire_decode_request(&got, data, (size_t)n), 0);
    ck_assert_str_eq(got.url, url);
    free(url);
}
END_TEST

START_TEST(cut_requests_are_refused)
{
    struct wire_request got = {.memory_mib = 5};
    int n = wire_encode_request(data, &open_request);
    for (int cut = 0; cut < n; cut++)
        ck_assert_int_eq(wire_decode_request(&got, data, (size_t)cut), -EPROTO);
    data[n] = 0;
    ck_assert_int_eq(wire_decode_request(&got, data, (size_t)n + 1), -EPROTO);
    ck_assert_int_eq(got.memory_mib, 5);
}
END_TEST

static const struct wire_reply picture = {
    .type = WIRE_RESULT, .result = 1, .width = 5, .height = 6,
    .frame = {.pts_us = 40000, .arrival_us = 123456789, .gap = true, .cause = SOURCE_BREAK_CLOCK, .corrupt = true,
              .chroma = {.known = true, .saturation = 5000, .u = 32000, .v = 65535}, .blocks = 777},
    .stats = {.fps_in = 24.97, .frames_decoded = 9, .frames_corrupt = 2, .time = SOURCE_TIME_ARRIVAL, .images = true,
              .live = true, .packets_lost = 4, .width = 640, .height = 480, .codec = "hevc",
              .audio = SOURCE_AUDIO_KEPT, .audio_codec = "aac"}};

/* Sends a reply and receives it into `bytes`. Returns the number of bytes. */
static size_t send_and_receive(const struct wire_reply *reply, uint8_t bytes[4096])
{
    int pair[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    ck_assert_int_eq(wire_send_reply(pair[0], reply), 0);
    ssize_t n = recv(pair[1], bytes, 4096, 0);
    ck_assert_int_gt(n, 0);
    close(pair[0]);
    close(pair[1]);
    return (size_t)n;
}

START_TEST(replies_arrive)
{
    uint8_t bytes[4096];
    struct wire_reply got;
    size_t n = send_and_receive(&picture, bytes);
    ck_assert_int_eq(wire_decode_reply(&got, bytes, n, NULL), 0);
    ck_assert(got.result == 1 && got.width == 5 && got.height == 6 && got.frame.pts_us == 40000 &&
              got.frame.arrival_us == 123456789 && got.stats.live && got.frame.gap &&
              got.frame.corrupt && got.frame.cause == SOURCE_BREAK_CLOCK);
    ck_assert(got.stats.fps_in == 24.97 && got.stats.frames_decoded == 9 && got.stats.frames_corrupt == 2 && got.stats.images &&
              got.stats.time == SOURCE_TIME_ARRIVAL && got.stats.packets_lost == 4 && got.stats.width == 640 &&
              got.stats.height == 480);
    ck_assert_str_eq(got.stats.codec, "hevc");
    ck_assert_int_eq(got.stats.audio, SOURCE_AUDIO_KEPT);
    ck_assert_str_eq(got.stats.audio_codec, "aac");
    ck_assert(got.frame.chroma.known && got.frame.chroma.saturation == 5000 && got.frame.chroma.u == 32000 &&
              got.frame.chroma.v == 65535 && got.frame.blocks == 777);
    ck_assert_str_eq(got.text, "");

    struct wire_reply failure = {.type = WIRE_RESULT, .result = -EIO};
    memset(failure.text, 'x', sizeof failure.text - 1);
    n = send_and_receive(&failure, bytes);
    ck_assert_uint_eq(n, wire_reply_size());
    ck_assert_int_eq(wire_decode_reply(&got, bytes, n, NULL), 0);
    ck_assert_str_eq(got.text, failure.text);

    n = send_and_receive(&(struct wire_reply){.type = WIRE_LOG, .priority = 4, .result = 99999, .text = "a\033b\nc"}, bytes);
    ck_assert_int_eq(wire_decode_reply(&got, bytes, n, NULL), 0);
    ck_assert(got.type == WIRE_LOG && got.priority == 4 && got.result == 0);
    ck_assert_str_eq(got.text, "a?b?c");
}
END_TEST

START_TEST(cut_replies_are_refused)
{
    uint8_t bytes[4096];
    struct wire_reply got = {.priority = 5};
    struct error err;
    size_t n = send_and_receive(&picture, bytes);
    for (size_t cut = 0; cut < n; cut++)
        ck_assert_int_eq(wire_decode_reply(&got, bytes, cut, &err), -EPROTO);
    bytes[n] = 0;
    ck_assert_int_eq(wire_decode_reply(&got, bytes, n + 1, &err), -EPROTO);
    ck_assert_ptr_nonnull(strstr(err.text, "a text with an end inside"));
    ck_assert_int_eq(wire_decode_reply(&got, bytes, wire_reply_size() + 1, &err), -EPROTO);
    ck_assert_int_eq(got.priority, 5);
}
END_TEST

/* Whatever the bytes are, an accepted reply is in range. */
START_TEST(taken_replies_are_in_range)
{
    uint8_t bytes[4096], whole[4096];
    struct rng rng;
    int taken = 0;
    rng_seed(&rng, 5);
    size_t n = send_and_receive(&picture, whole);
    for (int i = 0; i < 200000; i++) {
        struct wire_reply got;
        memcpy(bytes, whole, n);
        for (uint64_t k = 1 + rng_below(&rng, 3); k > 0; k--)
            bytes[rng_below(&rng, n)] = (uint8_t)rng_below(&rng, 256);
        if (wire_decode_reply(&got, bytes, n, NULL) < 0)
            continue;
        taken++;
        ck_assert(got.type == WIRE_LOG || (got.result >= -4095 && got.result <= 1));
        ck_assert(got.frame.pts_us >= 0 && got.frame.cause <= SOURCE_BREAK_CORRUPT && got.stats.time <= SOURCE_TIME_RATE);
        ck_assert(got.stats.fps_in >= 0 && got.stats.fps_in <= 1e9);
        ck_assert(got.stats.width >= 0 && got.stats.width <= 65535 && got.stats.frames_corrupt <= got.stats.frames_decoded);
        ck_assert_uint_lt(strlen(got.stats.codec), sizeof got.stats.codec);
    }
    ck_assert_int_gt(taken, 1000);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("wire");
    tcase_add_test(tc, requests_arrive);
    tcase_add_test(tc, too_long_requests_are_refused);
    tcase_add_test(tc, cut_requests_are_refused);
    tcase_add_test(tc, replies_arrive);
    tcase_add_test(tc, cut_replies_are_refused);
    tcase_add_test(tc, taken_replies_are_in_range);
    Suite *suite = suite_create("wire");
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
