#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/config/config_keys.h"
#include "io/config/config_table.h"
#include "io/config/config_value.h"

/* All names of core/event.h, in its order; a test compares them. */
#define EVENT_NAMES \
    "alert.opened, alert.closed, camera.lost, camera.restored, camera.frozen, camera.unfrozen, camera.slow, camera.slow_ended, " \
    "camera.armed, camera.disarmed, health.opened, health.closed, drift.began, drift.ended, normal.changed, webhook.disabled, " \
    "storage.full or storage.recovered"

/* Stores the name `item` at the target. Returns false after a fault that it has noted. */
typedef bool keep_name(const struct config_value *value, const struct config_node *item, void *target);

static bool is_text(const struct config_node *item, const char *text)
{
    return !item->bad && item->type == CONFIG_SCALAR && strcmp(item->text, text) == 0;
}

/* Reads a list of names of a thing ("camera"), each given once. Without a list all are meant, and nothing is kept. all: the
 * plural ("cameras"), for faults. */
static bool parse_names(const struct config_value *value, const char *thing, const char *all, size_t most, keep_name *keep,
                        void *target)
{
    const struct config_node *list = value->node;
    struct config_faults *faults = &value->loader->faults;
    bool right = true;
    if (!list)
        return true;
    if (list->type != CONFIG_SEQUENCE)
        return config_got(value, "%s", config_kind(list));
    if (list->n == 0)
        return config_got(value, "an empty list; leave the key out for all %s", all);
    if (list->n > most)
        return config_got(value, "%zu", list->n);
    for (size_t i = 0; i < list->n; i++) {
        const struct config_node *item = list->items[i];
        struct config_shown shown;
        size_t k = 0;
        if (item->bad)
            continue;
        if (item->type != CONFIG_SCALAR) {
            config_fault(faults, item->line, item->column, value->path, "expected the name of a %s, got %s", thing,
                         config_kind(item));
            right = false;
            continue;
        }
        while (k < i && !is_text(list->items[k], item->text))
            k++;
        if (k < i)
            config_fault(faults, item->line, item->column, value->path, "\"%s\" is given twice; keep one",
                         config_show_key(&shown, item->text));
        right &= k == i && keep(value, item, target);
    }
    return right;
}

static bool keep_camera_name(const struct config_value *value, const struct config_node *item, void *target)
{
    struct sink_filter *filter = target;
    if (!filter->cameras && !(filter->cameras = calloc(value->node->n, sizeof *filter->cameras))) {
        value->loader->faults.out_of_memory = true;
        return false;
    }
    char *name = config_copy(value->loader, item->text);
    if (name)
        filter->cameras[filter->n_cameras++] = name;
    return name != NULL;
}

static bool parse_camera_names(const struct config_value *value, void *target)
{
    return parse_names(value, "camera", "cameras", SIZE_MAX, keep_camera_name, target);
}

static bool keep_zone_name(const struct config_value *value, const struct config_node *item, void *target)
{
    struct alert_limits *limits = target;
    if (config_zone_name(limits->zones[limits->n_zones], item->text)) {
        limits->n_zones++;
        return true;
    }
    config_fault(&value->loader->faults, item->line, item->column, value->path, "expected a name of %s", config_zone_names);
    return false;
}

static bool parse_zone_names(const struct config_value *value, void *target)
{
    return parse_names(value, "zone", "alerts", ZONES_MOST, keep_zone_name, target);
}

static bool parse_snapshot(const struct config_value *value, void *target)
{
    static const char *const names[] = {[CONFIG_SNAPSHOT_NONE] = "none", [CONFIG_SNAPSHOT_URL] = "url",
                                        [CONFIG_SNAPSHOT_INLINE] = "inline"};
    struct config_shown shown;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(value->text, names[i]) == 0) {
            *(enum config_snapshot *)target = (enum config_snapshot)i;
            return true;
        }
    return config_got(value, "\"%s\"", config_show(&shown, value->node->text));
}

/* It is sent to others, so it must hold no password. */
static bool parse_base_url(const struct config_value *value, void *target)
{
    char *url = NULL;
    if (!config_type_url.parse(value, &url) || !url)
        return false;
    size_t n = strlen(url), scheme = strcspn(url, ":") + 3;
    const char *wrong = strpbrk(url, "?#") ? "a URL with ? or #"
                        : memchr(url + scheme, '@', strcspn(url + scheme, "/")) ? "a URL with a user in it" : NULL;
    while (n > 0 && url[n - 1] == '/')
        url[--n] = '\0';
    if (wrong) {
        config_wipe(url);
        return config_got(value, "%s", wrong);
    }
    *(char **)target = url;
    return true;
}

static const char *event_name(int i)
{
    return event_type_name((enum event_type)i);
}

static bool parse_events(const struct config_value *value, void *target)
{
    if (!value->node) {
        *(unsigned *)target = EVENT_ALL;
        return true;
    }
    if (value->node->type == CONFIG_SEQUENCE && value->node->n == 0)
        return config_got(value, "an empty list; leave the key out for all events");
    return config_read_set(value, &(struct config_names){EVENT_NAMES, EVENT_TYPES, event_name}, target);
}

/* Notes where a webhook's entry holds a password, for the check of the file's mode. */
static void note_password(struct config_webhook *webhook, const struct config_outcome *outcomes)
{
    const struct config_outcome *secret = config_outcome_of(outcomes, CONFIG_WEBHOOK, "secret");
    const struct config_outcome *old = config_outcome_of(outcomes, CONFIG_WEBHOOK, "old_secret");
    const struct config_outcome *url = config_outcome_of(outcomes, CONFIG_WEBHOOK, "url");
    const struct config_outcome *inside = secret->node && !secret->bad && !strstr(secret->node->text, "${") ? secret
                                   : old->node && !old->bad && !strstr(old->node->text, "${") ? old
                                   : url->node && !url->bad && config_holds_password(url->node->text) ? url : NULL;
    if (inside) {
        webhook->password_line = inside->line;
        webhook->password_column = inside->column;
    }
}

/* Checks that a secret is given by one of its two keys, and an old one only beside a new one. Notes where the files stand. */
static void check_secrets(struct config_loader *loader, struct config_webhook *webhook, const struct config_outcome *outcomes,
                          const char *prefix)
{
    const struct config_outcome *secret = config_outcome_of(outcomes, CONFIG_WEBHOOK, "secret");
    const struct config_outcome *file = config_outcome_of(outcomes, CONFIG_WEBHOOK, "secret_file");
    const struct config_outcome *old = config_outcome_of(outcomes, CONFIG_WEBHOOK, "old_secret");
    const struct config_outcome *old_file = config_outcome_of(outcomes, CONFIG_WEBHOOK, "old_secret_file");
    const struct config_outcome *either = old->node ? old : old_file;
    char path[80];
    webhook->secret_file_line = file->line;
    webhook->secret_file_column = file->column;
    webhook->old_secret_file_line = old_file->line;
    webhook->old_secret_file_column = old_file->column;
    if (secret->node && file->node) {
        snprintf(path, sizeof path, "%ssecret_file", prefix);
        config_fault(&loader->faults, file->line, file->column, path, "expected either secret or secret_file, got both");
    }
    if (old->node && old_file->node) {
        snprintf(path, sizeof path, "%sold_secret_file", prefix);
        config_fault(&loader->faults, old_file->line, old_file->column, path,
                     "expected either old_secret or old_secret_file, got both");
    }
    if (either->node && !secret->node && !file->node) {
        snprintf(path, sizeof path, "%sold_secret%s", prefix, old->node ? "" : "_file");
        config_fault(&loader->faults, either->line, either->column, path, "expected the new secret beside it, got none");
    }
}

/* Checks that no webhook before the last one has its name. */
static void check_name(struct config_loader *loader, const struct config_outcome *name, const char *prefix)
{
    const struct config *config = loader->config;
    const struct config_webhook *webhook = &config->webhooks[config->n_webhooks - 1];
    char path[80];
    for (size_t j = 0; webhook->name && j + 1 < config->n_webhooks; j++) {
        if (!config->webhooks[j].name || strcmp(webhook->name, config->webhooks[j].name) != 0)
            continue;
        snprintf(path, sizeof path, "%sname", prefix);
        config_fault(&loader->faults, name->line, name->column, path, "expected a name of its own, got that of webhooks[%zu]", j);
        return;
    }
}

static bool parse_webhooks(const struct config_value *value, void *target)
{
    struct config_loader *loader = value->loader;
    struct config *config = loader->config;
    const struct config_node *list = value->node;
    struct config_outcome outcomes[CONFIG_N_KEYS];
    (void)target;

    if (!list || config_is_null(list))
        return true;
    if (list->type != CONFIG_SEQUENCE)
        return config_got(value, "%s", config_kind(list));
    if (list->n > CONFIG_MAX_WEBHOOKS)
        return config_got(value, "%zu", list->n);
    config->webhooks = calloc(list->n ? list->n : 1, sizeof *config->webhooks);
    if (!config->webhooks) {
        loader->faults.out_of_memory = true;
        return false;
    }
    for (size_t i = 0; i < list->n; i++) {
        const struct config_node *item = list->items[i];
        char path[80], prefix[48];
        snprintf(path, sizeof path, "webhooks[%zu]", i);
        snprintf(prefix, sizeof prefix, "webhooks[%zu].", i);
        if (item->bad)
            continue;
        if (item->type != CONFIG_MAPPING) {
            config_fault(&loader->faults, item->line, item->column, path, "expected a mapping of keys: url, ...; got %s",
                         config_kind(item));
            continue;
        }
        struct config_webhook *webhook = &config->webhooks[config->n_webhooks++];
        webhook->number = i;
        config_read_keys(loader, CONFIG_WEBHOOK, item, item->line, item->column, prefix, webhook, outcomes);
        note_password(webhook, outcomes);
        check_name(loader, config_outcome_of(outcomes, CONFIG_WEBHOOK, "name"), prefix);
        check_secrets(loader, webhook, outcomes, prefix);
    }
    return true;
}

static bool has_camera(const struct config *config, const char *name)
{
    for (size_t c = 0; c < config->n_cameras; c++)
        if (config->cameras[c].name && strcmp(config->cameras[c].name, name) == 0)
            return true;
    return false;
}

/* Returns true if a camera that the filter takes has a zone of that name. */
static bool has_zone(const struct config *config, const struct sink_filter *filter, const char *name)
{
    for (size_t c = 0; c < config->n_cameras; c++) {
        const struct config_camera *camera = &config->cameras[c];
        const struct sink_filter cameras = {.types = EVENT_ALL, .cameras = filter->cameras, .n_cameras = filter->n_cameras};
        const struct event of = {.camera = camera->name};
        if (!camera->zones || !camera->name || !sink_filter_takes(&cameras, &of))
            continue;
        for (int z = 0; z < camera->zones->n; z++)
            if (strcmp(camera->zones->zone[z].name, name) == 0)
                return true;
    }
    return false;
}

void config_check_webhooks(struct config_loader *loader)
{
    const struct config *config = loader->config;
    struct config_shown shown;
    char path[80];
    for (size_t i = 0; i < config->n_webhooks; i++) {
        const struct config_webhook *webhook = &config->webhooks[i];
        const struct sink_filter *filter = &webhook->filter;
        snprintf(path, sizeof path, "webhooks[%zu].cameras", webhook->number);
        for (size_t k = 0; k < filter->n_cameras; k++)
            if (!has_camera(config, filter->cameras[k]))
                config_fault(&loader->faults, webhook->cameras_line, webhook->cameras_column, path,
                             "expected the name of a camera, got \"%s\"", config_show_key(&shown, filter->cameras[k]));
        snprintf(path, sizeof path, "webhooks[%zu].zones", webhook->number);
        for (size_t k = 0; k < filter->alerts.n_zones; k++)
            if (!has_zone(config, filter, filter->alerts.zones[k]))
                config_fault(&loader->faults, webhook->zones_line, webhook->zones_column, path,
                             "expected the name of a zone of a camera whose events are posted, got \"%s\"",
                             config_show_key(&shown, filter->alerts.zones[k]));
    }
}

const struct config_type
    config_type_webhooks = {"a list of at most 64 mappings", false, parse_webhooks},
    config_type_camera_names = {"a list of the names of cameras", false, parse_camera_names},
    config_type_snapshot = {"url, inline or none", true, parse_snapshot},
    config_type_base_url = {"a URL that begins with http:// or https://", true, parse_base_url},
    config_type_zone_names = {"a list of 1 to 16 names of zones", false, parse_zone_names},
    config_type_events = {"a list of " EVENT_NAMES, false, parse_events};
