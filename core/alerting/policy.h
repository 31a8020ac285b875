/* The policy decides which alerts of a camera and a kind are told, that is, sent to sinks and listed. An alert is suppressed
 *   cooldown   for a time after a told alert closed;
 *   rate       while so many alerts have been told within an hour.
 * An alert that is worse than what was told is never suppressed. Worse: its peak exceeds, by a margin, that of the last told
 * alert and the highest score among those told within an hour. The caller asks again about a suppressed alert while its cause
 * lasts. So it is told as soon as it becomes worse or nothing holds it back any more. Until then it counts neither for the
 * cooldown nor for the rate.
 *
 * Pure, driven by the times of the footage. A clock may be set back: cooldown and hour then run from the new time on, instead
 * of until the clock has caught up. One thread (or lock) per policy. */
#ifndef MEMAED_CORE_ALERTING_POLICY_H
#define MEMAED_CORE_ALERTING_POLICY_H

#include "core/record.h"

enum { POLICY_MOST_PER_HOUR = 60 };
enum { POLICY_DEFAULT_COOLDOWN_S = 60, POLICY_DEFAULT_PER_HOUR = 12 };

struct policy_rule {
    int64_t cooldown_us;                /* 0: none */
    int max_per_hour;                   /* 0: no limit; at most POLICY_MOST_PER_HOUR */
    double margin;                      /* >= 0, in units of the score */
};

struct policy_told {
    int64_t time_us;
    double peak;
};

struct policy {
    struct policy_rule rule;
    struct policy_told told[POLICY_MOST_PER_HOUR];      /* the last ones; told[last] is the newest */
    int n, last;
    bool ever_closed;
    int64_t closed_us;                  /* when the last told alert closed */
};

/* The margin for scores: 1 if they are logarithms of hours, so that worse means e times as rare; else half the threshold. */
double policy_margin(bool is_logarithm, double threshold);
/* The rule that applies where the configuration sets none. */
struct policy_rule policy_rule_default(double margin);

void policy_init(struct policy *policy, const struct policy_rule *rule);

/* Returns SUPPRESSED_NOT if an alert with that peak is told at time_us; it then counts. Otherwise returns the reason why it is
 * suppressed. */
enum alert_suppressed policy_ask(struct policy *policy, double peak, int64_t time_us);
/* Takes the peak of the alert that was told last, after it rose. */
void policy_rose(struct policy *policy, double peak);
/* The alert that was told last closed: the cooldown begins. */
void policy_closed(struct policy *policy, int64_t closed_us);

#endif
