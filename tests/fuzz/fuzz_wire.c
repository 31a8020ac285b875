/* libFuzzer target: the messages between the daemon and the process of a source, in both directions. If the first byte is even,
 * the daemon reads a reply. If it is odd, the process reads a request. An accepted message is in range. An accepted request
 * stays the same when it is sent on. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "io/base/printable.h"
#include "io/capture/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int holds)
{
    if (!holds)
        abort();
}

static void check_text(const char *text, size_t size)
{
    check(strnlen(text, size) < size);
    for (bool control; *text; text += printable_next(text, &control)) {
        printable_next(text, &control);
        check(!control);
    }
}

static void read_reply(const uint8_t *data, size_t size)
{
    struct wire_reply reply;
    struct error err;
    int r = wire_decode_reply(&reply, data, size, &err);
    if (r < 0) {
        check(err.text[0] != '\0');
        return;
    }
    check(reply.type == WIRE_RESULT || reply.type == WIRE_LOG);
    check(reply.result >= -4095 && reply.result <= 1);
    check(reply.type == WIRE_RESULT || (reply.priority >= 0 && reply.priority <= 7));
    check(reply.frame.pts_us >= 0 && reply.frame.pts_us <= INT64_C(1) << 62);
    check(reply.frame.cause <= SOURCE_BREAK_CORRUPT && reply.frame.gap == (reply.frame.cause != SOURCE_UNBROKEN));
    check(isfinite(reply.stats.fps_in) && reply.stats.fps_in >= 0);
    check(reply.stats.time <= SOURCE_TIME_RATE && reply.stats.frames_corrupt <= reply.stats.frames_decoded);
    check(reply.width >= 0 && reply.width <= 65535 && reply.height >= 0 && reply.height <= 65535);
    check_text(reply.text, sizeof reply.text);
    check_text(reply.stats.codec, sizeof reply.stats.codec);
    check(reply.stats.audio <= SOURCE_AUDIO_KEPT);
    check_text(reply.stats.audio_codec, sizeof reply.stats.audio_codec);
}

static void read_request(const uint8_t *data, size_t size)
{
    static uint8_t again[WIRE_MAX_REQUEST];
    struct wire_request request, copy;
    if (wire_decode_request(&request, data, size) < 0)
        return;
    bool names_source = request.type == WIRE_OPEN || request.type == WIRE_MOMENT;
    check((request.type >= WIRE_OPEN && request.type <= WIRE_CLOSE) || request.type == WIRE_MOMENT || request.type == WIRE_FILE ||
          request.type == WIRE_COPY);
    check(names_source == (request.url != NULL) && request.longest >= 0);
    check(request.width >= 0 && request.height >= 0 && request.options.stall_timeout_ms >= 0);
    if (!names_source)
        return;
    int n = wire_encode_request(again, &request);
    check(n > 0 && wire_decode_request(&copy, again, (size_t)n) == 0);
    check(strcmp(copy.url, request.url) == 0 && copy.options.width == request.options.width);
    check(!request.options.password == !copy.options.password && request.options.audio == copy.options.audio);
    check(request.type != WIRE_MOMENT || (copy.pts_us == request.pts_us && copy.longest == request.longest));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    if (data[0] % 2)
        read_request(data + 1, size - 1);
    else
        read_reply(data + 1, size - 1);
    return 0;
}
