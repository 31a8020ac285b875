#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/config/config_keys.h"
#include "io/config/config_table.h"
#include "io/config/config_value.h"

/* ---- masks and zones -------------------------------------------------------------------------------------------------- */

/* The masks and zones of a camera; NULL: memory is short, which the loader notes. */
static struct zones *zones_at(struct config_loader *loader, void *target)
{
    struct zones **zones = target;
    if (!*zones && !(*zones = calloc(1, sizeof **zones)))
        loader->faults.out_of_memory = true;
    return *zones;
}

static bool parse_masks(const struct config_value *value, void *target)
{
    const struct config_node *list = value->node;
    struct config_outcome outcomes[CONFIG_N_KEYS];
    char path[160], prefix[160];
    if (!list || config_is_null(list))
        return true;
    if (list->type != CONFIG_SEQUENCE)
        return config_got(value, "%s", config_kind(list));
    if (list->n > ZONES_MASKS_MOST)
        return config_got(value, "%zu", list->n);
    struct zones *zones = zones_at(value->loader, target);
    for (size_t i = 0; zones && i < list->n; i++) {
        const struct config_node *item = list->items[i];
        if (item->bad)
            continue;
        snprintf(path, sizeof path, "%.140s[%zu]", value->path, i);
        snprintf(prefix, sizeof prefix, "%.158s.", path);
        if (item->type == CONFIG_MAPPING)
            config_read_keys(value->loader, CONFIG_MASK, item, item->line, item->column, prefix, &zones->mask[zones->n_masks++],
                      outcomes);
        else
            config_fault(&value->loader->faults, item->line, item->column, path,
                         "expected a mapping of keys: points, ...; got %s", config_kind(item));
    }
    return zones != NULL;
}

static void read_zone(struct config_loader *loader, const struct config_node *name, const struct config_node *node,
                      const char *parent, struct zone *zone)
{
    struct config_outcome outcomes[CONFIG_N_KEYS];
    struct config_shown shown;
    char path[160], prefix[160];
    snprintf(path, sizeof path, "%.110s.%s", parent, config_show_key(&shown, name->text));
    snprintf(prefix, sizeof prefix, "%.158s.", path);
    *zone = (struct zone){.line = name->line, .column = name->column};
    if (!config_zone_name(zone->name, name->text))
        config_fault(&loader->faults, name->line, name->column, path, "expected a name of %s", config_zone_names);
    if (node->type == CONFIG_MAPPING || config_is_null(node))
        config_read_keys(loader, CONFIG_ZONE, node, name->line, name->column, prefix, zone, outcomes);
    else
        config_fault(&loader->faults, node->line, node->column, path, "expected a mapping of keys: points, ...; got %s",
                     config_kind(node));
}

static bool parse_zones(const struct config_value *value, void *target)
{
    const struct config_node *node = value->node;
    if (!config_is_mapping(value))
        return false;
    if (!node || config_is_null(node) || node->n == 0)
        return true;
    if (node->n / 2 > ZONES_MOST)
        return config_got(value, "%zu", node->n / 2);
    struct zones *zones = zones_at(value->loader, target);
    for (size_t i = 0; zones && i < node->n; i += 2) {
        const struct config_node *name = node->items[i];
        for (size_t first = 0; first < i; first += 2)
            if (strcmp(node->items[first]->text, name->text) == 0) {
                struct config_shown shown;
                config_fault(&value->loader->faults, name->line, name->column, value->path,
                             "\"%s\" is given twice (first on line %d); give each zone a name of its own",
                             config_show_key(&shown, name->text), node->items[first]->line);
                break;
            }
        if (!node->items[i + 1]->bad)
            read_zone(value->loader, name, node->items[i + 1], value->path, &zones->zone[zones->n++]);
    }
    return zones != NULL;
}

/* ---- evidence --------------------------------------------------------------------------------------------------------- */

static bool parse_evidence(const struct config_value *value, void *target)
{
    struct config_outcome outcomes[CONFIG_N_KEYS];
    char prefix[160];
    if (!config_is_mapping(value))
        return false;
    snprintf(prefix, sizeof prefix, "%s.", value->path);
    enum config_scope scope = value->row->scope == CONFIG_ROOT ? CONFIG_EVIDENCE : CONFIG_CAMERA_EVIDENCE;
    config_read_keys(value->loader, scope, value->node, value->line, value->column, prefix, target, outcomes);
    if (scope == CONFIG_EVIDENCE)
        return true;
    struct config_evidence *evidence = target;
    const struct config_outcome *source = config_outcome_of(outcomes, CONFIG_CAMERA_EVIDENCE, "source");
    evidence->source_holds_password = source->node && !source->bad && config_holds_password(source->node->text);
    return true;
}

const struct config_type
    config_type_masks = {"a list of at most 16 mappings", false, parse_masks},
    config_type_zones = {"a mapping of at most 16 zones by name", false, parse_zones},
    config_type_evidence = {"a mapping of keys", false, parse_evidence};
