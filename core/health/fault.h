/* Opens and closes faults, each after its number of seconds in a row beyond its threshold, or within it. A fault that explains
 * others keeps them as they are. Within core/health alone. Plain memory; one thread. */
#ifndef MEMAED_CORE_HEALTH_FAULT_H
#define MEMAED_CORE_HEALTH_FAULT_H

#include "core/health/health.h"

struct fault {
    int bad_s, good_s;          /* seconds in a row */
    int64_t bad_us, good_us;    /* when those began */
    double worst;
};

/* The kinds, as bits, that are open or beyond their threshold for opening. measure [HEALTH_KINDS]. */
unsigned faults_suspected(const struct health_measure *measure);

/* Moves all faults on by a second that was judged, and began at begun_us, but for those of the kinds that are off. Writes `open`
 * and `since_us` of their measures. fault and measure [HEALTH_KINDS]. Writes what opened and closed to ret [HEALTH_KINDS].
 * Returns how many. */
int faults_step(struct fault *fault, struct health_measure *measure, unsigned off, int64_t begun_us, struct health_change *ret);

/* Times begin anew at now_us: seconds in a row end, and open faults stay open, since now. */
void faults_break_off(struct fault *fault, struct health_measure *measure, int64_t now_us);

#endif
