/* The rate at which a camera's pictures come, the share of the time that late ones take, and the share of pictures that their
 * decoder flagged as damaged, over the last seconds. Plain memory; one thread. */
#ifndef MEMAED_CORE_HEALTH_RATE_H
#define MEMAED_CORE_HEALTH_RATE_H

#include <stdint.h>

enum { RATE_S = 4, RATE_PICTURES = 1024 };      /* seconds that count; pictures of them at most */

struct rate {
    int64_t at_us[RATE_PICTURES];       /* a ring */
    int n, next;
};

void rate_clear(struct rate *rate);
void rate_add(struct rate *rate, int64_t at_us);        /* times rise */

/* Writes the pictures a second, from the median interval. Also writes which share of the last RATE_S seconds is in intervals of
 * more than 2.5 times the median, counting only what exceeds that. NAN: too few pictures came. */
void rate_measure(const struct rate *rate, int64_t now_us, float *per_s, float *late);

enum { DAMAGE_S = 10,           /* seconds that count */
       DAMAGE_OVER_S = 5 };     /* after so many without a damaged picture none counts any more */

struct damage {
    float share[DAMAGE_S];      /* of each second; a ring */
    int next;
    int sound_s;                /* seconds in a row without a damaged picture */
};

/* Takes a second of pictures, of which there was one or more. Returns the share of the last DAMAGE_S seconds. */
float damage_second(struct damage *damage, int damaged, int pictures);

#endif
