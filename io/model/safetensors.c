#include "io/model/safetensors.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/base/new_file.h"
#include "io/base/printable.h"
#include "io/base/read_file.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "tensors are copied as they lie in the file");

static const struct {
    const char *name;
    enum safetensors_dtype dtype;
    size_t size;
} dtypes[] = {
    {"F32", SAFETENSORS_F32, 4},
    {"I64", SAFETENSORS_I64, 8},
};

struct safetensors {
    char *bytes;                                /* NULL: they belong to the caller */
    json_t *header;                             /* owns the names and the metadata */
    const json_t *metadata;                     /* or NULL */
    struct safetensors_tensor *tensors;         /* [n], by offset */
    const struct safetensors_tensor **by_name;
    size_t n;
};

const char *safetensors_shape(char *out, size_t size, const size_t *shape, int ndim)
{
    size_t used = 0;
    for (int i = 0; i < ndim && used < size; i++)
        used += (size_t)snprintf(out + used, size - used, "%s%zu", i ? ", " : "[", shape[i]);
    if (used < size)
        snprintf(out + used, size - used, "%s", ndim ? "]" : "[]");
    return out;
}

/* ---- reading ------------------------------------------------------------------------------------------------------ */

static int parse_size(size_t *ret, const json_t *value, const char *name, const char *what, struct error *err)
{
    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return error_set(err, -EINVAL, "%.100s: %s: expected integers of 0 or more, got another", name, what);
    *ret = (size_t)json_integer_value(value);
    return 0;
}

static int parse_tensor(struct safetensors_tensor *ret, const char *name, const json_t *entry, const unsigned char *data,
                        size_t data_size, struct error *err)
{
    const json_t *dtype = json_object_get(entry, "dtype"), *shape = json_object_get(entry, "shape"),
                 *offsets = json_object_get(entry, "data_offsets");
    if (!json_is_string(dtype) || !json_is_array(shape) || !json_is_array(offsets) || json_object_size(entry) != 3)
        return error_set(err, -EINVAL, "%.100s: expected an object with the keys dtype, shape, data_offsets, got "
                         "another", name);

    struct safetensors_tensor t = {.name = name, .n = 1};
    size_t k = 0, n_dtypes = sizeof dtypes / sizeof dtypes[0];
    while (k < n_dtypes && strcmp(json_string_value(dtype), dtypes[k].name) != 0)
        k++;
    if (k == n_dtypes)
        return error_set(err, -EINVAL, "%.100s: expected dtype F32 or I64, got %.20s", name, json_string_value(dtype));
    t.dtype = dtypes[k].dtype;

    if (json_array_size(shape) > SAFETENSORS_MAX_DIMS)
        return error_set(err, -EINVAL, "%.100s: expected at most %d axes, got %zu", name, SAFETENSORS_MAX_DIMS,
                         json_array_size(shape));
    t.ndim = (int)json_array_size(shape);
    bool overflow = false;
    for (int i = 0; i < t.ndim; i++) {
        int r = parse_size(&t.shape[i], json_array_get(shape, (size_t)i), name, "shape", err);
        if (r < 0)
            return r;
        overflow |= __builtin_mul_overflow(t.n, t.shape[i], &t.n);
    }
    overflow |= __builtin_mul_overflow(t.n, dtypes[k].size, &t.size_bytes);
    char found[256];
    safetensors_shape(found, sizeof found, t.shape, t.ndim);
    if (overflow)
        return error_set(err, -EINVAL, "%.100s: shape %s: more bytes than can be counted", name, found);

    size_t begin = 0, end = 0;
    int r;
    if (json_array_size(offsets) != 2)
        return error_set(err, -EINVAL, "%.100s: data_offsets: expected [begin, end]", name);
    if ((r = parse_size(&begin, json_array_get(offsets, 0), name, "data_offsets", err)) < 0 ||
        (r = parse_size(&end, json_array_get(offsets, 1), name, "data_offsets", err)) < 0)
        return r;
    if (begin > end || end > data_size)
        return error_set(err, -EINVAL,
                         "%.100s: data_offsets: expected a place within the file's %zu bytes of data, got [%zu, %zu]", name,
                         data_size, begin, end);
    if (end - begin != t.size_bytes)
        return error_set(err, -EINVAL, "%.100s: expected %zu bytes for %s %s, got %zu", name, t.size_bytes, dtypes[k].name,
                         found, end - begin);
    t.data = data + begin;
    *ret = t;
    return 0;
}

static int compare_offset(const void *a, const void *b)
{
    const struct safetensors_tensor *s = a, *t = b;
    if (s->data != t->data)
        return s->data < t->data ? -1 : 1;
    return s->size_bytes < t->size_bytes ? -1 : s->size_bytes > t->size_bytes;
}

static int compare_name(const void *a, const void *b)
{
    const struct safetensors_tensor *const *s = a, *const *t = b;
    return strcmp((*s)->name, (*t)->name);
}

/* Checks that the tensors, sorted by offset, cover the data without gap or overlap. */
static int check_cover(const struct safetensors *file, const unsigned char *data, size_t data_size, struct error *err)
{
    size_t expected = 0;
    for (size_t i = 0; i < file->n; i++) {
        const struct safetensors_tensor *t = &file->tensors[i];
        size_t begin = (size_t)(t->data - data);
        if (begin != expected)
            return error_set(err, -EINVAL, "%.100s: expected data from byte %zu on, got data from byte %zu on: %s%.100s",
                             t->name, expected, begin, begin < expected ? "it overlaps " : "no tensor covers the gap",
                             begin < expected ? file->tensors[i - 1].name : "");
        expected += t->size_bytes;
    }
    if (expected != data_size)
        return error_set(err, -EINVAL, "expected %zu bytes of data, got %zu: no tensor covers the end", expected, data_size);
    return 0;
}

static int check_metadata(const json_t *metadata, struct error *err)
{
    const char *key;
    json_t *value;
    if (!json_is_object(metadata))
        return error_set(err, -EINVAL, "__metadata__: expected an object, got another value");
    json_object_foreach((json_t *)metadata, key, value)
        if (!json_is_string(value))
            return error_set(err, -EINVAL, "__metadata__: %.100s: expected a string", key);
    return 0;
}

static int parse(struct safetensors *file, const unsigned char *bytes, size_t size, struct error *err)
{
    if (size < 8)
        return error_set(err, -EINVAL, "not a safetensors file: expected 8 bytes of header length, got %zu bytes", size);
    uint64_t length = 0;
    for (int i = 8; i-- > 0;)
        length = length << 8 | bytes[i];
    if (length < 2 || length > SAFETENSORS_MAX_HEADER)
        return error_set(err, -EINVAL, "not a safetensors file: expected a header length of 2 to %d bytes, got %" PRIu64,
                         SAFETENSORS_MAX_HEADER, length);
    if (length > size - 8)
        return error_set(err, -EINVAL, "cut short: expected a header of %" PRIu64 " bytes, got %zu", length, size - 8);
    const char *header = (const char *)bytes + 8;
    if (header[0] != '{')
        return error_set(err, -EINVAL, "not a safetensors file: expected a header that begins with {");

    json_error_t json_err;
    file->header = json_loadb(header, (size_t)length, JSON_REJECT_DUPLICATES, &json_err);
    if (!file->header)
        return error_set(err, json_error_code(&json_err) == json_error_out_of_memory ? -ENOMEM : -EINVAL,
                         "header: byte %d: %s", json_err.position, json_err.text);
    file->metadata = json_object_get(file->header, "__metadata__");
    int r;
    if (file->metadata && (r = check_metadata(file->metadata, err)) < 0)
        return r;

    size_t n = json_object_size(file->header) - (file->metadata ? 1 : 0);
    file->tensors = calloc(n ? n : 1, sizeof *file->tensors);
    file->by_name = calloc(n ? n : 1, sizeof *file->by_name);
    if (!file->tensors || !file->by_name)
        return error_set(err, -ENOMEM, "out of memory");
    const unsigned char *data = bytes + 8 + length;
    size_t data_size = size - 8 - (size_t)length;
    const char *name;
    json_t *entry;
    json_object_foreach(file->header, name, entry) {
        if (entry == file->metadata)
            continue;
        if ((r = parse_tensor(&file->tensors[file->n], name, entry, data, data_size, err)) < 0)
            return r;
        file->n++;
    }
    qsort(file->tensors, file->n, sizeof *file->tensors, compare_offset);
    for (size_t i = 0; i < file->n; i++)
        file->by_name[i] = &file->tensors[i];
    qsort(file->by_name, file->n, sizeof *file->by_name, compare_name);
    return check_cover(file, data, data_size, err);
}

int safetensors_open_memory(struct safetensors **ret, const void *data, size_t size, const char *name, struct error *err)
{
    struct safetensors *file = calloc(1, sizeof *file);
    int r = file ? parse(file, data, size, err) : error_set(err, -ENOMEM, "out of memory");
    if (r < 0) {
        safetensors_close(file);
        error_prefix(err, r, "%s", name);
        if (err)
            printable(err->text);
        return r;
    }
    *ret = file;
    return 0;
}

int safetensors_open(struct safetensors **ret, const char *path, struct error *err)
{
    char *bytes;
    size_t size;
    int r = read_file(&bytes, &size, path, PTRDIFF_MAX, err);
    if (r < 0)
        return error_prefix(err, r, "%s", path);
    r = size == 0 ? error_set(err, -EINVAL, "%s: the file is empty", path) : safetensors_open_memory(ret, bytes, size, path, err);
    if (r < 0)
        free(bytes);
    else
        (*ret)->bytes = bytes;
    return r;
}

void safetensors_close(struct safetensors *file)
{
    if (!file)
        return;
    free(file->bytes);
    json_decref(file->header);
    free(file->tensors);
    free(file->by_name);
    free(file);
}

size_t safetensors_count(const struct safetensors *file)
{
    return file->n;
}

const struct safetensors_tensor *safetensors_at(const struct safetensors *file, size_t i)
{
    return &file->tensors[i];
}

const struct safetensors_tensor *safetensors_find(const struct safetensors *file, const char *name)
{
    const struct safetensors_tensor key = {.name = name}, *p = &key;
    const struct safetensors_tensor **found = bsearch(&p, file->by_name, file->n, sizeof *file->by_name, compare_name);
    return found ? *found : NULL;
}

const char *safetensors_metadata(const struct safetensors *file, const char *key)
{
    return json_string_value(json_object_get(file->metadata, key));
}

/* ---- writing ------------------------------------------------------------------------------------------------------ */

/* Adds value under a key that must be new. Takes over the reference to value. */
static int add(json_t *object, const char *key, json_t *value, struct error *err)
{
    if (json_object_get(object, key)) {
        json_decref(value);
        return error_set(err, -EINVAL, "%.100s: expected once, got twice", key);
    }
    if (!value || json_object_set_new(object, key, value) < 0)
        return error_set(err, -EINVAL, "%.100s: expected UTF-8 text, got other bytes; or out of memory", key);
    return 0;
}

/* Makes the text of the header, padded with spaces so that the data begin at a multiple of 8. */
static int build_header(char **ret, size_t *ret_size, const struct safetensors_output *tensors, size_t n,
                        const char *const (*metadata)[2], size_t n_metadata, struct error *err)
{
    int r;
    char *text = NULL;
    size_t offset = 0;
    json_t *header = json_object(), *pairs = json_object();
    for (size_t i = 0; i < n_metadata; i++)
        if ((r = add(pairs, metadata[i][0], json_string(metadata[i][1]), err)) < 0)
            goto out;
    r = add(header, "__metadata__", json_incref(pairs), err);
    for (size_t i = 0; r == 0 && i < n; i++) {
        size_t elements = 1, size, end = 0;
        bool overflow = false;
        json_t *shape = json_array();
        if (tensors[i].ndim < 0 || tensors[i].ndim > SAFETENSORS_MAX_DIMS)
            overflow = true;
        for (int d = 0; !overflow && d < tensors[i].ndim; d++) {
            json_array_append_new(shape, json_integer((json_int_t)tensors[i].shape[d]));
            overflow |= __builtin_mul_overflow(elements, tensors[i].shape[d], &elements) || tensors[i].shape[d] > INT64_MAX;
        }
        overflow |= __builtin_mul_overflow(elements, sizeof(float), &size) || __builtin_add_overflow(offset, size, &end) ||
                    end > INT64_MAX;
        if (overflow) {
            json_decref(shape);
            r = error_set(err, -EINVAL, "%.100s: shape: expected at most 8 axes and fewer than 2^63 bytes", tensors[i].name);
            break;
        }
        r = add(header, tensors[i].name,
                json_pack("{s:s, s:o, s:[I, I]}", "dtype", "F32", "shape", shape, "data_offsets", (json_int_t)offset,
                          (json_int_t)end), err);
        offset = end;
    }
    if (r < 0)
        goto out;
    char *compact = json_dumps(header, JSON_COMPACT);
    size_t length = compact ? strlen(compact) : 0, padded = (length + 7) / 8 * 8;
    text = compact ? realloc(compact, padded + 1) : NULL;
    if (!text) {
        free(compact);
        r = error_set(err, -ENOMEM, "out of memory");
    } else if (padded > SAFETENSORS_MAX_HEADER) {
        r = error_set(err, -EINVAL, "expected a header of at most %d bytes, got %zu", SAFETENSORS_MAX_HEADER, padded);
    } else {
        memset(text + length, ' ', padded - length);
        *ret = text;
        *ret_size = padded;
        text = NULL;
    }
out:
    free(text);
    json_decref(pairs);
    json_decref(header);
    return r;
}

int safetensors_write(const char *path, const struct safetensors_output *tensors, size_t n,
                      const char *const (*metadata)[2], size_t n_metadata, struct error *err)
{
    char *header = NULL;
    size_t header_size = 0;
    struct new_file file;
    int r = build_header(&header, &header_size, tensors, n, metadata, n_metadata, err);
    if (r < 0)
        return error_prefix(err, r, "%s", path);
    if ((r = new_file_open(&file, path, true, err)) < 0)
        goto out;
    uint64_t length = header_size;
    if ((r = new_file_write(&file, &length, sizeof length, err)) == 0)
        r = new_file_write(&file, header, header_size, err);
    for (size_t i = 0; r == 0 && i < n; i++) {
        size_t elements = 1;
        for (int d = 0; d < tensors[i].ndim; d++)
            elements *= tensors[i].shape[d];
        r = new_file_write(&file, tensors[i].data, elements * sizeof(float), err);
    }
    if (r == 0)
        r = new_file_commit(&file, err);
    else
        new_file_abandon(&file);
out:
    free(header);
    return r;
}
