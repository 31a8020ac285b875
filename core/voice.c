#include "core/voice.h"

#include <math.h>

const char *voice_name(enum voice voice)
{
    static const char *const names[VOICES] = {"speed", "change", "pace", "appearance", "still"};
    return names[voice];
}

enum voice voices_loudest(const struct voices *voices)
{
    int loudest = VOICES;
    for (int v = 0; v < VOICES; v++)
        if (!isnan(voices->score[v]) && (loudest == VOICES || voices->score[v] > voices->score[loudest]))
            loudest = v;
    return (enum voice)loudest;
}
