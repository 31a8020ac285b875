#include "core/alerting/policy.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#define HOUR_US INT64_C(3600000000)

double policy_margin(bool is_logarithm, double threshold)
{
    return is_logarithm ? 1 : fabs(threshold) / 2;
}

struct policy_rule policy_rule_default(double margin)
{
    return (struct policy_rule){.cooldown_us = POLICY_DEFAULT_COOLDOWN_S * INT64_C(1000000),
                                .max_per_hour = POLICY_DEFAULT_PER_HOUR, .margin = margin};
}

void policy_init(struct policy *policy, const struct policy_rule *rule)
{
    assert(rule->cooldown_us >= 0 && rule->margin >= 0);
    assert(rule->max_per_hour >= 0 && rule->max_per_hour <= POLICY_MOST_PER_HOUR);
    memset(policy, 0, sizeof *policy);
    policy->rule = *rule;
    policy->last = POLICY_MOST_PER_HOUR - 1;
}

/* Moves times that lie in the future to the present: the clock was set back. */
static void follow_clock(struct policy *policy, int64_t time_us)
{
    if (policy->closed_us > time_us)
        policy->closed_us = time_us;
    for (int i = 0; i < policy->n; i++)
        if (policy->told[i].time_us > time_us)
            policy->told[i].time_us = time_us;
}

enum alert_suppressed policy_ask(struct policy *policy, double peak, int64_t time_us)
{
    const struct policy_rule *rule = &policy->rule;
    enum alert_suppressed suppressed = SUPPRESSED_NOT;
    double highest = -INFINITY;
    int within_hour = 0;

    follow_clock(policy, time_us);
    for (int i = 0; i < policy->n; i++) {
        bool recent = time_us - policy->told[i].time_us < HOUR_US;
        within_hour += recent;
        if (recent || i == policy->last)
            highest = fmax(highest, policy->told[i].peak);
    }
    if (policy->ever_closed && time_us - policy->closed_us < rule->cooldown_us)
        suppressed = SUPPRESSED_COOLDOWN;
    else if (rule->max_per_hour > 0 && within_hour >= rule->max_per_hour)
        suppressed = SUPPRESSED_RATE;
    if (suppressed && !(peak > highest + rule->margin))
        return suppressed;

    policy->last = (policy->last + 1) % POLICY_MOST_PER_HOUR;
    policy->told[policy->last] = (struct policy_told){time_us, peak};
    if (policy->n < POLICY_MOST_PER_HOUR)
        policy->n++;
    return SUPPRESSED_NOT;
}

void policy_rose(struct policy *policy, double peak)
{
    policy->told[policy->last].peak = fmax(policy->told[policy->last].peak, peak);
}

void policy_closed(struct policy *policy, int64_t closed_us)
{
    policy->ever_closed = true;
    policy->closed_us = closed_us;
}
