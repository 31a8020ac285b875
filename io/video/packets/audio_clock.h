/* Decides when a packet of audio is heard in a clip, on the time line of the pictures. Pure arithmetic; one thread at a time.
 *
 * Audio and video have one clock, so the time stamp tells. A packet without one follows the packet before, even if that was
 * dropped: MPEG-TS stamps the first of several. It is placed by its arrival if there was none before, if its length is unknown,
 * or if that would be more than 2 * AUDIO_CLOCK_AGREE off.
 *
 * Where stamps disagree with the arrivals by more than AUDIO_CLOCK_AGREE for AUDIO_CLOCK_PATIENCE_US, the arrivals tell how far
 * the audio has to be moved. Until then, what seems to be ahead is dropped; what seems late may have been held up by the network.
 * Packets that do not come after the one before, or more than AUDIO_CLOCK_OLDEST too late, are dropped. */
#ifndef MEMAED_IO_VIDEO_PACKETS_AUDIO_CLOCK_H
#define MEMAED_IO_VIDEO_PACKETS_AUDIO_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

enum { AUDIO_CLOCK_AGREE = 90000, AUDIO_CLOCK_OLDEST = 10 * 90000 };    /* ticks of 1/90000 s, as all times here */
#define AUDIO_CLOCK_PATIENCE_US INT64_C(1000000)
#define AUDIO_CLOCK_NONE INT64_MIN

struct audio_clock {
    bool begun, known;          /* a packet was placed; follows is known */
    int64_t last;               /* of the last packet that was placed */
    int64_t follows;            /* of the next packet if that has no stamp */
    int64_t shift;              /* that is added to stamps */
    int64_t wrong_us;           /* arrival of the first packet in a row that disagrees; 0: the last one agreed */
};

/* stamp: the packet's time by its time stamp, from the clip's beginning; AUDIO_CLOCK_NONE: missing. arrived: by its arrival,
 * arrival_us on CLOCK_MONOTONIC. length: of the packet; 0: not known. false: the packet is dropped, and *ret is untouched. */
bool audio_clock_next(struct audio_clock *clock, int64_t stamp, int64_t arrived, int64_t arrival_us, int64_t length,
                      int64_t *ret);

#endif
