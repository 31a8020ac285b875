/* Voices: the parts of a score. Each measures by itself how unusual a picture is. All but the last make up the score of a window
 * (core/score/score.h). VOICE_STILL measures what has stood still for the last minutes (core/still/still.h). */
#ifndef MEMAED_CORE_VOICE_H
#define MEMAED_CORE_VOICE_H

enum voice {
    VOICE_SPEED,                /* how fast things move */
    VOICE_CHANGE,               /* change that the network did not reconstruct */
    VOICE_PACE,                 /* how fast things move for their distance from the camera */
    VOICE_APPEARANCE,           /* how badly the network reconstructs a place that it usually reconstructs better */
    VOICE_STILL,                /* what was left, taken or moved, or stays where nothing does */
    VOICES,
    SCORE_VOICES = VOICE_STILL  /* how many make up the score of a window */
};

/* The score that a window would have by one voice alone. NAN: the model has no such voice, or the voice has no value yet. */
struct voices {
    float score[VOICES];
};

const char *voice_name(enum voice voice);               /* "speed" */
enum voice voices_loudest(const struct voices *voices); /* VOICES if all are NAN */

#endif
