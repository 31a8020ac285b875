/* memaed model show: shows what a model file holds, for people and (--json) for programs. memaed model prototypes: writes
 * the slots of its memory as pictures. */
#include "daemon/commands.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "daemon/base/options.h"
#include "daemon/model/prototypes.h"
#include "io/base/printable.h"
#include "io/base/redact.h"
#include "io/model/calibration_json.h"
#include "io/model/model_file.h"
#include "io/model/safetensors.h"

struct summary {
    const char *path;
    double size_bytes;
    const struct model_file *file;
    struct arch_cost encoder[ARCH_MAX_LAYERS], decoder[ARCH_MAX_LAYERS], memory, total;
};

/* ---- figures ------------------------------------------------------------------------------------------------------ */

static void summarise(struct summary *s)
{
    const struct model *model = s->file->model;
    const struct arch *arch = &model->arch;
    for (int i = 0; i < arch->n_encoder; i++)
        s->encoder[i] = arch_layer_cost(&arch->encoder[i], model->shapes.encoder[i], model->shapes.encoder[i + 1]);
    for (int i = 0; i < arch->n_decoder; i++)
        s->decoder[i] = arch_layer_cost(&arch->decoder[i], model->shapes.decoder[i], model->shapes.decoder[i + 1]);
    s->memory = arch_memory_cost(arch, &model->shapes);
    s->total = arch_total_cost(arch, &model->shapes);
}

/* ---- texts from the file ------------------------------------------------------------------------------------------ */

/* Text from the file without control characters and credentials. NULL: out of memory. */
static json_t *shown_string(const char *text)
{
    size_t size = 4 * strlen(text) + 64;
    char *out = malloc(size);
    if (!out)
        return NULL;
    redact(out, size, text);
    printable(out);
    json_t *string = json_string(out);
    if (!string)
        string = json_string("(not text)");
    free(out);
    return string;
}

/* A copy of value in which every string and key is shown_string(). NULL: out of memory. The parser has limited its depth. */
static json_t *shown(const json_t *value)
{
    if (json_is_string(value))
        return shown_string(json_string_value(value));
    if (json_is_array(value)) {
        json_t *list = json_array();
        for (size_t i = 0; i < json_array_size(value); i++)
            json_array_append_new(list, shown(json_array_get(value, i)));
        return list;
    }
    if (json_is_object(value)) {
        const char *key;
        json_t *item, *object = json_object();
        json_object_foreach((json_t *)value, key, item) {
            json_t *name = shown_string(key);
            json_object_set_new(object, name ? json_string_value(name) : "", shown(item));
            json_decref(name);
        }
        return object;
    }
    return json_incref((json_t *)value);
}

static const json_t *slots_used(const struct model_file *file)
{
    const json_t *used = json_object_get(file->training, "slots_used");
    return file->model->arch.has_memory && json_is_integer(used) ? used : NULL;
}

/* ---- for people --------------------------------------------------------------------------------------------------- */

struct text {
    char text[96];
};

static const char *axes(struct text *out, const int *v, int n)
{
    if (n == 3)
        snprintf(out->text, sizeof out->text, "%dx%dx%d", v[0], v[1], v[2]);
    else
        snprintf(out->text, sizeof out->text, n == 2 ? "%dx%d" : "-", v[1], v[2]);
    return out->text;
}

static const char *dims(struct text *out, enum input_kind kind, struct dims d)
{
    if (kind == INPUT_VIDEO)
        snprintf(out->text, sizeof out->text, "%dx%dx%dx%d", d.c, d.t, d.h, d.w);
    else
        snprintf(out->text, sizeof out->text, kind == INPUT_IMAGE ? "%dx%dx%d" : "%d", d.c, d.h, d.w);
    return out->text;
}

static const char *const axis_names[] = {[INPUT_VIDEO] = "channels, frames, height, width",
                                         [INPUT_IMAGE] = "channels, height, width", [INPUT_TABLE] = "features"};

/* Three digits and a prefix: "65.4 G", "83.4 k". */
static const char *scaled(struct text *out, double value)
{
    static const char prefixes[] = " kMGTPE";
    size_t i = 0;
    for (; value >= 999.5 && i + 2 < sizeof prefixes; i++)
        value /= 1000;
    if (i == 0)
        snprintf(out->text, sizeof out->text, "%g ", value);
    else
        snprintf(out->text, sizeof out->text, "%.*f %c", value < 9.995 ? 2 : value < 99.95 ? 1 : 0, value, prefixes[i]);
    return out->text;
}

static void print_layer(const char *part, int i, enum input_kind kind, const struct layer_spec *spec, struct dims out,
                        const struct arch_cost *cost)
{
    struct text kernel, stride, shape, count, extras = {""};
    int n = snprintf(extras.text, sizeof extras.text, "%s", spec->norm ? " norm" : "");
    switch (spec->activation) {
    case ACTIVATION_NONE: break;
    case ACTIVATION_RELU: snprintf(extras.text + n, sizeof extras.text - (size_t)n, " relu"); break;
    case ACTIVATION_TANH: snprintf(extras.text + n, sizeof extras.text - (size_t)n, " tanh"); break;
    case ACTIVATION_LEAKY_RELU:
        snprintf(extras.text + n, sizeof extras.text - (size_t)n, " leaky_relu(%g)", (double)spec->slope);
        break;
    }
    printf("%s %-4d %-8s %5s / %-5s%-22s -> %-18s %10zu %11s\n", part, i, layer_type_name(spec->type),
           axes(&kernel, spec->kernel, layer_axes(spec->type)), axes(&stride, spec->stride, layer_axes(spec->type)),
           extras.text, dims(&shape, kind, out), cost->parameters, scaled(&count, cost->multiply_adds));
}

static void print_calibration(const struct model_file *file)
{
    const struct calibration *c = &file->calibration;
    if (!file->has_calibration) {
        printf("calibration   none: alerts need a threshold in the configuration\n");
        return;
    }
    if (c->has_score && c->score.conditions > 1)
        printf("light         two kinds, divided at a contrast of %.3g\n", c->score.boundary);
    printf("calibration   alerts open at %.6g, close below %.6g; learned at %g frames a second\n", c->threshold,
           c->close_threshold, c->fps);
    printf("              scores of %ld windows of the calibration: median %.6g, 99 %% below %.6g, maximum %.6g\n", c->windows,
           c->median, c->p99, c->maximum);
    if (c->has_tail && tail_is_provisional(&c->tail))
        printf("              provisional: from %.2g hours of footage; set for %.3g alerts a day or more\n", c->tail.hours,
               tail_budget(&c->tail, 0));
    if (c->has_static) {
        printf("static scenes %ld of these windows were static; their scores differ from the ones given by %.3g at most: "
               "static auto %s, bound %.3g", c->still.windows, c->still.largest_difference,
               calibration_static_holds(c) ? "does not compute such windows" : "computes all windows",
               calibration_static_bound(c, PRECISION_FP32));
        if (c->has_int8)
            printf(" (%.3g in 8 bits)", calibration_static_bound(c, PRECISION_INT8));
        printf("\n              a camera is frozen after %.3g s of the same picture\n", c->still.frozen_s);
    }
    if (c->has_int8)
        printf("8 bits        scores of %ld of them have a rank correlation of %.5f with fp32 and differ by %.3g at most\n",
               c->int8.windows, c->int8.rank_correlation, c->int8.largest_difference);
    printf("precision     auto takes %s: %s\n", precision_name(calibration_precision(c, PRECISION_AUTO)),
           calibration_precision_reason(c));
}

static void print_still(const struct still_memory *still)
{
    if (still)
        printf("still         what stands still is watched in %d kind%s of light; %d exemplars of a place, a light and a part\n",
               still_lights_known(still), still_lights_known(still) > 1 ? "s" : "", still->exemplars);
    else
        printf("still         none: what stands still is not watched\n");
}

static int print_training(const struct model_file *file)
{
    if (!file->training) {
        printf("training      unknown: the model does not say\n");
        return 0;
    }
    json_t *training = shown(file->training), *value;
    const char *key, *head = "training";
    int r = training ? 0 : -ENOMEM;
    json_object_foreach(training, key, value) {
        if (strcmp(key, "slot_use") == 0)       /* one number for each slot: only for --json and prototypes */
            continue;
        char *text = json_is_string(value) ? strdup(json_string_value(value))
                                           : json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(6));
        if (!text)
            r = -ENOMEM;
        else
            printf("%-13s %s: %s\n", head, key, text);
        free(text);
        head = "";
    }
    json_decref(training);
    return r;
}

static int print_text(const struct summary *s)
{
    const struct model *model = s->file->model;
    const struct arch *arch = &model->arch;
    struct text a, b, c;
    printf("model         %s, %sB\n", s->path, scaled(&a, s->size_bytes));
    printf("input         %s (%s)", dims(&a, arch->kind, model->shapes.encoder[0]), axis_names[arch->kind]);
    if (arch->kind == INPUT_TABLE)
        printf("\n\n");
    else
        printf("; a pixel p enters as (p/255 - %g)/%g\n\n", (double)arch->mean, (double)arch->std);
    printf("layer         %-8s %-35s    %-18s %10s %11s\n", "type", "kernel / stride", "output", "parameters",
           "mult-adds");
    for (int i = 0; i < arch->n_encoder; i++)
        print_layer("encoder ", i, arch->kind, &arch->encoder[i], model->shapes.encoder[i + 1], &s->encoder[i]);
    if (arch->has_memory) {
        const struct memory_spec *m = &arch->memory;
        snprintf(b.text, sizeof b.text, "%d slots, %s%s", m->slots,
                 m->similarity == SIMILARITY_COSINE ? "cosine" : "dot product", m->shrink > 0 ? ", shrink" : "");
        printf("memory        %-44s -> %-18s %10zu %11s\n", b.text, dims(&a, arch->kind, model->shapes.decoder[0]),
               s->memory.parameters, scaled(&c, s->memory.multiply_adds));
    }
    for (int i = 0; i < arch->n_decoder; i++)
        print_layer("decoder ", i, arch->kind, &arch->decoder[i], model->shapes.decoder[i + 1], &s->decoder[i]);

    printf("\nparameters    %zu; with the norms' statistics %sB\n", s->total.parameters,
           scaled(&a, (double)model->n_storage * (double)sizeof(float)));
    printf("cost          %sFLOP a cube: two for each of %s multiply-adds of the direct form\n",
           scaled(&a, 2 * s->total.multiply_adds), scaled(&b, s->total.multiply_adds));
    if (!arch->has_memory) {
        printf("memory        none: a plain autoencoder\n");
    } else {
        const struct memory_spec *m = &arch->memory;
        const json_t *used = slots_used(s->file);
        printf("memory        %d slots of %d, shrink %g, temperature %g", m->slots, model->shapes.decoder[0].c,
               (double)m->shrink, (double)m->temperature);
        if (used)
            printf("; %" JSON_INTEGER_FORMAT " in use\n", json_integer_value(used));
        else
            printf("; the model does not say how many are in use\n");
    }
    print_calibration(s->file);
    if (s->file->has_calibration)
        print_still(s->file->still);
    return print_training(s->file);
}

/* ---- for programs ------------------------------------------------------------------------------------------------- */

static json_t *layers_json(enum input_kind kind, const struct layer_spec *specs, int n, const struct dims *shapes,
                           const struct arch_cost *costs)
{
    json_t *list = json_array();
    for (int i = 0; i < n; i++)
        json_array_append_new(list, json_pack("{s:s, s:o, s:I, s:f}", "type", layer_type_name(specs[i].type), "output",
                                              dims_to_json(kind, shapes[i + 1]), "parameters", (json_int_t)costs[i].parameters,
                                              "multiply_adds", costs[i].multiply_adds));
    return list;
}

static int print_json(const struct summary *s)
{
    const struct model *model = s->file->model;
    const struct arch *arch = &model->arch;
    json_t *memory = json_null();
    if (arch->has_memory) {
        const json_t *used = slots_used(s->file);
        memory = json_pack("{s:i, s:i, s:O?, s:o, s:I, s:f}", "slots", arch->memory.slots, "channels",
                           model->shapes.decoder[0].c, "slots_used", used, "output",
                           dims_to_json(arch->kind, model->shapes.decoder[0]), "parameters", (json_int_t)s->memory.parameters,
                           "multiply_adds", s->memory.multiply_adds);
    }
    json_t *object = json_pack(
        "{s:o, s:I, s:o, s:o, s:o, s:o, s:I, s:f, s:f, s:o, s:o, s:o, s:o}", "model", shown_string(s->path), "size_bytes",
        (json_int_t)s->size_bytes, "input", dims_to_json(arch->kind, model->shapes.encoder[0]), "encoder",
        layers_json(arch->kind, arch->encoder, arch->n_encoder, model->shapes.encoder, s->encoder), "memory", memory, "decoder",
        layers_json(arch->kind, arch->decoder, arch->n_decoder, model->shapes.decoder, s->decoder), "parameters",
        (json_int_t)s->total.parameters, "multiply_adds", s->total.multiply_adds, "flop_per_cube",
        2 * s->total.multiply_adds, "arch", arch_to_json(arch), "calibration",
        s->file->has_calibration ? calibration_to_json(&s->file->calibration, &s->file->model->arch) : json_null(), "still",
        s->file->still ? json_pack("{s:i, s:i}", "lights", still_lights_known(s->file->still), "exemplars",
                                   s->file->still->exemplars) : json_null(), "training",
        s->file->training ? shown(s->file->training) : json_null());
    char *text = object ? json_dumps(object, JSON_INDENT(2) | JSON_REAL_PRECISION(15)) : NULL;
    json_decref(object);
    if (!text)
        return -ENOMEM;
    puts(text);
    free(text);
    return 0;
}

/* ---- the command -------------------------------------------------------------------------------------------------- */

static int show(const char *path, bool json)
{
    struct error err;
    struct model_file file;
    struct stat st;
    if (model_file_load(&file, path, &err) < 0)
        return command_failed(&model_show_command, &err);
    struct summary s = {.path = path, .file = &file};
    s.size_bytes = stat(path, &st) == 0 ? (double)st.st_size : 0;
    summarise(&s);
    int r = json ? print_json(&s) : print_text(&s);
    model_file_clear(&file);
    if (r < 0)
        fprintf(stderr, "memaed model show: %s\n", strerror(-r));
    return r < 0 ? 1 : 0;
}

static int prototypes(const char *path, const char *folder, int limit)
{
    struct error err;
    struct model_file file;
    int n;
    bool by_use;
    int r = model_file_load(&file, path, &err);
    if (r == 0) {
        r = prototypes_write(&file, folder, limit, &n, &by_use, &err);
        if (r == -EINVAL)
            error_prefix(&err, r, "%s", path);
        model_file_clear(&file);
    }
    if (r < 0)
        return command_failed(&model_prototypes_command, &err);
    fprintf(stderr, "memaed model prototypes: %d pictures in %s, %s\n", n, folder,
            by_use ? "the most used slots first" : "by number: the model does not say how much its slots are used");
    return 0;
}

struct values {
    struct option_list model;   /* one path */
    bool json;
    const char *folder;
    int limit;                  /* 0: all */
};

static const struct command_option show_options[] = {
    {"json", 0, OPTION_FLAG(struct values, json), .help = "Print one JSON object."},
    {0},
};

static const struct command_option prototypes_options[] = {
    {"output", 'o', OPTION_TEXT(struct values, folder), .argument = "DIR", .path = OPTION_FOLDER, .required = true,
     .help = "The folder for the pictures. It is made where it does not exist."},
    {"limit", 0, OPTION_INT(struct values, limit, 1, 1 << 30), .argument = "N",
     .help = "Write N pictures at most (default: all)."},
    {0},
};

static int command_show(int argc, char **argv)
{
    struct values o = {0};
    int status;
    if (command_parse(&model_show_command, &o, argc, argv, &status))
        status = show(o.model.values[0], o.json);
    command_clear(&model_show_command, &o);
    return status;
}

static int command_prototypes(int argc, char **argv)
{
    struct values o = {0};
    int status;
    if (command_parse(&model_prototypes_command, &o, argc, argv, &status))
        status = prototypes(o.model.values[0], o.folder, o.limit);
    command_clear(&model_prototypes_command, &o);
    return status;
}

const struct command model_show_command = {
    .name = "model show",
    .summary = "show what a model file holds",
    .forms = "[--json] MODEL",
    .about = "Shows what a model file holds: the network's layers, parameters and cost, its memory, its calibration and "
             "how it was "
             "made. The whole file is checked.",
    .options = show_options,
    .notes = "Exit status: 0; 1 where the file cannot be read or has a fault; 2 wrong usage.",
    OPERANDS(struct values, model, "MODEL"), .operand_path = OPTION_FILE, .least = 1, .most = 1,
    .run = command_show,
};

const struct command model_prototypes_command = {
    .name = "model prototypes",
    .summary = "show a model's memory as pictures",
    .forms = "[--limit N] --output DIR MODEL",
    .about = "Decodes each slot of the memory and writes it as a PNG picture, the most used slots first.",
    .options = prototypes_options,
    .notes = "Exit status: 0; 1 where the model cannot be read or has no pictures to show; 2 wrong usage.",
    OPERANDS(struct values, model, "MODEL"), .operand_path = OPTION_FILE, .least = 1, .most = 1,
    .run = command_prototypes,
};
