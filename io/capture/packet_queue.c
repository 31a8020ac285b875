#include "io/capture/packet_queue.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "io/base/clock.h"

enum { DATA_BYTES = PACKET_QUEUE_BYTES - (int)sizeof(struct packet_queue_head) };
_Static_assert((int)DATA_BYTES > (int)PACKET_MAX_EXTRADATA, "a queue has room for extradata");

static uint8_t *data_of(const struct capture_memory *memory)
{
    return memory->bytes + sizeof(struct packet_queue_head);
}

/* ---- the process of the source ---------------------------------------------------------------------------------------- */

void packet_queue_writer_init(struct packet_queue_writer *writer, struct capture_memory *memory)
{
    assert(memory->size == PACKET_QUEUE_BYTES);
    *writer = (struct packet_queue_writer){.memory = memory};
}

/* Finds room for size bytes of data behind those that were added last, or at the beginning, and before the oldest that are
 * still queued. Returns false where there is none. */
static bool find_room(const struct packet_queue_writer *writer, uint32_t size, uint32_t *offset)
{
    struct packet_queue_head *head = (struct packet_queue_head *)writer->memory->bytes;
    uint32_t taken = atomic_load_explicit(&head->taken, memory_order_acquire), n = writer->written - taken;
    *offset = 0;
    if (n == 0)
        return size <= DATA_BYTES;
    if (n >= PACKET_QUEUE_RECORDS)
        return false;
    const struct packet_record *first = &head->records[taken % PACKET_QUEUE_RECORDS],
                               *last = &head->records[(writer->written - 1) % PACKET_QUEUE_RECORDS];
    uint32_t end = last->offset + last->size;
    if (end > first->offset || (end == first->offset && first == last)) {       /* the queued data do not wrap around */
        *offset = size <= DATA_BYTES - end ? end : 0;
        return *offset == end || size < first->offset;
    }
    *offset = end;
    return size < first->offset - end;
}

static bool add_record(struct packet_queue_writer *writer, const struct packet_record *record, const void *data)
{
    struct packet_queue_head *head = (struct packet_queue_head *)writer->memory->bytes;
    uint32_t offset;
    if (!find_room(writer, record->size, &offset))
        return false;
    if (record->size > 0)
        memcpy(data_of(writer->memory) + offset, data, record->size);
    struct packet_record *to = &head->records[writer->written % PACKET_QUEUE_RECORDS];
    *to = *record;
    to->offset = offset;
    to->flags |= writer->lost ? PACKET_RECORD_LOST : 0u;
    writer->lost = false;
    atomic_store_explicit(&head->written, ++writer->written, memory_order_release);
    return true;
}

bool packet_queue_begin(struct packet_queue_writer *writer, const struct packet_format *format, const void *extradata)
{
    const struct packet_record record = {.type = PACKET_RECORD_STREAM, .size = format->extradata_size, .format = *format};
    return add_record(writer, &record, extradata);
}

bool packet_queue_add(struct packet_queue_writer *writer, const struct packet_times *times, const void *data, size_t size)
{
    const uint32_t flags = (times->key ? PACKET_RECORD_KEY : 0u) | (times->audio ? PACKET_RECORD_AUDIO : 0u);
    const struct packet_record record = {.type = PACKET_RECORD_PACKET, .flags = flags,
                                         .size = (uint32_t)size, .pts = times->pts, .dts = times->dts,
                                         .arrival_us = times->arrival_us};
    return size <= DATA_BYTES && add_record(writer, &record, data);
}

static void begin(void *arg, const struct packet_format *format, const void *extradata)
{
    struct packet_queue_writer *writer = arg;
    writer->pending[format->kind].format = packet_queue_begin(writer, format, extradata) ? NULL : format;
    writer->pending[format->kind].extradata = extradata;
}

/* Returns true if audio of size bytes leaves half of the queue to the video. */
static bool leaves_half(const struct packet_queue_writer *writer, size_t size)
{
    const struct packet_queue_head *head = (const struct packet_queue_head *)writer->memory->bytes;
    uint32_t taken = atomic_load_explicit(&head->taken, memory_order_acquire), n = writer->written - taken;
    size_t bytes = size;
    if (n >= PACKET_QUEUE_RECORDS / 2)
        return false;
    for (uint32_t i = taken; i != writer->written; i++)
        bytes += head->records[i % PACKET_QUEUE_RECORDS].size;
    return bytes <= DATA_BYTES / 2;
}

static void add(void *arg, const struct packet_times *times, const void *data, size_t size)
{
    struct packet_queue_writer *writer = arg;
    const enum packet_kind kind = times->audio ? PACKET_AUDIO : PACKET_VIDEO;
    if (times->audio && !leaves_half(writer, size))
        return;
    if (writer->pending[kind].format)
        begin(writer, writer->pending[kind].format, writer->pending[kind].extradata);
    if ((writer->pending[kind].format || !packet_queue_add(writer, times, data, size)) && !times->audio)
        writer->lost = true;
}

struct packet_consumer packet_queue_consumer(struct packet_queue_writer *writer)
{
    return (struct packet_consumer){.arg = writer, .begin = begin, .add = add};
}

/* ---- the daemon ------------------------------------------------------------------------------------------------------- */

void packet_queue_reader_init(struct packet_queue_reader *reader, const struct capture_memory *memory)
{
    assert(memory->size == PACKET_QUEUE_BYTES);
    *reader = (struct packet_queue_reader){.memory = memory, .last_us = monotonic_us()};
}

/* The fault of a record, of which nothing is trusted; NULL: there is none. */
static const char *fault_of(const struct packet_queue_reader *reader, const struct packet_record *record)
{
    if (record->offset > DATA_BYTES || record->size > DATA_BYTES - record->offset)
        return "data beyond the memory for packets";
    if (record->flags & ~(uint32_t)(PACKET_RECORD_KEY | PACKET_RECORD_LOST | PACKET_RECORD_AUDIO))
        return "unknown flags of a packet";
    if (record->type == PACKET_RECORD_STREAM && record->size != record->format.extradata_size)
        return "extradata of another size";
    if (record->type == PACKET_RECORD_STREAM && record->format.kind == PACKET_AUDIO && !reader->audio)
        return "audio that was not asked for";
    if (record->type == PACKET_RECORD_STREAM)
        return packet_format_fault(&record->format);
    if (record->type != PACKET_RECORD_PACKET)
        return "a record of an unknown type";
    const bool audio = record->flags & PACKET_RECORD_AUDIO;
    if (!reader->begun[audio ? PACKET_AUDIO : PACKET_VIDEO])
        return "a packet before its stream";
    if (record->arrival_us < reader->last_us || record->arrival_us > monotonic_us())
        return "an impossible time of a packet's arrival";
    const struct packet_times times = {.pts = record->pts, .dts = record->dts, .key = record->flags & PACKET_RECORD_KEY,
                                       .audio = audio};
    return packet_fault(&times, record->size);
}

uint32_t packet_queue_waiting(const struct capture_memory *memory)
{
    const struct packet_queue_head *head = (const struct packet_queue_head *)memory->bytes;
    return atomic_load_explicit(&head->written, memory_order_acquire) - atomic_load_explicit(&head->taken, memory_order_acquire);
}

int packet_queue_drain(struct packet_queue_reader *reader, const struct packet_queue_target *target, struct error *err)
{
    return packet_queue_take(reader, target, UINT32_MAX, err);
}

int packet_queue_take(struct packet_queue_reader *reader, const struct packet_queue_target *target, uint32_t most,
                      struct error *err)
{
    struct packet_queue_head *head = (struct packet_queue_head *)reader->memory->bytes;
    uint32_t written = atomic_load_explicit(&head->written, memory_order_acquire);
    if (written - reader->taken > PACKET_QUEUE_RECORDS)
        return error_set(err, -EPROTO, "an impossible count of packets");
    for (; most > 0 && reader->taken != written; most--) {
        struct packet_record record;
        memcpy(&record, &head->records[reader->taken % PACKET_QUEUE_RECORDS], sizeof record);
        /* The compiler must not read the record again, which the process may have changed since. */
        __asm__ volatile("" : : "r"(&record) : "memory");
        const char *fault = fault_of(reader, &record);
        if (fault)
            return error_set(err, -EPROTO, "%s", fault);
        const uint8_t *data = data_of(reader->memory) + record.offset;
        void *arg = target->consumer.arg;
        if (record.flags & PACKET_RECORD_LOST)
            target->lose(arg);
        if (record.type == PACKET_RECORD_STREAM) {
            target->consumer.begin(arg, &record.format, data);
            reader->begun[record.format.kind] = true;
        } else {
            const struct packet_times times = {.pts = record.pts, .dts = record.dts, .arrival_us = record.arrival_us,
                                               .key = record.flags & PACKET_RECORD_KEY,
                                               .audio = record.flags & PACKET_RECORD_AUDIO};
            target->consumer.add(arg, &times, data, record.size);
            reader->last_us = record.arrival_us;
        }
        atomic_store_explicit(&head->taken, ++reader->taken, memory_order_release);
    }
    return 0;
}
