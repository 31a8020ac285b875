/* Voices: each says by itself how unusual a picture is. All but the last make up the score of a window
 * (core/score/score.h). VOICE_STILL says what the last minutes show (core/still/still.h). */
#ifndef MEMAED_CORE_VOICE_H
#define MEMAED_CORE_VOICE_H

enum voice {
    VOICE_SPEED,                /* how fast things move */
    VOICE_CHANGE,               /* change that the network did not draw */
    VOICE_PACE,                 /* how fast things move for their distance from the camera */
    VOICE_APPEARANCE,           /* how badly the network draws a place that it usually draws better */
    VOICE_STILL,                /* what was left, taken or moved, or stays where nothing does */
    VOICES,
    SCORE_VOICES = VOICE_STILL  /* how many make up the score of a window */
};

/* The score that a window would have if one voice alone spoke. NAN: the model has no such voice, or the voice has no opinion
 * yet. */
struct voices {
    float score[VOICES];
};

const char *voice_name(enum voice voice);               /* "speed" */
enum voice voices_loudest(const struct voices *voices); /* VOICES if all are NAN */

#endif
