#include "io/config/config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/base/read_file.h"
#include "io/config/config_health.h"
#include "io/config/config_keys.h"
#include "io/config/config_table.h"
#include "io/config/config_value.h"

static bool parse_http(const struct config_value *value, void *target);
static bool parse_alerts(const struct config_value *value, void *target);
static bool parse_scores(const struct config_value *value, void *target);
static bool parse_alert(const struct config_value *value, void *target);
static bool parse_cameras(const struct config_value *value, void *target);

const struct config_type
    config_type_http = {"a mapping of keys", false, parse_http},
    config_type_alerts = {"a mapping of keys", false, parse_alerts},
    config_type_scores = {"a mapping of keys", false, parse_scores},
    config_type_alert = {"a mapping of keys", false, parse_alert},
    config_type_cameras = {"1 to 1024 cameras by name", false, parse_cameras};

/* ---- mappings ----------------------------------------------------------------------------------------------------- */

/* Checks and expands a scalar, and has its type parse it. */
static bool read_value(struct config_loader *loader, const struct config_row *row, const struct config_node *node, int line,
                       int column, const char *path, void *target)
{
    struct config_value value = {loader, row, node, line, column, path, NULL};
    if (!row->type->scalar)
        return row->type->parse(&value, target);
    if (node->type != CONFIG_SCALAR)
        return config_got(&value, "%s", config_kind(node));
    if (config_is_null(node))
        return config_got(&value, "no value");
    value.text = config_expand(&value);
    if (!value.text)
        return false;
    bool right = *value.text ? row->type->parse(&value, target) : config_got(&value, "an empty text");
    config_wipe(value.text);
    return right;
}

static void unknown_key(struct config_loader *loader, enum config_scope scope, const struct config_node *node,
                        const char *prefix)
{
    const char *best = NULL, *elsewhere = NULL;
    size_t best_distance = 0, n = 0;
    char known[300] = "", path[160];
    struct config_shown shown;
    for (size_t i = 0; i < CONFIG_N_KEYS; i++) {
        if (config_rows[i].scope == scope) {
            config_nearest(&best, &best_distance, node->text, config_rows[i].name);
            if (n < sizeof known)
                n += (size_t)snprintf(known + n, sizeof known - n, "%s%s", n ? ", " : "", config_rows[i].name);
        } else if (strcmp(config_rows[i].name, node->text) == 0) {
            elsewhere = config_scope_paths[config_rows[i].scope];
        }
    }
    snprintf(path, sizeof path, "%s%s", prefix, config_show_key(&shown, node->text));
    if (elsewhere)
        config_fault(&loader->faults, node->line, node->column, path, "unknown key here; did you mean \"%s%s\"?", elsewhere,
                     node->text);
    else if (best)
        config_fault(&loader->faults, node->line, node->column, path, "unknown key; did you mean \"%s\"?", best);
    else
        config_fault(&loader->faults, node->line, node->column, path, "unknown key; expected %s%s",
                     strchr(known, ',') ? "one of " : "", known);
}

/* Reads the keys of a scope into target, reports faults and sets defaults. node: the mapping; NULL or empty: no key is
 * given. line, column: the place for a fault of a missing key. prefix: "cameras.gate.". */
void config_read_keys(struct config_loader *loader, enum config_scope scope, const struct config_node *node, int line,
                      int column, const char *prefix, void *target, struct config_outcome outcomes[static CONFIG_N_KEYS])
{
    char path[160];
    memset(outcomes, 0, CONFIG_N_KEYS * sizeof *outcomes);
    for (size_t i = 0; node && i < node->n; i += 2) {
        const struct config_node *name = node->items[i], *value = node->items[i + 1];
        size_t k = 0;
        while (k < CONFIG_N_KEYS && !(config_rows[k].scope == scope && strcmp(config_rows[k].name, name->text) == 0))
            k++;
        if (k == CONFIG_N_KEYS) {
            unknown_key(loader, scope, name, prefix);
            continue;
        }
        snprintf(path, sizeof path, "%s%s", prefix, name->text);
        if (outcomes[k].node) {
            config_fault(&loader->faults, name->line, name->column, path,
                         "given twice (first on line %d); keep one of them", outcomes[k].line);
            continue;
        }
        /* libyaml gives an absent value the place of the next token: report it at its key. */
        const struct config_node *place = config_is_null(value) && !*value->text ? name : value;
        outcomes[k] = (struct config_outcome){value, place->line, place->column, true};
        if (value->bad)
            continue;
        const struct config_row *row = &config_rows[k];
        char *base = target;
        outcomes[k].bad = !read_value(loader, row, value, place->line, place->column, path, base + row->offset);
        if (row->given)
            *(bool *)(base + row->given - 1) = true;
        if (row->line) {
            *(int *)(base + row->line - 1) = place->line;
            *(int *)(base + row->column - 1) = place->column;
        }
    }
    for (size_t k = 0; k < CONFIG_N_KEYS; k++) {
        const struct config_row *row = &config_rows[k];
        char *field = (char *)target + row->offset;
        if (row->scope != scope || outcomes[k].node)
            continue;
        snprintf(path, sizeof path, "%s%s", prefix, row->name);
        if (row->required) {
            char expected[CONFIG_EXPECTED_SIZE];
            config_expected(row, expected, sizeof expected);
            config_fault(&loader->faults, line, column, path, "missing; expected %s", expected);
        } else if (row->fallback) {
            struct config_node fallback = {.type = CONFIG_SCALAR, .plain = true, .text = (char *)row->fallback};
            read_value(loader, row, &fallback, line, column, path, field);
        } else if (!row->type->scalar) {
            read_value(loader, row, NULL, line, column, path, field);
        }
    }
}

/* Returns true if the value is a mapping. No value counts as an empty mapping; any other value is reported. */
bool config_is_mapping(const struct config_value *value)
{
    if (!value->node || config_is_null(value->node) || value->node->type == CONFIG_MAPPING)
        return true;
    return config_got(value, "%s", config_kind(value->node));
}

/* Reads a mapping whose keys are fields of struct config. */
static bool parse_part(const struct config_value *value, enum config_scope scope)
{
    struct config_outcome outcomes[CONFIG_N_KEYS];
    if (!config_is_mapping(value))
        return false;
    config_read_keys(value->loader, scope, value->node, value->line, value->column, config_scope_paths[scope],
                     value->loader->config, outcomes);
    return true;
}

static bool parse_http(const struct config_value *value, void *target)
{
    (void)target;
    return parse_part(value, CONFIG_HTTP);
}

static bool parse_alerts(const struct config_value *value, void *target)
{
    (void)target;
    return parse_part(value, CONFIG_ALERTS);
}

static bool parse_scores(const struct config_value *value, void *target)
{
    (void)target;
    return parse_part(value, CONFIG_SCORES);
}

const struct config_outcome *config_outcome_of(const struct config_outcome outcomes[static CONFIG_N_KEYS],
                                               enum config_scope scope, const char *name)
{
    size_t k = 0;
    while (config_rows[k].scope != scope || strcmp(config_rows[k].name, name) != 0)
        k++;
    return &outcomes[k];
}

static bool parse_alert(const struct config_value *value, void *target)
{
    struct config_alert *alert = target;
    struct config_outcome outcomes[CONFIG_N_KEYS];
    char prefix[160], path[200];
    if (!config_is_mapping(value))
        return false;
    snprintf(prefix, sizeof prefix, "%s.", value->path);
    config_read_keys(value->loader, CONFIG_ALERT, value->node, value->line, value->column, prefix, alert, outcomes);

    const struct config_outcome *k = config_outcome_of(outcomes, CONFIG_ALERT, "k");
    const struct config_outcome *n = config_outcome_of(outcomes, CONFIG_ALERT, "n");
    const struct config_outcome *at = k->node ? k : n;
    if (!k->bad && !n->bad && alert->k > alert->n) {
        snprintf(path, sizeof path, "%s%s", prefix, k->node ? "k" : "n");
        if (k->node)
            config_fault(&value->loader->faults, at->line, at->column, path, "expected at most n, which is %d%s, got %d",
                         alert->n, n->node ? "" : " by default", alert->k);
        else
            config_fault(&value->loader->faults, at->line, at->column, path,
                         "expected at least k, which is %d by default, got %d", alert->k, alert->n);
    }
    const struct config_outcome *open = config_outcome_of(outcomes, CONFIG_ALERT, "threshold");
    const struct config_outcome *close_at = config_outcome_of(outcomes, CONFIG_ALERT, "close_threshold");
    const struct config_outcome *per_day = config_outcome_of(outcomes, CONFIG_ALERT, "per_day");
    if (open->node && per_day->node) {
        snprintf(path, sizeof path, "%sper_day", prefix);
        config_fault(&value->loader->faults, per_day->line, per_day->column, path,
                     "expected either threshold or per_day, got both");
    }
    if (open->node && close_at->node && !open->bad && !close_at->bad && alert->close_threshold > alert->threshold) {
        snprintf(path, sizeof path, "%sclose_threshold", prefix);
        config_fault(&value->loader->faults, close_at->line, close_at->column, path,
                     "expected at most threshold, which is %g, got %g", alert->threshold, alert->close_threshold);
    }
    return true;
}


/* A camera takes the values of the whole file for keys that it does not give. */
static void complete_evidence(struct config_evidence *of_camera, const struct config_evidence *of_all)
{
    if (!of_camera->has_snapshots)
        of_camera->snapshots = of_all->snapshots;
    if (!of_camera->has_clips)
        of_camera->clips = of_all->clips;
    if (!of_camera->has_masked)
        of_camera->masked_clips = of_all->masked_clips;
    if (!of_camera->has_unmasked)
        of_camera->unmasked_clips = of_all->unmasked_clips;
    if (!of_camera->has_pre_roll)
        of_camera->pre_roll_s = of_all->pre_roll_s;
    if (!of_camera->has_post_roll)
        of_camera->post_roll_s = of_all->post_roll_s;
    if (!of_camera->has_max_clip)
        of_camera->max_clip_s = of_all->max_clip_s;
    if (!of_camera->has_ring)
        of_camera->ring_mib = of_all->ring_mib;
}

/* Checks user, password and password_file together, and notes where a password stands. */
static void check_sign_in(struct config_loader *loader, const char *prefix, struct config_camera *camera,
                          const struct config_outcome outcomes[static CONFIG_N_KEYS])
{
    const struct config_outcome *user = config_outcome_of(outcomes, CONFIG_CAMERA, "user"),
        *password = config_outcome_of(outcomes, CONFIG_CAMERA, "password"),
        *file = config_outcome_of(outcomes, CONFIG_CAMERA, "password_file"), *given = file->node ? file : password;
    char path[128];
    if (password->node && !password->bad && config_holds_text(password->node->text)) {
        camera->password_line = password->line;
        camera->password_column = password->column;
    }
    camera->password_file_line = file->line;
    camera->password_file_column = file->column;
    snprintf(path, sizeof path, "%s%s", prefix, file->node ? "password_file" : "password");
    if (password->node && file->node)
        config_fault(&loader->faults, given->line, given->column, path, "expected either password or password_file, got both");
    else if (given->node && !user->node)
        config_fault(&loader->faults, given->line, given->column, path, "expected the key user, too, got a password alone");
}

static void read_camera(struct config_loader *loader, const struct config_node *name, const struct config_node *node,
                        struct config_camera *camera)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789_-";
    struct config_outcome outcomes[CONFIG_N_KEYS];
    struct config_shown shown;
    char path[112], prefix[100];

    snprintf(path, sizeof path, "cameras.%s", config_show_key(&shown, name->text));
    size_t n = strlen(name->text);
    if (n > 0 && n <= 64 && strspn(name->text, letters) == n)
        snprintf(path, sizeof path, "cameras.%s", name->text);
    else
        config_fault(&loader->faults, name->line, name->column, path,
                     "expected a name of 1 to 64 characters of a-z, 0-9, _ and -, got %s",
                     n == 0 ? "an empty one" : n > 64 ? "a longer one" : "other characters");
    camera->name = config_copy(loader, name->text);
    camera->line = name->line;
    camera->column = name->column;

    if (node->bad)
        return;
    if (!config_is_null(node) && node->type != CONFIG_MAPPING) {
        config_fault(&loader->faults, node->line, node->column, path,
                     "expected a mapping of keys: source, model, ...; got %s", config_kind(node));
        return;
    }
    snprintf(prefix, sizeof prefix, "%.90s.", path);
    config_read_keys(loader, CONFIG_CAMERA, node, name->line, name->column, prefix, camera, outcomes);

    const struct config_outcome *model = config_outcome_of(outcomes, CONFIG_CAMERA, "model"),
        *loop = config_outcome_of(outcomes, CONFIG_CAMERA, "loop");
    camera->model_line = model->line;
    camera->model_column = model->column;
    const struct config_outcome *source = config_outcome_of(outcomes, CONFIG_CAMERA, "source");
    camera->source_line = source->line;
    camera->source_column = source->column;
    camera->source_holds_password = source->node && !source->bad && config_holds_password(source->node->text);
    check_sign_in(loader, prefix, camera, outcomes);
    if (camera->loop && camera->source && camera->source[0] != '/' &&
        (strstr(camera->source, "://") || config_has_scheme(camera->source))) {
        snprintf(path, sizeof path, "%sloop", prefix);
        config_fault(&loader->faults, loop->line, loop->column, path,
                     "expected false, or a file as the source, got true with a stream");
    }
}

static bool parse_cameras(const struct config_value *value, void *target)
{
    struct config_loader *loader = value->loader;
    struct config *config = loader->config;
    (void)target;

    if (!config_is_mapping(value))
        return false;
    const struct config_node *node = value->node;
    if (node->n == 0)
        return config_got(value, "none");
    if (node->n / 2 > CONFIG_MAX_CAMERAS)
        return config_got(value, "%zu", node->n / 2);
    config->cameras = calloc(node->n / 2, sizeof *config->cameras);
    if (!config->cameras) {
        loader->faults.out_of_memory = true;
        return false;
    }
    for (size_t i = 0; i < node->n; i += 2) {
        const struct config_node *name = node->items[i];
        size_t first = 0;
        while (first < i && strcmp(node->items[first]->text, name->text) != 0)
            first += 2;
        if (first < i) {
            struct config_shown shown;
            char path[96];
            snprintf(path, sizeof path, "cameras.%s", config_show_key(&shown, name->text));
            config_fault(&loader->faults, name->line, name->column, path,
                         "given twice (first on line %d); give each camera a name of its own", node->items[first]->line);
        }
        read_camera(loader, name, node->items[i + 1], &config->cameras[config->n_cameras++]);
    }
    return true;
}

/* ---- the file ----------------------------------------------------------------------------------------------------- */

static void yaml_fault(void *arg, int line, int column, const char *text)
{
    config_fault(arg, line, column, "", "%s", text);
}

/* Decides whether a camera with a privacy mask has clips. Masked and unmasked clips at once are a fault. */
static void check_masked(struct config_loader *loader, struct config_camera *camera)
{
    struct config_evidence *evidence = &camera->evidence;
    if (evidence->masked_clips && evidence->unmasked_clips) {
        char key[96];
        snprintf(key, sizeof key, "cameras.%s.evidence", camera->name);
        config_fault(&loader->faults, camera->line, camera->column, key,
                     "expected masked_clips or unmasked_clips, got both as true");
    }
    evidence->clips_hidden = evidence->clips && zones_hide(camera->zones) && !evidence->masked_clips && !evidence->unmasked_clips;
    evidence->clips &= !evidence->clips_hidden;
}

static void read_root(struct config_loader *loader, const struct config_node *root)
{
    struct config_outcome outcomes[CONFIG_N_KEYS];
    if (root && root->bad)
        return;
    if (!root || config_is_null(root))
        config_fault(&loader->faults, 1, 1, "cameras", "expected at least one camera, got an empty file");
    else if (root->type != CONFIG_MAPPING)
        config_fault(&loader->faults, root->line, root->column, "",
                     "expected a mapping of keys: cameras, ...; got %s", config_kind(root));
    else
        config_read_keys(loader, CONFIG_ROOT, root, root->line, root->column, "", loader->config, outcomes);
    for (size_t i = 0; i < loader->config->n_cameras; i++) {
        struct config_evidence *evidence = &loader->config->cameras[i].evidence;
        complete_evidence(evidence, &loader->config->evidence);
        config_health_complete(&loader->config->cameras[i].health, &loader->config->health);
        check_masked(loader, &loader->config->cameras[i]);
        evidence->audio &= evidence->clips;
        loader->config->n_streams += 1 + (evidence->source && evidence->clips);
    }
    for (size_t i = 0; i < loader->config->n_webhooks && loader->config->public_url; i++)
        loader->config->webhooks[i].public_url = config_copy(loader, loader->config->public_url);
    if (loader->config->n_cameras > 0)
        config_check_webhooks(loader);
}

static int load_memory(struct config **ret, const void *data, size_t size, const char *path, bool unlearned,
                       void (*fault)(void *arg, const char *text), void *arg)
{
    struct config_loader loader = {.faults.path = path, .unlearned = unlearned};
    struct config_node *root = NULL;
    const char *slash = strrchr(path, '/');
    int r = -ENOMEM;

    loader.config = calloc(1, sizeof *loader.config);
    loader.folder = slash ? strndup(path, slash > path ? (size_t)(slash - path) : 1) : strdup(".");
    if (loader.config) {
        loader.config->references = 1;
        loader.config->path = strdup(path);
    }
    if (loader.config && loader.config->path && loader.folder) {
        r = config_yaml_parse(&root, data, size, yaml_fault, &loader.faults);
        if (r == 0)
            read_root(&loader, root);
        if (loader.faults.out_of_memory)
            r = -ENOMEM;
        else if (r == 0 && loader.faults.n)
            r = -EINVAL;
    }
    config_node_free(root);

    config_faults_tell(&loader.faults, fault, arg);
    free(loader.folder);
    if (r < 0)
        config_unref(loader.config);
    else
        *ret = loader.config;
    return r;
}

int config_load_memory(struct config **ret, const void *data, size_t size, const char *path,
                       void (*fault)(void *arg, const char *text), void *arg)
{
    return load_memory(ret, data, size, path, false, fault, arg);
}

static int load(struct config **ret, const char *path, bool unlearned, void (*fault)(void *arg, const char *text), void *arg)
{
    char *data, *text = NULL;
    size_t size;
    struct error err;
    int r = read_file(&data, &size, path, CONFIG_YAML_MAX_SIZE, &err);
    if (r == -ENOMEM)
        return r;
    if (r < 0) {
        if (asprintf(&text, "%s: cannot read the configuration: %s", path, err.text) >= 0)
            fault(arg, text);
        free(text);
        return r;
    }
    r = load_memory(ret, data, size, path, unlearned, fault, arg);
    explicit_bzero(data, size);
    free(data);
    return r;
}

int config_load(struct config **ret, const char *path, void (*fault)(void *arg, const char *text), void *arg)
{
    return load(ret, path, false, fault, arg);
}

int config_load_unlearned(struct config **ret, const char *path, void (*fault)(void *arg, const char *text), void *arg)
{
    return load(ret, path, true, fault, arg);
}

struct config *config_ref(struct config *config)
{
    if (config)
        atomic_fetch_add_explicit(&config->references, 1, memory_order_relaxed);
    return config;
}

void config_unref(struct config *config)
{
    /* Acquire and release: the thread that frees runs after all uses of the other threads. */
    if (!config || atomic_fetch_sub_explicit(&config->references, 1, memory_order_acq_rel) > 1)
        return;
    for (size_t i = 0; i < config->n_cameras; i++) {
        free(config->cameras[i].name);
        config_wipe(config->cameras[i].source);
        config_wipe(config->cameras[i].user);
        config_wipe(config->cameras[i].password);
        config_wipe(config->cameras[i].evidence.source);
        free(config->cameras[i].tls_ca_file);
        free(config->cameras[i].tls_host);
        free(config->cameras[i].model);
        free(config->cameras[i].time_zone);
        free(config->cameras[i].zones);
    }
    for (size_t i = 0; i < config->n_webhooks; i++) {
        free(config->webhooks[i].name);
        config_wipe(config->webhooks[i].url);
        free(config->webhooks[i].ca_file);
        free(config->webhooks[i].public_url);
        explicit_bzero(config->webhooks[i].secret, sizeof config->webhooks[i].secret);
        explicit_bzero(config->webhooks[i].old_secret, sizeof config->webhooks[i].old_secret);
        for (size_t k = 0; k < config->webhooks[i].filter.n_cameras; k++)
            free(config->webhooks[i].filter.cameras[k]);
        free(config->webhooks[i].filter.cameras);
    }
    free(config->cameras);
    free(config->webhooks);
    free(config->path);
    free(config->state_dir);
    free(config->time_zone);
    free(config->listen_address);
    free(config->public_url);
    for (size_t i = 0; i < config->n_host_names; i++)
        free(config->host_names[i]);
    free(config->host_names);
    free(config);
}
