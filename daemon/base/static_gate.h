/* A static scene (core/score/static_scene.h) for several workers that run its windows at once. The gate decides on windows
 * in their order, so the result does not depend on which worker is faster. A worker waits until all earlier windows were
 * decided. If the frames alone cannot decide, it also waits until the earlier windows under computation are done. A window
 * in which something moved never waits for that. Any thread. */
#ifndef MEMAED_DAEMON_BASE_STATIC_GATE_H
#define MEMAED_DAEMON_BASE_STATIC_GATE_H

#include "core/score/calibration.h"

struct static_gate;

/* calibration has static limits and is borrowed until close; plan is borrowed for the call. rule NULL: no alerts are made
 * from the scores. Returns 0 or -ENOMEM. */
int static_gate_open(struct static_gate **ret, const struct calibration *calibration, const struct plan *plan,
                     const struct static_rule *rule);
void static_gate_close(struct static_gate *gate);       /* takes NULL; no thread may be inside */

/* Decides on the window with this ticket. Tickets count from 0 without gaps. Running workers hold all earlier ones, else this
 * waits for ever. true: the window is static, and *ret is its score. false: the caller computes the window, then reports it as
 * *number by static_gate_leave(). */
bool static_gate_enter(struct static_gate *gate, uint64_t ticket, const struct static_window *window, uint64_t *number,
                       struct static_score *ret);
void static_gate_leave(struct static_gate *gate, uint64_t number, const struct score_features *features,
                       const struct static_score *score);

#endif
