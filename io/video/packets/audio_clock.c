#include "io/video/packets/audio_clock.h"

#include <stdlib.h>

/* The time by a stamp that is there. false: it is ahead, and not yet known to be wrong. */
static bool time_of_stamp(struct audio_clock *clock, int64_t stamp, int64_t arrived, int64_t arrival_us, int64_t *ret)
{
    *ret = stamp + clock->shift;
    if (llabs(*ret - arrived) <= AUDIO_CLOCK_AGREE) {
        clock->wrong_us = 0;
        return true;
    }
    if (clock->wrong_us == 0)
        clock->wrong_us = arrival_us;
    if (arrival_us - clock->wrong_us < AUDIO_CLOCK_PATIENCE_US)
        return *ret < arrived;
    clock->shift = llabs(stamp - arrived) <= AUDIO_CLOCK_AGREE ? 0 : arrived - stamp;
    clock->wrong_us = 0;
    *ret = stamp + clock->shift;
    return true;
}

bool audio_clock_next(struct audio_clock *clock, int64_t stamp, int64_t arrived, int64_t arrival_us, int64_t length,
                      int64_t *ret)
{
    bool is_alone = !clock->known || length <= 0 || llabs(clock->follows - arrived) > 2 * AUDIO_CLOCK_AGREE;
    int64_t time = is_alone ? arrived : clock->follows;
    bool is_sane = stamp == AUDIO_CLOCK_NONE || time_of_stamp(clock, stamp, arrived, arrival_us, &time);
    if (!is_sane) {
        clock->follows += length;
        return false;
    }
    clock->known = true;
    clock->follows = time + length;
    if (time < 0 || time < arrived - AUDIO_CLOCK_OLDEST || (clock->begun && time <= clock->last))
        return false;
    clock->begun = true;
    clock->last = *ret = time;
    return true;
}
