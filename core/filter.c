#include "core/filter.h"

#include <string.h>

bool alert_filter_takes(const struct alert_filter *filter, const struct alert_record *alert)
{
    bool is_open = alert->closed_us == 0;
    return (!*filter->camera || strcmp(filter->camera, alert->camera) == 0) &&
           (filter->state == ALERT_ANY || (filter->state == ALERT_IS_OPEN) == is_open) &&
           (!filter->kinds || filter->kinds >> alert->kind & 1) &&
           (!filter->has_from || is_open || alert->closed_us >= filter->from_us) &&
           (!filter->has_to || alert->opened_us < filter->to_us);
}

bool event_filter_takes(const struct event_filter *filter, enum event_type type, const char *camera)
{
    bool found = filter->n_cameras == 0;
    for (size_t i = 0; i < filter->n_cameras && !found; i++)
        found = strcmp(filter->cameras[i], camera) == 0;
    return found && (!filter->types || filter->types & event_bit(type));
}
