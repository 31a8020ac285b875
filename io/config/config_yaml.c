#include "io/config/config_yaml.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

struct reader {
    yaml_parser_t yaml;
    const unsigned char *data;
    size_t size, nodes;
    config_yaml_fault *fault;
    void *arg;
};

static int position(size_t from_zero)
{
    return from_zero < INT_MAX ? (int)from_zero + 1 : INT_MAX;
}

static void fault_at(const struct reader *reader, yaml_mark_t mark, const char *text)
{
    reader->fault(reader->arg, position(mark.line), position(mark.column), text);
}

/* The place of a byte: a reader fault of libyaml has only the offset. */
static yaml_mark_t mark_of_offset(const struct reader *reader, size_t offset)
{
    yaml_mark_t mark = {0};
    for (size_t i = 0; i < offset && i < reader->size; i++) {
        if (reader->data[i] == '\n') {
            mark.line++;
            mark.column = 0;
        } else if ((reader->data[i] & 0xc0) != 0x80) {      /* the first byte of a character */
            mark.column++;
        }
    }
    return mark;
}

static unsigned char byte_at(const struct reader *reader, yaml_mark_t mark)
{
    const unsigned char *at = reader->data, *end = reader->data + reader->size;
    for (size_t line = 0; line < mark.line && at < end; at++)
        line += *at == '\n';
    for (size_t column = 0; column < mark.column && at < end; column++) {
        at++;
        while (at < end && (*at & 0xc0) == 0x80)
            at++;
    }
    return at < end ? *at : 0;
}

/* The usual cause of a fault of syntax, in words of this program, or NULL. byte: at the fault's place. */
static const char *hint_for(const char *problem, unsigned char byte)
{
    if (byte == '\t')
        return "expected blanks, got a tab";
    if (strcmp(problem, "found character that cannot start any token") == 0)
        return "a text that begins with this character needs quotes";
    if (strcmp(problem, "did not find expected node content") == 0 && byte == ':')
        return "a text that begins with [ or { (as \"[::1]:8787\") needs quotes";
    if (byte == '{')
        return "a text with ${NAME} inside { } or [ ] needs quotes";
    if (strcmp(problem, "mapping values are not allowed in this context") == 0)
        return "an earlier line is indented wrongly, or a text with \": \" lacks quotes";
    return NULL;
}

static int syntax_fault(const struct reader *reader)
{
    const yaml_parser_t *yaml = &reader->yaml;
    const char *problem = yaml->problem ? yaml->problem : "unknown error";
    char text[400];

    if (yaml->error == YAML_MEMORY_ERROR)
        return -ENOMEM;
    if (yaml->error == YAML_READER_ERROR) {
        snprintf(text, sizeof text, "not YAML: expected UTF-8 text, got byte 0x%02x: %s",
                 yaml->problem_value < 0 ? 0u : (unsigned)yaml->problem_value, problem);
        fault_at(reader, mark_of_offset(reader, yaml->problem_offset), text);
        return -EINVAL;
    }
    int n = snprintf(text, sizeof text, "not YAML: %s", problem);
    if (yaml->context && yaml->context_mark.index != yaml->problem_mark.index)
        n += snprintf(text + n, sizeof text - (size_t)n, ", %s that begins at line %d, column %d", yaml->context,
                      position(yaml->context_mark.line), position(yaml->context_mark.column));
    const char *hint = hint_for(problem, byte_at(reader, yaml->problem_mark));
    if (hint)
        snprintf(text + n, sizeof text - (size_t)n, "; %s", hint);
    fault_at(reader, yaml->problem_mark, text);
    return -EINVAL;
}

static int next_event(struct reader *reader, yaml_event_t *event)
{
    return yaml_parser_parse(&reader->yaml, event) ? 0 : syntax_fault(reader);
}

static int node_new(struct reader *reader, struct config_node **ret, enum config_node_type type, yaml_mark_t mark)
{
    if (reader->nodes++ >= CONFIG_YAML_MAX_NODES) {
        char text[80];
        snprintf(text, sizeof text, "expected at most %d values, got more", (int)CONFIG_YAML_MAX_NODES);
        fault_at(reader, mark, text);
        return -EINVAL;
    }
    struct config_node *node = calloc(1, sizeof *node);
    if (!node)
        return -ENOMEM;
    node->type = type;
    node->line = position(mark.line);
    node->column = position(mark.column);
    *ret = node;
    return 0;
}

static int node_append(struct config_node *node, struct config_node *item)
{
    if ((node->n & (node->n - 1)) == 0) {           /* the room is a power of two, and full */
        struct config_node **items = realloc(node->items, (node->n ? 2 * node->n : 1) * sizeof *items);
        if (!items)
            return -ENOMEM;
        node->items = items;
    }
    node->items[node->n++] = item;
    return 0;
}

/* Reports an anchor or a tag beside the value. */
static void check_extras(const struct reader *reader, struct config_node *node, const yaml_event_t *event,
                         const yaml_char_t *anchor, const yaml_char_t *tag)
{
    if (anchor)
        fault_at(reader, event->start_mark, "expected the value alone, got an anchor (&…)");
    if (tag)
        fault_at(reader, event->start_mark, "expected the value alone, got a tag (!…)");
    if (anchor || tag)
        node->bad = true;
}

static int read_node(struct reader *reader, struct config_node **ret, const yaml_event_t *event, int depth);

static int read_scalar(struct reader *reader, struct config_node **ret, const yaml_event_t *event)
{
    struct config_node *node = NULL;
    int r = node_new(reader, &node, CONFIG_SCALAR, event->start_mark);
    if (r < 0)
        return r;
    node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    node->text = malloc(event->data.scalar.length + 1);
    if (!node->text) {
        config_node_free(node);
        return -ENOMEM;
    }
    memcpy(node->text, event->data.scalar.value, event->data.scalar.length);
    node->text[event->data.scalar.length] = 0;
    check_extras(reader, node, event, event->data.scalar.anchor, event->data.scalar.tag);
    if (strlen(node->text) != event->data.scalar.length) {
        fault_at(reader, event->start_mark, "expected a text without NUL characters, got one in it");
        explicit_bzero(node->text, event->data.scalar.length);
        node->bad = true;
    }
    *ret = node;
    return 0;
}

/* Reads the items of a sequence, or the keys and values of a mapping, to its end. A pair whose key is no scalar is
 * dropped. */
static int read_items(struct reader *reader, struct config_node *node, int depth)
{
    const yaml_event_type_t end = node->type == CONFIG_SEQUENCE ? YAML_SEQUENCE_END_EVENT : YAML_MAPPING_END_EVENT;
    for (;;) {
        yaml_event_t event;
        struct config_node *item = NULL;
        int r = next_event(reader, &event);
        if (r < 0)
            return r;
        if (event.type == end) {
            yaml_event_delete(&event);
            break;
        }
        r = read_node(reader, &item, &event, depth + 1);
        yaml_event_delete(&event);
        if (r < 0)
            return r;
        r = node_append(node, item);
        if (r < 0) {
            config_node_free(item);
            return r;
        }
    }
    if (node->type == CONFIG_SEQUENCE)
        return 0;

    size_t kept = 0;
    for (size_t i = 0; i < node->n; i += 2) {
        struct config_node *key = node->items[i], *value = node->items[i + 1];
        if (key->type == CONFIG_SCALAR && !key->bad) {
            node->items[kept++] = key;
            node->items[kept++] = value;
            continue;
        }
        if (!key->bad)
            reader->fault(reader->arg, key->line, key->column, "expected a name as the key, got a list or mapping");
        config_node_free(key);
        config_node_free(value);
    }
    node->n = kept;
    return 0;
}

static int read_node(struct reader *reader, struct config_node **ret, const yaml_event_t *event, int depth)
{
    struct config_node *node = NULL;
    char text[80];
    int r;

    switch (event->type) {
    case YAML_SCALAR_EVENT:
        return read_scalar(reader, ret, event);
    case YAML_ALIAS_EVENT:
        r = node_new(reader, &node, CONFIG_SCALAR, event->start_mark);
        if (r < 0)
            return r;
        node->bad = true;
        node->text = strdup("");
        if (!node->text) {
            config_node_free(node);
            return -ENOMEM;
        }
        fault_at(reader, event->start_mark, "expected the value itself, got an alias (*…)");
        *ret = node;
        return 0;
    default:
        break;
    }
    if (depth >= CONFIG_YAML_MAX_DEPTH) {
        snprintf(text, sizeof text, "expected at most %d levels, got more", (int)CONFIG_YAML_MAX_DEPTH);
        fault_at(reader, event->start_mark, text);
        return -EINVAL;
    }
    if (event->type == YAML_SEQUENCE_START_EVENT) {
        r = node_new(reader, &node, CONFIG_SEQUENCE, event->start_mark);
        if (r < 0)
            return r;
        check_extras(reader, node, event, event->data.sequence_start.anchor, event->data.sequence_start.tag);
    } else {
        r = node_new(reader, &node, CONFIG_MAPPING, event->start_mark);
        if (r < 0)
            return r;
        check_extras(reader, node, event, event->data.mapping_start.anchor, event->data.mapping_start.tag);
    }
    r = read_items(reader, node, depth);
    if (r < 0) {
        config_node_free(node);
        return r;
    }
    *ret = node;
    return 0;
}

int config_yaml_parse(struct config_node **ret, const void *data, size_t size, config_yaml_fault *fault, void *arg)
{
    struct reader reader = {.data = data, .size = size, .fault = fault, .arg = arg};
    struct config_node *root = NULL;
    int r = 0, documents = 0;

    if (size > CONFIG_YAML_MAX_SIZE) {
        fault(arg, 1, 1, "expected a file of at most 1 MiB, got more");
        return -EINVAL;
    }
    if (!yaml_parser_initialize(&reader.yaml))
        return -ENOMEM;
    yaml_parser_set_input_string(&reader.yaml, size ? data : (const void *)"", size);
    yaml_parser_set_encoding(&reader.yaml, YAML_UTF8_ENCODING);

    for (bool done = false; r == 0 && !done;) {
        yaml_event_t event;
        r = next_event(&reader, &event);
        if (r < 0)
            break;
        switch (event.type) {
        case YAML_STREAM_START_EVENT:
        case YAML_DOCUMENT_END_EVENT:
            break;
        case YAML_STREAM_END_EVENT:
            done = true;
            break;
        case YAML_DOCUMENT_START_EVENT:
            if (documents++) {
                fault_at(&reader, event.start_mark, "expected one document, got a second one");
                r = -EINVAL;
            }
            break;
        default:
            r = read_node(&reader, &root, &event, 0);
            break;
        }
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&reader.yaml);
    if (r < 0) {
        config_node_free(root);
        return r;
    }
    *ret = root;
    return 0;
}

void config_node_free(struct config_node *node)
{
    if (!node)
        return;
    for (size_t i = 0; i < node->n; i++)
        config_node_free(node->items[i]);
    free(node->items);
    if (node->text)
        explicit_bzero(node->text, strlen(node->text));
    free(node->text);
    free(node);
}
