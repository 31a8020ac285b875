#include "core/filter.h"

#include <string.h>

static bool touches(const struct alert_record *alert, const char *zone)
{
    for (int i = 0; i < alert->zones.n; i++)
        if (strcmp(alert->zones.name[i], zone) == 0)
            return true;
    return false;
}

static bool within(const struct alert_limits *limits, const struct alert_record *alert)
{
    if (!alert || alert->test)
        return true;
    bool of_zone = limits->n_zones == 0;
    for (size_t i = 0; i < limits->n_zones && !of_zone; i++)
        of_zone = touches(alert, limits->zones[i]);
    return of_zone && (!limits->has_min_score || alert->peak_score >= limits->min_score);
}

bool sink_filter_takes(const struct sink_filter *filter, const struct event *event)
{
    bool of_camera = !event->camera || filter->n_cameras == 0;
    for (size_t i = 0; i < filter->n_cameras && !of_camera; i++)
        of_camera = strcmp(filter->cameras[i], event->camera) == 0;
    return of_camera && (filter->types & event_bit(event->type)) && within(&filter->alerts, event->alert);
}

bool event_filter_takes(const struct event_filter *filter, const struct event *event)
{
    bool of_camera = filter->n_cameras == 0;
    for (size_t i = 0; i < filter->n_cameras && !of_camera; i++)
        of_camera = event->camera && strcmp(filter->cameras[i], event->camera) == 0;
    return of_camera && (!filter->types || filter->types & event_bit(event->type)) && within(&filter->alerts, event->alert);
}

bool alert_limits_any(const struct alert_limits *limits)
{
    return limits->n_zones > 0 || limits->has_min_score;
}
