#include <stdio.h>

#include "core/health/kind.h"
#include "io/config/config_health.h"
#include "io/config/config_keys.h"
#include "io/config/config_table.h"
#include "io/config/config_value.h"

/* All names of core/health/kind.h, in its order; a test compares them. */
#define KIND_NAMES \
    "frozen, slow, stutter, black, bright, low_contrast, colour_lost, colour_cast, blur, covered, noise, stripes, " \
    "corrupt, jitter, moved or light"

/* The kinds that hold alerts back unless the file says otherwise: alerts tell nothing of the scene then, or of the light. */
#define HOLD (health_bit(HEALTH_COVERED) | health_bit(HEALTH_JITTER) | health_bit(HEALTH_MOVED) | health_bit(HEALTH_LIGHT))

static const char *kind_name(int i)
{
    return health_kind_info((enum health_kind)i)->name;
}

static bool parse_kinds(const struct config_value *value, void *target)
{
    return !value->node || config_read_set(value, &(struct config_names){KIND_NAMES, HEALTH_KINDS, kind_name}, target);
}

/* Reports a kind that stands in both lists of one mapping. */
static void check_lists(const struct config_value *value, const struct config_health *health, const struct config_outcome *mark)
{
    char path[200];
    for (int kind = 0; kind < HEALTH_KINDS; kind++)
        if (health->hold & health->mark & health_bit((enum health_kind)kind)) {
            snprintf(path, sizeof path, "%.190s.mark", value->path);
            config_fault(&value->loader->faults, mark->line, mark->column, path,
                         "expected each kind in hold or in mark, got \"%s\" in both", kind_name(kind));
        }
}

static bool parse_health(const struct config_value *value, void *target)
{
    struct config_outcome outcomes[CONFIG_N_KEYS];
    struct config_health *health = target;
    char prefix[160];
    if (!config_is_mapping(value))
        return false;
    snprintf(prefix, sizeof prefix, "%s.", value->path);
    enum config_scope scope = value->row->scope == CONFIG_ROOT ? CONFIG_HEALTH : CONFIG_CAMERA_HEALTH;
    config_read_keys(value->loader, scope, value->node, value->line, value->column, prefix, health, outcomes);
    check_lists(value, health, config_outcome_of(outcomes, scope, "mark"));
    if (scope == CONFIG_CAMERA_HEALTH)
        return true;
    if (!health->has_hold)
        health->hold = HOLD & ~health->mark;
    if (!health->has_mark)
        health->mark = HEALTH_ALL & ~health->hold;
    return true;
}

void config_health_complete(struct config_health *of_camera, const struct config_health *of_all)
{
    if (!of_camera->has_enabled)
        of_camera->enabled = of_all->enabled;
    if (!of_camera->has_off)
        of_camera->off = of_all->off;
    if (!of_camera->has_learn)
        of_camera->learn_s = of_all->learn_s;
    if (!of_camera->has_hold)
        of_camera->hold = of_all->hold & ~of_camera->mark;
    if (!of_camera->has_mark)
        of_camera->mark = (of_all->has_mark ? of_all->mark : HEALTH_ALL) & ~of_camera->hold;
}

const struct config_type
    config_type_health = {"a mapping of keys", false, parse_health},
    config_type_kinds = {"a list of " KIND_NAMES, false, parse_kinds};
