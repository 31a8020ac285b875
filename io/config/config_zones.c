#include <stdio.h>
#include <string.h>

#include "io/config/config_value.h"

const char config_zone_names[] = "1 to 32 characters of a-z, 0-9, _ and -";

bool config_zone_name(char ret[static ZONE_NAME_SIZE], const char *text)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789_-";
    size_t n = strlen(text);
    bool right = n > 0 && n < ZONE_NAME_SIZE && strspn(text, letters) == n;
    snprintf(ret, ZONE_NAME_SIZE, "%s", right ? text : "");
    return right;
}

static bool parse_zone_name(const struct config_value *value, void *target)
{
    return config_zone_name(target, value->text) || config_got(value, "another text");
}

static bool is_pair(const struct config_node *node)
{
    return node->type == CONFIG_SEQUENCE && node->n == 2 && node->items[0]->type == CONFIG_SCALAR &&
           node->items[1]->type == CONFIG_SCALAR;
}

/* Reads one coordinate. Numbers in quotes are texts. */
static bool read_coordinate(const struct config_node *node, float *ret)
{
    double number;
    if (node->bad || !node->plain || !config_read_number(node->text, false, &number) || !(number >= 0 && number <= 1))
        return false;
    *ret = (float)number;
    return true;
}

/* Reads point i of a list. */
static bool read_point(const struct config_value *value, const struct config_node *node, size_t i, struct point *ret)
{
    struct config_shown x, y;
    if (!is_pair(node))
        config_fault(&value->loader->faults, node->line, node->column, value->path,
                     "expected [x, y], two numbers from 0 to 1, got %s as point %zu",
                     node->type == CONFIG_SEQUENCE ? "another list" : config_kind(node), i + 1);
    else if (read_coordinate(node->items[0], &ret->x) && read_coordinate(node->items[1], &ret->y))
        return true;
    else
        config_fault(&value->loader->faults, node->line, node->column, value->path,
                     "expected two numbers from 0 to 1, got [%s, %s] as point %zu", config_show(&x, node->items[0]->text),
                     config_show(&y, node->items[1]->text), i + 1);
    return false;
}

static bool parse_points(const struct config_value *value, void *target)
{
    const struct config_node *list = value->node;
    struct polygon polygon = {0};
    struct error err;
    bool right = true;
    if (list->type != CONFIG_SEQUENCE)
        return config_got(value, "%s", config_kind(list));
    if (list->n < POLYGON_POINTS_LEAST || list->n > POLYGON_POINTS_MOST)
        return config_got(value, "%zu", list->n);
    for (size_t i = 0; i < list->n; i++)
        right &= !list->items[i]->bad && read_point(value, list->items[i], i, &polygon.points[polygon.n++]);
    if (!right)
        return false;
    if (polygon_check(&polygon, &err) < 0) {
        config_fault(&value->loader->faults, value->line, value->column, value->path, "%s", err.text);
        return false;
    }
    *(struct polygon *)target = polygon;
    return true;
}

const struct config_type config_type_zone_name = {config_zone_names, true, parse_zone_name},
                         config_type_points = {"a list of 3 to 32 points [x, y] from 0 to 1", false, parse_points};
