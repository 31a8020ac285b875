#include "io/reencode/audio_queue.h"

bool audio_queue_add(struct audio_queue *queue, struct packet *packet)
{
    if (queue->next - queue->oldest >= AUDIO_QUEUE_PACKETS || queue->bytes + packet->size > AUDIO_QUEUE_BYTES)
        return false;
    queue->packets[queue->next++ % AUDIO_QUEUE_PACKETS] = packet_ref(packet);
    queue->bytes += packet->size;
    return true;
}

struct packet *audio_queue_take(struct audio_queue *queue, int64_t until_us)
{
    struct packet *packet = queue->packets[queue->oldest % AUDIO_QUEUE_PACKETS];
    if (queue->oldest == queue->next || packet->times.arrival_us >= until_us)
        return NULL;
    queue->oldest++;
    queue->bytes -= packet->size;
    return packet;
}
