#include "daemon/learn/display.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "daemon/base/log.h"
#include "io/base/clock.h"

void display_begin(struct display *display)
{
    int64_t now = monotonic_us();
    bool terminal = isatty(STDERR_FILENO);
    *display = (struct display){.terminal = terminal, .last_us = now, .shown_us = terminal ? 0 : now};
}

void display_show(void *display, const struct learner_progress *p)
{
    struct display *d = display;
    int64_t now = monotonic_us();
    d->mse += p->loss.mse;
    d->entropy += p->loss.entropy;
    d->steps++;
    if (now - d->shown_us < (d->terminal ? 500000 : 10000000))
        return;
    double n = (double)d->steps, cubes = (double)(p->windows_learned - d->windows_shown) / ((double)(now - d->last_us) * 1e-6);
    double left = p->progress > 0 ? p->seconds * (1 - p->progress) / p->progress : 0;
    if (d->terminal) {
        char bar[31];
        int done = (int)(30 * p->progress);
        memset(bar, '-', 30);
        memset(bar, '#', (size_t)(done < 30 ? done : 30));
        bar[30] = 0;
        fprintf(stderr, "\r[%s] step %ld  error %.5f  slots %d (%.0f)  %.1f cubes/s  %d:%02d left \033[K", bar,
                p->step, d->mse / n, p->health.used, p->health.effective, cubes, (int)left / 60, (int)left % 60);
    } else {
        struct log_number step, mse, entropy, slots, effective, reseeded, dead, shrink, rate, left_s;
        log_event(LOG_INFO, "learning", "step", log_int(&step, p->step), "error", log_real(&mse, d->mse / n), "entropy",
                  log_real(&entropy, d->entropy / n), "slots_used", log_int(&slots, p->health.used), "slots_effective",
                  log_real(&effective, p->health.effective), "slots_reseeded", log_int(&reseeded, p->slots_reseeded),
                  "queries_dead", log_real(&dead, p->health.dead), "shrink", log_real(&shrink, p->shrink),
                  "cubes_per_s", log_real(&rate, cubes), "left_s",
                  log_real(&left_s, round(left)), NULL);
    }
    d->mse = d->entropy = 0;
    d->steps = 0;
    d->shown_us = d->last_us = now;
    d->windows_shown = p->windows_learned;
}

void display_end(struct display *display)
{
    if (display->terminal)
        fputc('\n', stderr);
}
