/* Shared parts of the tests of model files: a small golden file is taken apart, and put together again with one change. Also a
 * folder for saved files. Include it once in a test program. */
#ifndef MEMAED_TESTS_IO_MODEL_MODEL_FIXTURE_H
#define MEMAED_TESTS_IO_MODEL_MODEL_FIXTURE_H

#include <check.h>
#include <errno.h>
#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/model/model_file.h"

#define GOLDEN "tests/golden/"

struct bytes {
    unsigned char *data;
    size_t size;
};

static inline struct bytes read_bytes(const char *path)
{
    struct bytes b = {NULL, 0};
    FILE *f = fopen(path, "rb");
    ck_assert_msg(f != NULL, "%s: %s (tests run in the project's folder)", path, strerror(errno));
    fseek(f, 0, SEEK_END);
    b.size = (size_t)ftell(f);
    rewind(f);
    b.data = malloc(b.size);
    ck_assert_uint_eq(fread(b.data, 1, b.size, f), b.size);
    fclose(f);
    return b;
}

static inline void refuse_bytes(const void *data, size_t size, const char *what)
{
    struct model_file file = {.model = (void *)-1};
    struct error err = {""};
    int r = model_file_load_memory(&file, data, size, "x.safetensors", &err);
    ck_assert_msg(r == -EINVAL, "%d (%s) where %s was to be refused", r, err.text, what);
    ck_assert_ptr_eq(file.model, (void *)-1);
    ck_assert_msg(strncmp(err.text, "x.safetensors: ", 15) == 0 && strstr(err.text, what), "\"%s\" does not say \"%s\"",
                  err.text, what);
}

/* ---- a small model file, taken apart and put together again --------------------------------------------------------- */

struct draft {
    json_t *metadata, *header;
    struct bytes source;
    const unsigned char *data;
};

static inline struct draft take_apart(const char *path)
{
    struct draft d = {.source = read_bytes(path)};
    uint64_t length;
    memcpy(&length, d.source.data, 8);
    d.header = json_loadb((const char *)d.source.data + 8, length, 0, NULL);
    ck_assert_ptr_nonnull(d.header);
    d.metadata = json_object_get(d.header, "__metadata__");
    d.data = d.source.data + 8 + length;
    return d;
}

static inline void release(struct draft *d)
{
    json_decref(d->header);
    free(d->source.data);
}

/* Returns the file of the draft. The bytes of each tensor are those at its old offsets, cut or padded with zeros to the size of
 * its present shape and dtype. */
static inline struct bytes put_together(const struct draft *d)
{
    json_t *header = json_deep_copy(d->header), *entry, *axis;
    unsigned char *data = NULL;
    size_t size = 0, i;
    const char *name;
    json_object_foreach(header, name, entry) {
        if (strcmp(name, "__metadata__") == 0)
            continue;
        size_t begin = (size_t)json_integer_value(json_array_get(json_object_get(entry, "data_offsets"), 0));
        size_t end = (size_t)json_integer_value(json_array_get(json_object_get(entry, "data_offsets"), 1));
        size_t n = strcmp(json_string_value(json_object_get(entry, "dtype")), "I64") == 0 ? 8 : 4;
        json_array_foreach(json_object_get(entry, "shape"), i, axis)
            n *= (size_t)json_integer_value(axis);
        data = realloc(data, size + n + 1);
        memset(data + size, 0, n);
        memcpy(data + size, d->data + begin, end - begin < n ? end - begin : n);
        json_object_set_new(entry, "data_offsets", json_pack("[I, I]", (json_int_t)size, (json_int_t)(size + n)));
        size += n;
    }
    char *text = json_dumps(header, JSON_COMPACT);
    uint64_t length = strlen(text);
    struct bytes b = {malloc(8 + length + size), 8 + length + size};
    memcpy(b.data, &length, 8);
    memcpy(b.data + 8, text, length);
    memcpy(b.data + 8 + length, data, size);
    free(text);
    free(data);
    json_decref(header);
    return b;
}

static inline void refuse(struct draft *d, const char *what)
{
    struct bytes b = put_together(d);
    refuse_bytes(b.data, b.size, what);
    free(b.data);
    release(d);
}

static inline void accept(struct draft *d)
{
    struct bytes b = put_together(d);
    struct model_file file;
    struct error err = {""};
    int r = model_file_load_memory(&file, b.data, b.size, "x.safetensors", &err);
    ck_assert_msg(r == 0, "%s", err.text);
    model_file_clear(&file);
    free(b.data);
    release(d);
}

static inline struct draft tiny(void)
{
    return take_apart(GOLDEN "tiny-noshrink.safetensors");
}

/* Returns the draft with one value of memae.arch changed. where: as "encoder/2/kernel". value: JSON; NULL removes the key. */
static inline struct draft with_arch(const char *where, const char *value)
{
    struct draft d = tiny();
    json_t *arch = json_loads(json_string_value(json_object_get(d.metadata, "memae.arch")), 0, NULL), *at = arch;
    char copy[64], *last, *step, *rest;
    snprintf(copy, sizeof copy, "%s", where);
    for (step = strtok_r(copy, "/", &rest); (last = step, step = strtok_r(NULL, "/", &rest));)
        at = json_is_array(at) ? json_array_get(at, (size_t)atoi(last)) : json_object_get(at, last);
    ck_assert_ptr_nonnull(at);
    json_t *new = value ? json_loads(value, JSON_DECODE_ANY, NULL) : NULL;
    ck_assert(!value || new);
    if (json_is_array(at))
        json_array_set_new(at, (size_t)atoi(last), new);
    else if (new)
        json_object_set_new(at, last, new);
    else
        json_object_del(at, last);
    char *text = json_dumps(arch, 0);
    json_object_set_new(d.metadata, "memae.arch", json_string(text));
    free(text);
    json_decref(arch);
    return d;
}

static inline void refuse_arch(const char *where, const char *value, const char *what)
{
    struct draft d = with_arch(where, value);
    refuse(&d, what);
}

static inline void accept_arch(const char *where, const char *value)
{
    struct draft d = with_arch(where, value);
    accept(&d);
}

static inline struct draft with_metadata(const char *key, const char *value)
{
    struct draft d = tiny();
    if (value)
        json_object_set_new(d.metadata, key, json_string(value));
    else
        json_object_del(d.metadata, key);
    return d;
}

static inline void refuse_metadata(const char *key, const char *value, const char *what)
{
    struct draft d = with_metadata(key, value);
    refuse(&d, what);
}

/* ---- a folder for files that are saved ------------------------------------------------------------------------------ */

static char folder[64], path[96];

static inline void make_folder(void)
{
    strcpy(folder, "/tmp/test_model_file.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/m.safetensors", folder);
}

static inline void remove_folder(void)
{
    unlink(path);
    ck_assert_int_eq(rmdir(folder), 0);
}

/* Compares layers and memory field by field, because padding bytes of a struct are arbitrary. */

static inline void same_arch(const struct arch *a, const struct arch *b)
{
    char *texts[2];
    const struct arch *const archs[2] = {a, b};
    for (int i = 0; i < 2; i++) {
        json_t *json = arch_to_json(archs[i]);
        ck_assert_ptr_nonnull(json);
        texts[i] = json_dumps(json, JSON_SORT_KEYS);
        json_decref(json);
    }
    ck_assert_str_eq(texts[0], texts[1]);
    free(texts[0]);
    free(texts[1]);
}

#endif
