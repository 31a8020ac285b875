/* The voices of a score (core/score/score.h): each says by itself how unusual a window is. */
#ifndef MEMAED_CORE_VOICE_H
#define MEMAED_CORE_VOICE_H

enum voice {
    VOICE_SPEED,                /* how fast things move */
    VOICE_CHANGE,               /* change that the network did not draw */
    VOICE_PACE,                 /* how fast things move for their distance from the camera */
    VOICE_APPEARANCE,           /* how badly the network draws a place that it usually draws better */
    VOICES
};

/* The score that a window would have if one voice alone spoke. NAN: the model has no such voice. */
struct voices {
    float score[VOICES];
};

const char *voice_name(enum voice voice);               /* "speed" */
enum voice voices_loudest(const struct voices *voices); /* VOICES if all are NAN */

#endif
