/* libFuzzer target: the queue of packets between the process of a source and the daemon. The input lies in the shared memory:
 * counters, records and data. What comes out is in range, and the ring that takes it stays within its bounds. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "io/base/clock.h"
#include "io/capture/packet_queue.h"
#include "io/video/packets/codec_string.h"
#include "io/video/packets/packet_ring.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { RING_BYTES = 100000 };
static bool asked;              /* audio was asked for */

static void check(int holds)
{
    if (!holds)
        abort();
}

static void begin(void *arg, const struct packet_format *format, const void *extradata)
{
    check(packet_format_fault(format) == NULL);
    struct packet_stream *stream = packet_stream_new(format, extradata);
    char name[CODEC_NAME_SIZE], string[CODEC_STRING_SIZE];
    codec_name(name, stream);
    codec_string(string, stream);
    check(strlen(name) < sizeof name && strlen(string) < sizeof string);
    packet_stream_unref(stream);
    check(packet_ring_begin(arg, format, extradata) == 0);
    check(format->kind == PACKET_VIDEO || asked);
}

static void add(void *arg, const struct packet_times *times, const void *bytes, size_t size)
{
    check(packet_fault(times, size) == NULL && times->arrival_us <= monotonic_us());
    check(!times->audio || (asked && !times->key && size <= PACKET_MAX_AUDIO));
    check(packet_ring_add(arg, times, bytes, size) == 0);
}

static void lose(void *arg)
{
    packet_ring_lose(arg);
}

/* The first byte is the number of records that the counter claims (255: far too many). The lowest bit of the second byte says
 * whether audio was asked for. Records follow as they are, then data. An arrival of 0 stands for now. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct capture_memory memory;
    struct packet_queue_reader reader;
    struct packet_ring *ring;
    struct packet_ring_stats stats;
    struct error err;
    if (!memory.bytes)
        check(capture_memory_open(&memory, PACKET_QUEUE_BYTES) == 0);
    struct packet_queue_head *head = (struct packet_queue_head *)memory.bytes;
    if (size < 2)
        return 0;
    uint32_t written = data[0];
    asked = data[1] & 1;
    data += 2, size -= 2;
    for (uint32_t i = 0; i < written && i < PACKET_QUEUE_RECORDS && size >= sizeof(struct packet_record); i++) {
        memcpy(&head->records[i], data, sizeof(struct packet_record));
        if (head->records[i].arrival_us == 0)
            head->records[i].arrival_us = monotonic_us();
        data += sizeof(struct packet_record);
        size -= sizeof(struct packet_record);
    }
    memcpy(memory.bytes + sizeof *head, data, size < 65536 ? size : 65536);
    atomic_store(&head->written, written == 255 ? UINT32_MAX : written);
    packet_queue_reader_init(&reader, &memory);
    reader.last_us = 0;
    reader.audio = asked;
    check(packet_ring_open(&ring, RING_BYTES, 1000000) == 0);
    int r = packet_queue_drain(&reader, &(struct packet_queue_target){.consumer = {.arg = ring, .begin = begin, .add = add},
                                                                      .lose = lose}, &err);
    check(r == 0 || (r == -EPROTO && err.text[0]));
    packet_ring_stats(ring, &stats);
    check(stats.bytes - stats.audio_bytes <= RING_BYTES && stats.audio_bytes <= RING_BYTES / PACKET_RING_AUDIO_SHARE);
    packet_ring_unref(ring);
    memset(memory.bytes, 0, sizeof *head + 65536);
    return 0;
}
