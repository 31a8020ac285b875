#include "io/base/zone.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include <glib.h>

/* struct zone is GLib's GTimeZone under a name of our own. */

/* GLib takes a name for the path of a file, too. The names of tzdata hold nothing but these characters. */
static bool is_name(const char *name)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/";
    return *name && *name != '/' && name[strspn(name, letters)] == '\0';
}

int zone_open(struct zone **ret, const char *name, struct error *err)
{
    GTimeZone *found = !name ? g_time_zone_new_local() : is_name(name) ? g_time_zone_new_identifier(name) : NULL;
    if (!found)
        return error_set(err, -EINVAL, "expected a time zone such as Europe/Berlin, got \"%s\"", name);
    *ret = (struct zone *)found;
    return 0;
}

void zone_close(struct zone *zone)
{
    if (zone)
        g_time_zone_unref((GTimeZone *)zone);
}

int zone_offset_s(void *zone, int64_t utc_s)
{
    return g_time_zone_get_offset(zone, g_time_zone_find_interval(zone, G_TIME_TYPE_UNIVERSAL, utc_s));
}
