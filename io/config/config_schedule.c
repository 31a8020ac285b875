#include <string.h>

#include "core/alerting/schedule.h"
#include "io/base/zone.h"
#include "io/config/config_value.h"

static bool parse_zone(const struct config_value *value, void *target)
{
    struct config_shown shown;
    struct zone *zone;
    if (zone_open(&zone, value->text, NULL) < 0)
        return config_got(value, "\"%s\"", config_show(&shown, value->node->text));
    zone_close(zone);
    *(char **)target = config_copy(value->loader, value->text);
    return true;
}

/* Appends the span of one text. */
static bool parse_span(const struct config_value *value, const struct config_node *node, struct schedule *schedule)
{
    struct config_shown shown;
    struct error err;
    if (node->bad)
        return false;
    if (node->type != CONFIG_SCALAR) {
        config_fault(&value->loader->faults, node->line, node->column, value->path,
                     "expected days and times such as \"mon-fri 18:00-07:00\", got %s", config_kind(node));
        return false;
    }
    if (schedule_parse(&schedule->spans[schedule->n], node->text, &err) < 0) {
        config_fault(&value->loader->faults, node->line, node->column, value->path, "%s, in \"%s\"", err.text,
                     config_show(&shown, node->text));
        return false;
    }
    schedule->n++;
    return true;
}

static bool parse_armed(const struct config_value *value, void *target)
{
    const struct config_node *node = value->node;
    struct schedule *schedule = target;
    struct error err;
    bool right = true;
    schedule->n = 0;
    if (node->type == CONFIG_SCALAR && strcmp(node->text, "always") == 0)
        schedule->n = schedule_parse(&schedule->spans[0], "mon-sun", &err) == 0;
    else if (node->type == CONFIG_SCALAR && strcmp(node->text, "never") != 0)
        right = parse_span(value, node, schedule);
    else if (node->type == CONFIG_MAPPING)
        right = config_got(value, "%s", config_kind(node));
    else if (node->type == CONFIG_SEQUENCE && (node->n < 1 || node->n > SCHEDULE_SPANS_MAX))
        right = config_got(value, "a list of %zu", node->n);
    else if (node->type == CONFIG_SEQUENCE)
        for (size_t i = 0; i < node->n; i++)
            right &= parse_span(value, node->items[i], schedule);
    return right;
}

const struct config_type
    config_type_zone = {"a time zone such as Europe/Berlin", true, parse_zone},
    config_type_armed = {"always, never, or a list of 1 to 32 texts of days and times such as \"mon-fri 18:00-07:00\"", false,
                         parse_armed};
