#include <string.h>

#include "io/config/config.h"

static bool texts_equal(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

/* Numbers are compared only if their keys were given. */
static bool numbers_equal(bool has_a, double a, bool has_b, double b)
{
    return has_a == has_b && (!has_a || a == b);
}

static bool alerts_equal(const struct config_alert *a, const struct config_alert *b)
{
    return numbers_equal(a->has_threshold, a->threshold, b->has_threshold, b->threshold) &&
           numbers_equal(a->has_per_day, a->per_day, b->has_per_day, b->per_day) &&
           numbers_equal(a->has_close_threshold, a->close_threshold, b->has_close_threshold, b->close_threshold) &&
           a->k == b->k && a->n == b->n && a->smooth_s == b->smooth_s && a->min_duration_s == b->min_duration_s &&
           a->merge_s == b->merge_s && a->cooldown_s == b->cooldown_s && a->max_per_hour == b->max_per_hour &&
           a->lasting_h == b->lasting_h;
}

/* Compares the values that apply, whether the camera gives them or the file does for all. */
static bool evidence_equal(const struct config_evidence *a, const struct config_evidence *b)
{
    return texts_equal(a->source, b->source) && a->snapshots == b->snapshots && a->clips == b->clips &&
           a->masked_clips == b->masked_clips && a->unmasked_clips == b->unmasked_clips && a->audio == b->audio &&
           a->pre_roll_s == b->pre_roll_s && a->post_roll_s == b->post_roll_s && a->max_clip_s == b->max_clip_s &&
           a->ring_mib == b->ring_mib;
}

static bool health_equal(const struct config_health *a, const struct config_health *b)
{
    return a->enabled == b->enabled && a->off == b->off && a->hold == b->hold && a->mark == b->mark && a->learn_s == b->learn_s;
}

bool config_camera_equal(const struct config_camera *a, const struct config_camera *b)
{
    return texts_equal(a->name, b->name) && texts_equal(a->source, b->source) && texts_equal(a->user, b->user) &&
           texts_equal(a->password, b->password) && texts_equal(a->model, b->model) &&
           texts_equal(a->tls_ca_file, b->tls_ca_file) && texts_equal(a->tls_host, b->tls_host) &&
           a->tls_verify == b->tls_verify && a->udp == b->udp && a->fps == b->fps && a->fps_force == b->fps_force &&
           a->precision == b->precision &&
           a->compute_all == b->compute_all && a->stride == b->stride && a->loop == b->loop &&
           a->stall_timeout_s == b->stall_timeout_s && a->backlog == b->backlog && alerts_equal(&a->alert, &b->alert) &&
           zones_equal(a->zones, b->zones) && evidence_equal(&a->evidence, &b->evidence) &&
           health_equal(&a->health, &b->health);
}

static bool lists_equal(char *const *a, size_t n_a, char *const *b, size_t n_b)
{
    bool equal = n_a == n_b;
    for (size_t i = 0; equal && i < n_a; i++)
        equal = strcmp(a[i], b[i]) == 0;
    return equal;
}

static bool filters_equal(const struct sink_filter *a, const struct sink_filter *b)
{
    bool equal = a->types == b->types && lists_equal(a->cameras, a->n_cameras, b->cameras, b->n_cameras) &&
                 a->alerts.n_zones == b->alerts.n_zones &&
                 numbers_equal(a->alerts.has_min_score, a->alerts.min_score, b->alerts.has_min_score, b->alerts.min_score);
    for (size_t i = 0; equal && i < a->alerts.n_zones; i++)
        equal = strcmp(a->alerts.zones[i], b->alerts.zones[i]) == 0;
    return equal;
}

bool config_webhook_equal(const struct config_webhook *a, const struct config_webhook *b)
{
    return texts_equal(a->name, b->name) && texts_equal(a->url, b->url) && texts_equal(a->ca_file, b->ca_file) &&
           texts_equal(a->public_url, b->public_url) && a->snapshot == b->snapshot &&
           a->snapshot_max_kib == b->snapshot_max_kib &&
           a->secret_size == b->secret_size &&
           memcmp(a->secret, b->secret, a->secret_size) == 0 && a->old_secret_size == b->old_secret_size &&
           memcmp(a->old_secret, b->old_secret, a->old_secret_size) == 0 && filters_equal(&a->filter, &b->filter) &&
           a->max_per_minute == b->max_per_minute &&
           a->give_up_h == b->give_up_h && a->timeout_s == b->timeout_s;
}

bool config_webhooks_equal(const struct config *a, const struct config *b)
{
    if (a->n_webhooks != b->n_webhooks)
        return false;
    for (size_t i = 0; i < a->n_webhooks; i++)
        if (!config_webhook_equal(&a->webhooks[i], &b->webhooks[i]))
            return false;
    return true;
}
