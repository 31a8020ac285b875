/* A static scene (core/score/static_scene.h) whose windows several workers run at once. Each asks in the order of the windows and
 * may have to wait, until the windows before have asked, and, where its frames alone can't decide, until those of them that
 * are being computed are done: what is static does not hang on who is faster. A window that moved never waits for the latter. */
#ifndef MEMAED_DAEMON_BASE_STATIC_GATE_H
#define MEMAED_DAEMON_BASE_STATIC_GATE_H

#include "core/score/calibration.h"

struct static_gate;

/* For a calibration with static limits, borrowed until close. rule: NULL: no alerts. 0 or -ENOMEM. */
int static_gate_open(struct static_gate **ret, const struct calibration *calibration, const struct plan *plan,
                     const struct static_rule *rule);
void static_gate_close(struct static_gate *gate);       /* takes NULL; nobody is at it */

/* Window `ticket`, tickets counting from 0 without gaps; all before have been claimed by workers that are running. true: it is
 * static, and *ret is its score; false: it is to be computed, then to be told by static_gate_leave() as *number. */
bool static_gate_enter(struct static_gate *gate, uint64_t ticket, const struct static_window *window, uint64_t *number,
                       struct static_score *ret);
void static_gate_leave(struct static_gate *gate, uint64_t number, const struct score_features *features,
                       const struct static_score *score);

#endif
