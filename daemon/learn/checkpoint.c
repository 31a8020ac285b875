#include "daemon/learn/checkpoint.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/model/safetensors.h"

enum { PARTS = 3, MAX_TENSORS = PARTS * (12 * ARCH_MAX_LAYERS + 1) };
static const char *const part_name[PARTS] = {"model", "first_moment", "second_moment"};
static const char format[] = "memae-checkpoint";

struct tensor_list {
    struct safetensors_output out[MAX_TENSORS];
    char names[MAX_TENSORS][96];
    float *data[MAX_TENSORS];           /* owned by the model and by the moments */
    size_t elements[MAX_TENSORS];
    size_t n;
};

static struct tensor_list *list_tensors(const struct model *model, const struct training_state *state)
{
    const struct model *const parts[PARTS] = {model, state->first_moment, state->second_moment};
    struct tensor_list *list = calloc(1, sizeof *list);
    struct model_tensor t;
    for (int p = 0; list && p < PARTS; p++)
        for (int i = 0; model_tensor(parts[p], i, &t); i++, list->n++) {
            struct safetensors_output *out = &list->out[list->n];
            snprintf(list->names[list->n], sizeof list->names[0], "%s.%s", part_name[p], t.name);
            *out = (struct safetensors_output){.name = list->names[list->n], .ndim = t.ndim, .data = t.data};
            memcpy(out->shape, t.shape, sizeof t.shape);
            list->data[list->n] = t.data;
            list->elements[list->n] = t.n;
        }
    return list;
}

/* FNV-1a over words of 4 bytes. It detects damage, not forgery. */
static uint64_t checksum(uint64_t sum, const void *data, size_t size)
{
    const unsigned char *bytes = data;
    for (size_t i = 0; i < size; i += 4) {
        uint32_t word = 0;
        memcpy(&word, bytes + i, size - i < 4 ? size - i : 4);
        sum = (sum ^ word) * UINT64_C(0x100000001b3);
    }
    return sum;
}

static const uint64_t checksum_start = UINT64_C(0xcbf29ce484222325);

static json_t *hex(uint64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%016" PRIx64, value);
    return json_string(text);
}

static bool from_hex(uint64_t *ret, const json_t *json)
{
    const char *text = json_string_value(json);
    char end;
    return text && strlen(text) == 16 && sscanf(text, "%16" SCNx64 "%c", ret, &end) == 1;
}

/* Slot weights are written as the bits of their doubles, so that no digit is lost. */
static json_t *state_to_json(const struct training_state *state, double seconds)
{
    const struct training_health *h = &state->health;
    json_t *rng = json_array(), *weights = json_array();
    for (int i = 0; i < 4; i++)
        json_array_append_new(rng, hex(state->rng.s[i]));
    for (size_t i = 0; i < state->n_slots; i++) {
        uint64_t bits;
        memcpy(&bits, &state->slot_weight[i], sizeof bits);
        json_array_append_new(weights, hex(bits));
    }
    return json_pack("{s:o, s:o, s:I, s:I, s:I, s:f, s:f, s:{s:f, s:f, s:f, s:i, s:i}, s:f}", "rng", rng,
                     "slot_weight", weights, "steps", (json_int_t)state->steps, "reseeded", (json_int_t)state->reseeded,
                     "dead_queries", (json_int_t)state->dead_queries, "entropy", state->entropy, "shrink",
                     (double)state->shrink, "health", "dead", h->dead, "effective", h->effective, "answers", h->answers, "used",
                     h->used, "sick", h->degenerate, "seconds", seconds);
}

static bool state_from_json(struct training_state *state, double *seconds, const json_t *json)
{
    json_t *rng, *weights;
    json_int_t steps, reseeded, dead;
    double shrink;
    struct training_health *h = &state->health;
    if (json_unpack((json_t *)json, "{s:o, s:o, s:I, s:I, s:I, s:F, s:F, s:{s:F, s:F, s:F, s:i, s:i !}, s:F !}", "rng", &rng,
                    "slot_weight", &weights, "steps", &steps, "reseeded", &reseeded, "dead_queries", &dead, "entropy",
                    &state->entropy, "shrink", &shrink, "health", "dead", &h->dead, "effective", &h->effective, "answers",
                    &h->answers, "used", &h->used, "sick", &h->degenerate, "seconds", seconds) < 0 ||
        json_array_size(rng) != 4 || json_array_size(weights) != state->n_slots || steps < 0 || reseeded < 0 ||
        dead < 0 || !(shrink >= 0 && shrink < 1) || !(*seconds >= 0))
        return false;
    for (size_t i = 0; i < 4; i++)
        if (!from_hex(&state->rng.s[i], json_array_get(rng, i)))
            return false;
    for (size_t i = 0; i < state->n_slots; i++) {
        uint64_t bits;
        if (!from_hex(&bits, json_array_get(weights, i)))
            return false;
        memcpy(&state->slot_weight[i], &bits, sizeof bits);
    }
    state->steps = (long)steps;
    state->dead_queries = (long)dead;
    state->shrink = (float)shrink;
    state->reseeded = (long)reseeded;
    return true;
}

int checkpoint_save(const char *path, const struct model *model, struct training *training, const json_t *belongs,
                    double seconds, struct error *err)
{
    struct training_state state;
    training_get_state(training, &state);
    struct tensor_list *list = list_tensors(model, &state);
    json_t *json = state_to_json(&state, seconds);
    char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
    char *made_of = json_dumps(belongs, JSON_COMPACT | JSON_SORT_KEYS);
    json_decref(json);
    int r = -ENOMEM;
    if (list && text && made_of) {
        uint64_t sum = checksum(checksum(checksum_start, text, strlen(text)), made_of, strlen(made_of));
        for (size_t i = 0; i < list->n; i++)
            sum = checksum(sum, list->data[i], list->elements[i] * sizeof(float));
        char shown[24];
        snprintf(shown, sizeof shown, "%016" PRIx64, sum);
        const char *const metadata[][2] = {{"format", format}, {"memae.belongs", made_of}, {"memae.state", text},
                                           {"memae.checksum", shown}};
        r = safetensors_write(path, list->out, list->n, metadata, sizeof metadata / sizeof metadata[0], err);
    } else {
        error_set(err, r, "%s: out of memory", path);
    }
    free(list);
    free(text);
    free(made_of);
    return r;
}

static const char *shown(char *out, size_t size, const json_t *value)
{
    char *text = value ? json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_SORT_KEYS) : NULL;
    snprintf(out, size, "%s", text ? text : "nothing");
    free(text);
    return out;
}

static int compare(const char *path, const json_t *found, const json_t *expected, struct error *err)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)expected, key, value) {
        const json_t *other = json_object_get(found, key);
        char a[60], b[60];
        if (!json_equal(other, value))
            return error_set(err, -EINVAL, "%s: the checkpoint belongs to another run: %s: expected %s, got %s; remove it to "
                             "start over", path, key, shown(b, sizeof b, value), shown(a, sizeof a, other));
    }
    return 0;
}

static int not_a_checkpoint(const char *path, struct error *err)
{
    return error_set(err, -EINVAL, "%s: expected a checkpoint of memaed learn, got another file; remove it to start over", path);
}

static int load(const struct safetensors *file, const char *path, struct model *model, struct training *training,
                const json_t *belongs, double *seconds, struct error *err)
{
    const char *kind = safetensors_metadata(file, "format"), *made_of = safetensors_metadata(file, "memae.belongs"),
               *text = safetensors_metadata(file, "memae.state"), *sum_text = safetensors_metadata(file, "memae.checksum");
    if (!kind || strcmp(kind, format) != 0 || !made_of || !text || !sum_text)
        return not_a_checkpoint(path, err);
    uint64_t sum = checksum(checksum(checksum_start, text, strlen(text)), made_of, strlen(made_of));
    for (size_t i = 0; i < safetensors_count(file); i++)
        sum = checksum(sum, safetensors_at(file, i)->data, safetensors_at(file, i)->size_bytes);
    char found[24];
    snprintf(found, sizeof found, "%016" PRIx64, sum);
    if (strcmp(found, sum_text) != 0)
        return error_set(err, -EINVAL, "%s: the checkpoint is damaged: expected checksum %.20s, got %s; remove it to "
                         "start over", path, sum_text, found);
    json_t *json = json_loads(made_of, 0, NULL);
    int r = json ? compare(path, json, belongs, err) : not_a_checkpoint(path, err);
    json_decref(json);
    if (r < 0)
        return r;

    struct training_state state;
    training_get_state(training, &state);
    struct tensor_list *list = list_tensors(model, &state);
    if (!list)
        return error_set(err, -ENOMEM, "out of memory");
    if (safetensors_count(file) != list->n)
        r = error_set(err, -EINVAL, "%s: the checkpoint is damaged: expected %zu tensors, got %zu; remove it to start over", path,
                      list->n, safetensors_count(file));
    for (size_t i = 0; r == 0 && i < list->n; i++) {
        const struct safetensors_tensor *t = safetensors_find(file, list->names[i]);
        if (!t || t->dtype != SAFETENSORS_F32 || t->n != list->elements[i])
            r = error_set(err, -EINVAL, "%s: the checkpoint is damaged: expected a tensor %s of %zu numbers, got none; remove it "
                          "to start over", path, list->names[i], list->elements[i]);
        else
            memcpy(list->data[i], t->data, t->size_bytes);
    }
    free(list);
    json = r == 0 ? json_loads(text, 0, NULL) : NULL;
    if (r == 0 && !(json && state_from_json(&state, seconds, json)))
        r = error_set(err, -EINVAL, "%s: the checkpoint is damaged: memae.state: expected the state of a training, got another "
                      "value; remove it to start over", path);
    json_decref(json);
    if (r == 0)
        training_set_state(training, &state);
    return r;
}

int checkpoint_load(const char *path, struct model *model, struct training *training, const json_t *belongs,
                    double *seconds, struct error *err)
{
    struct safetensors *file;
    if (access(path, F_OK) < 0 && errno == ENOENT)
        return error_set(err, -ENOENT, "%s: expected a checkpoint, got no file", path);
    int r = safetensors_open(&file, path, err);
    if (r < 0)
        return r;
    r = load(file, path, model, training, belongs, seconds, err);
    safetensors_close(file);
    return r;
}
