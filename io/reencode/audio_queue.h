/* Packets of audio that wait for the pictures beside them to be decoded and encoded. Bounded; one thread. */
#ifndef MEMAED_IO_REENCODE_AUDIO_QUEUE_H
#define MEMAED_IO_REENCODE_AUDIO_QUEUE_H

#include "io/video/packets/packet.h"

enum { AUDIO_QUEUE_PACKETS = 2048, AUDIO_QUEUE_BYTES = 4 << 20 };

struct audio_queue {            /* zeroes: empty */
    struct packet *packets[AUDIO_QUEUE_PACKETS];        /* references; number n at n % AUDIO_QUEUE_PACKETS */
    size_t oldest, next, bytes;
};

/* Takes a reference. false: the queue is full. */
bool audio_queue_add(struct audio_queue *queue, struct packet *packet);
/* Gives its reference to the oldest packet if that arrived before until_us; NULL: there is none. */
struct packet *audio_queue_take(struct audio_queue *queue, int64_t until_us);

#endif
