#include "core/filter.h"

#include <string.h>

bool event_filter_takes(const struct event_filter *filter, enum event_type type, const char *camera)
{
    bool found = filter->n_cameras == 0;
    for (size_t i = 0; i < filter->n_cameras && !found; i++)
        found = strcmp(filter->cameras[i], camera) == 0;
    return found && (!filter->types || filter->types & event_bit(type));
}
