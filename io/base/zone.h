/* Time zones by name, as the machine's tzdata knows them ("Europe/Berlin"), through GLib. A zone is immutable; any thread may
 * use it. */
#ifndef MEMAED_IO_BASE_ZONE_H
#define MEMAED_IO_BASE_ZONE_H

#include <stdint.h>

#include "core/error.h"

struct zone;

/* name NULL: the machine's own zone. 0; -EINVAL with the cause in err: no zone has that name. */
int zone_open(struct zone **ret, const char *name, struct error *err);
void zone_close(struct zone *zone);                     /* takes NULL */

/* Seconds from UTC to the local time of the zone at the moment utc_s (since 1970). zone is a struct zone: this is the
 * offset_s of struct schedule_place (core/alerting/schedule.h). */
int zone_offset_s(void *zone, int64_t utc_s);

#endif
