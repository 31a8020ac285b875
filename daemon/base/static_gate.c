#include "daemon/base/static_gate.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "io/base/lock.h"

struct static_gate {
    struct lock lock;               /* guards the scene and next */
    pthread_cond_t moved_on;        /* a window was decided, or a computed one was reported */
    struct static_scene *scene;
    uint64_t next;                  /* ticket of the window to be decided next */
};

int static_gate_open(struct static_gate **ret, const struct calibration *calibration, const struct plan *plan,
                     const struct static_rule *rule)
{
    const struct static_rule none = {.threshold = INFINITY, .close_threshold = INFINITY, .k = 1, .n = 1};
    struct static_gate *gate = calloc(1, sizeof *gate);
    if (!gate)
        return -ENOMEM;
    int r = static_scene_open(&gate->scene, plan_arch(plan), &calibration->still, &calibration->score,
                              calibration_static_bound(calibration, plan_precision(plan)), rule ? rule : &none);
    if (r < 0) {
        free(gate);
        return r;
    }
    lock_init(&gate->lock, LOCK_STATIC);
    lock_cond_init(&gate->moved_on);
    *ret = gate;
    return 0;
}

void static_gate_close(struct static_gate *gate)
{
    if (!gate)
        return;
    pthread_cond_destroy(&gate->moved_on);
    lock_destroy(&gate->lock);
    static_scene_close(gate->scene);
    free(gate);
}

bool static_gate_enter(struct static_gate *gate, uint64_t ticket, const struct static_window *window, uint64_t *number,
                       struct static_score *ret)
{
    enum static_verdict verdict;
    lock_take(&gate->lock);
    while (gate->next != ticket || (verdict = static_scene_decide(gate->scene, window, number, ret)) == STATIC_WAIT)
        lock_wait(&gate->lock, &gate->moved_on);
    gate->next++;
    pthread_cond_broadcast(&gate->moved_on);
    lock_give(&gate->lock);
    return verdict == STATIC_YES;
}

void static_gate_leave(struct static_gate *gate, uint64_t number, const struct score_features *features,
                       const struct static_score *score)
{
    lock_take(&gate->lock);
    static_scene_scored(gate->scene, number, features, score);
    pthread_cond_broadcast(&gate->moved_on);
    lock_give(&gate->lock);
}
