#include "daemon/watch/evidence/peak.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "io/base/lock.h"

#define PAUSE_US INT64_C(3000000)

struct peak {
    int length;
    size_t frame_size;
    int64_t pause_us;
    struct lock lock;           /* guards all below */
    bool has_window;
    struct peak_window window;
    int64_t last_us;            /* arrival of the last window that was offered */
    uint8_t pixels[];           /* [length, frame_size] */
};

int peak_open(struct peak **ret, int length, size_t frame_size, int64_t smooth_us)
{
    struct peak *peak = calloc(1, sizeof *peak + (size_t)length * frame_size);
    if (!peak)
        return -ENOMEM;
    peak->length = length;
    peak->frame_size = frame_size;
    peak->pause_us = PAUSE_US + smooth_us;
    lock_init(&peak->lock, LOCK_VIEW);
    *ret = peak;
    return 0;
}

void peak_close(struct peak *peak)
{
    if (!peak)
        return;
    lock_destroy(&peak->lock);
    free(peak);
}

size_t peak_bytes(const struct peak *peak)
{
    return (size_t)peak->length * peak->frame_size;
}

/* Workers may offer windows out of order, so last_us is the latest. */
void peak_offer(struct peak *peak, const struct peak_window *window, const uint8_t *const *frames)
{
    lock_take(&peak->lock);
    bool another_cause = window->arrival_us - peak->last_us > peak->pause_us;
    if (!peak->has_window || another_cause || window->level > peak->window.level) {
        peak->has_window = true;
        peak->window = *window;
        for (int i = 0; i < peak->length; i++)
            memcpy(peak->pixels + (size_t)i * peak->frame_size, frames[i], peak->frame_size);
    }
    if (window->arrival_us > peak->last_us)
        peak->last_us = window->arrival_us;
    lock_give(&peak->lock);
}

bool peak_read(struct peak *peak, int64_t since_us, struct peak_window *ret, uint8_t *pixels)
{
    lock_take(&peak->lock);
    bool found = peak->has_window && peak->window.time_us >= since_us - peak->pause_us;
    if (found) {
        *ret = peak->window;
        memcpy(pixels, peak->pixels, peak_bytes(peak));
    }
    lock_give(&peak->lock);
    return found;
}
