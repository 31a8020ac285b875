/* An explanation says why a window scored as it did: which voice (core/voice.h) is highest and where, which slots of the memory
 * have weight there, and how rare the score is. Plain data; core/explain/explain.h makes it. Any thread. */
#ifndef MEMAED_CORE_EXPLANATION_H
#define MEMAED_CORE_EXPLANATION_H

#include "core/record.h"

enum { EXPLANATION_SLOTS = 5, RARITY_SIZE = 48 };

/* A slot of the memory that answered, which means that its weight is above 0. Weights are means, 0 to 1. Those of all slots add
 * up to 1. */
struct explanation_slot {
    int slot;
    float weight;               /* over the queries at the loudest place, at all times of the window */
    float weight_of_picture;    /* over all queries of the window */
};

struct explanation {
    float reference, score;     /* score: equals reference if the model has no score of its own */
    float threshold, close_threshold;   /* of the model's calibration; NAN: it has none */
    double p_value;             /* share of normal windows that score as much or more; NAN: the calibration does not tell */
    double hours_between;       /* from one alert of normal footage to the next, with the threshold at this score; NAN as above */
    double footage_hours;       /* hours of footage from which it is known; NAN as above */
    struct voices voices;       /* NAN: the model has no such voice. VOICE_STILL is always NAN */
    enum voice loudest;         /* VOICES: none */
    float loudest_x, loudest_y; /* the centre of the cell with the highest value, in fractions of the picture */
    float loudest_value;        /* that value, in the unit of the score; without a score of its own, in that of the reference */
    struct boxes boxes;         /* around the parts that score; none without a score of its own */
    int n_slots;                /* 0: the network has no memory, or no slot answered */
    struct explanation_slot slots[EXPLANATION_SLOTS];   /* those with the largest weight, in that order */
    int slots_answering;        /* how many slots have a weight above 0 at the loudest place */
    int slots_of_memory;        /* all; 0: the network has no memory */
};

/* Writes how rare an event is that comes once in `hours`: "once in 12 days", "3 times an hour", or "all the time" from 1000 times
 * an hour on. Writes "" if hours is not above 0. The rate was measured on footage_hours of footage. A rate below once in 1000
 * times as long, or in 1000 years, becomes "less than once in 3 days". footage_hours NAN: only the 1000 years are a bound. */
void rarity_words(char out[RARITY_SIZE], double hours, double footage_hours);

#endif
