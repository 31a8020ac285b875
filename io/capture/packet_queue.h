/* A queue of packets in memory that two processes share: the process of a source adds, the daemon takes. Nobody is woken, and
 * nobody waits. A packet that finds no room is lost, and the next record says so.
 *
 * The memory holds counters, records and data. The daemon keeps its own counter of what it has taken, copies each record before
 * it looks at it, and copies the data out. It checks everything as if an attacker had written it and could change it at any time.
 * Audio takes at most half of the records and of the data, so that it cannot displace the video. Audio that finds no room is
 * dropped without a notice. Once the queue is empty, the next data lie at its beginning, so that a queue which is emptied often
 * takes few pages.
 *
 * One thread adds, one takes. */
#ifndef MEMAED_IO_CAPTURE_PACKET_QUEUE_H
#define MEMAED_IO_CAPTURE_PACKET_QUEUE_H

#include "core/error.h"
#include "io/capture/memory.h"
#include "io/video/packets/packet.h"
#include "io/video/packets/packet_tap.h"

/* Bytes of the shared memory. A packet may take all that the counters and records leave. */
enum { PACKET_QUEUE_BYTES = 1 << 22 };

struct packet_queue_writer {
    struct capture_memory *memory;      /* borrowed; PACKET_QUEUE_BYTES */
    uint32_t written;
    bool lost;                          /* a packet since the last record */
    struct {
        const struct packet_format *format;     /* a stream that found no room; NULL: none. Borrowed, as extradata is */
        const void *extradata;
    } pending[2];                       /* by enum packet_kind */
};

void packet_queue_writer_init(struct packet_queue_writer *writer, struct capture_memory *memory);
/* Adds a stream or a packet. false: there is no room. */
bool packet_queue_begin(struct packet_queue_writer *writer, const struct packet_format *format, const void *extradata);
bool packet_queue_add(struct packet_queue_writer *writer, const struct packet_times *times, const void *data, size_t size);
/* The consumer for packet_tap_open(): what finds no room is lost, and told. Borrows writer. */
struct packet_consumer packet_queue_consumer(struct packet_queue_writer *writer);

struct packet_queue_reader {
    const struct capture_memory *memory;        /* borrowed; PACKET_QUEUE_BYTES */
    int64_t last_us;                    /* arrival of the last packet; at first the time of the init: none arrived before */
    uint32_t taken;
    bool audio;                         /* the caller's: audio was asked for. false: it is a fault */
    bool begun[2];                      /* by enum packet_kind: a stream has begun */
};

void packet_queue_reader_init(struct packet_queue_reader *reader, const struct capture_memory *memory);

/* The receiver of packets, which are borrowed for the call. lose: packets were lost before the next one. */
struct packet_queue_target {
    struct packet_consumer consumer;
    void (*lose)(void *arg);            /* with the consumer's arg */
};

/* Hands all that lies there to the target. 0; -EPROTO with the fault in err: nothing that follows can be trusted. */
int packet_queue_drain(struct packet_queue_reader *reader, const struct packet_queue_target *target, struct error *err);

/* As packet_queue_drain(), of at most `most` records. */
int packet_queue_take(struct packet_queue_reader *reader, const struct packet_queue_target *target, uint32_t most,
                      struct error *err);
/* Records that the reader has still to take, as it says itself. */
uint32_t packet_queue_waiting(const struct capture_memory *memory);

/* ---- the layout, for tests that attack it ---- */

enum { PACKET_QUEUE_RECORDS = 512 };
enum packet_record_type { PACKET_RECORD_STREAM = 1, PACKET_RECORD_PACKET };

struct packet_record {
    uint32_t type;                      /* enum packet_record_type */
    uint32_t flags;                     /* PACKET_RECORD_KEY, PACKET_RECORD_LOST, PACKET_RECORD_AUDIO */
    uint32_t offset, size;              /* of the data, from the end of the head; of a stream: its extradata */
    int64_t pts, dts, arrival_us;
    struct packet_format format;        /* of a stream */
};
enum { PACKET_RECORD_KEY = 1, PACKET_RECORD_LOST = 2, PACKET_RECORD_AUDIO = 4 };

struct packet_queue_head {
    _Atomic uint32_t written;           /* records, modulo 2^32 */
    _Atomic uint32_t taken;             /* the same; written by the daemon, which does not read it */
    struct packet_record records[PACKET_QUEUE_RECORDS];
};

#endif
