#include <math.h>
#include <stdio.h>

#include "core/explain/explain.h"
#include "core/picture/why.h"

enum { TEXT = 256 };

/* The meaning of a voice, in the words of a person who looks at the picture. */
static const char *meaning_of(enum voice voice)
{
    static const char *const meanings[] = {
        [VOICE_SPEED] = "something moves fast",
        [VOICE_CHANGE] = "a change that the memory cannot draw",
        [VOICE_PACE] = "something moves fast for this place",
        [VOICE_APPEARANCE] = "a place looks unlike itself",
        [VOICE_STILL] = "something was left, taken or moved",
    };
    return meanings[voice];
}

static void say_rarity(char out[TEXT], const struct explanation *e)
{
    char rarity[RARITY_SIZE];
    rarity_words(rarity, e->hours_between, e->footage_hours);
    int n = snprintf(out, TEXT, "score %.2f", (double)e->score);
    if (isfinite(e->threshold))
        n += snprintf(out + n, (size_t)(TEXT - n), ", alerts from %.2f", (double)e->threshold);
    if (e->score >= e->close_threshold && *rarity)
        snprintf(out + n, (size_t)(TEXT - n), ": %s, as far as %.2g hours of footage tell", rarity,
                 e->footage_hours);
    else if (!isnan(e->p_value))
        snprintf(out + n, (size_t)(TEXT - n), ": as usual, %.2g of 100 normal windows score as much", 100 * e->p_value);
}

static void say_voices(char out[TEXT], const struct explanation *e)
{
    if (e->loudest == VOICES) {
        snprintf(out, TEXT, "the score is the reconstruction error; no voice speaks");
        return;
    }
    int n = snprintf(out, TEXT, "loudest voice: %s (%s);", voice_name(e->loudest), meaning_of(e->loudest));
    for (int v = 0; v < VOICES; v++)
        if (!isnan(e->voices.score[v]))
            n += snprintf(out + n, (size_t)(TEXT - n), " %s %.1f", voice_name((enum voice)v), (double)e->voices.score[v]);
}

static void say_slots(char out[TEXT], const struct explanation *e)
{
    if (e->n_slots == 0) {
        snprintf(out, TEXT, e->slots_of_memory ? "no slot of the memory answered" : "the network has no memory");
        return;
    }
    int n = snprintf(out, TEXT, "memory: %d of %d slots answered at the loudest place:", e->slots_answering, e->slots_of_memory);
    for (int i = 0; i < e->n_slots; i++)
        n += snprintf(out + n, (size_t)(TEXT - n), "%s %d (%.0f%%)", i ? "," : "", e->slots[i].slot,
                      100 * (double)e->slots[i].weight);
}

int explain_draw(struct picture *ret, const struct explained *explained, const struct explain_frame *frame)
{
    const struct heat_scale *scale = &explained->scale;
    struct picture drawn;
    char low[32], alert[32] = "", end[32], rarity[TEXT], voices[TEXT], slots[TEXT];
    snprintf(low, sizeof low, "%.2g %s", (double)scale->usual, explained->is_calibrated ? "usual" : "mean");
    if (explained->is_calibrated)
        snprintf(alert, sizeof alert, "%.2g alert", (double)scale->alert);
    snprintf(end, sizeof end, "%.2g", (double)heat_end(scale));
    say_rarity(rarity, &explained->explanation);
    say_voices(voices, &explained->explanation);
    say_slots(slots, &explained->explanation);
    int r = picture_from_gray(&drawn, explained->drawn, explained->width, explained->height);
    if (r < 0)
        return r;
    r = why_draw(ret, &(struct why){.frame = frame->picture, .drawn = &drawn, .map = explained->heat, .scale = *scale,
                                    .boxes = frame->boxes, .masks = frame->masks, .n_masks = frame->n_masks,
                                    .caption = frame->caption, .usual = low, .alert = alert, .end = end,
                                    .lines = {rarity, voices, slots}});
    picture_close(&drawn);
    return r;
}
