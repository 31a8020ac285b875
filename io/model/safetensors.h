/* Safetensors files, read and written: 8 bytes of little-endian header length, a JSON header, raw tensors
 * (docs/model-format.md lists what is checked). Reading maps the file read-only; a file can come from anyone, so all of
 * it is checked before anything is returned. Any thread; one object is one thread's. */
#ifndef MEMAED_IO_MODEL_SAFETENSORS_H
#define MEMAED_IO_MODEL_SAFETENSORS_H

#include <stddef.h>
#include <stdint.h>

#include "core/error.h"

enum { SAFETENSORS_MAX_HEADER = 16 << 20, SAFETENSORS_MAX_DIMS = 8 };
enum safetensors_dtype { SAFETENSORS_F32, SAFETENSORS_I64 };    /* what a model may hold; others are refused by name */

struct safetensors_tensor {
    const char *name;                   /* the file's */
    enum safetensors_dtype dtype;
    int ndim;
    size_t shape[SAFETENSORS_MAX_DIMS];
    size_t n;                           /* elements; 1 without axes */
    const unsigned char *data;          /* in the mapping; may be unaligned */
    size_t size_bytes;
};

struct safetensors;

/* Whoever writes models must replace them by rename, as safetensors_write does: a mapped file that is cut raises SIGBUS.
 * 0; -errno where the file can't be opened or mapped; -EINVAL where it fails a check. err names file, tensor, what was
 * expected and found. *ret is the caller's. */
int safetensors_open(struct safetensors **ret, const char *path, struct error *err);
/* The same on bytes in memory, borrowed until close; name stands for the path in errors. (The fuzz target's way in.) */
int safetensors_open_memory(struct safetensors **ret, const void *data, size_t size, const char *name, struct error *err);
void safetensors_close(struct safetensors *file);       /* takes NULL */

/* Tensors in the order of their data. What is returned holds until close. */
size_t safetensors_count(const struct safetensors *file);
const struct safetensors_tensor *safetensors_at(const struct safetensors *file, size_t i);
const struct safetensors_tensor *safetensors_find(const struct safetensors *file, const char *name);    /* or NULL */
const char *safetensors_metadata(const struct safetensors *file, const char *key);                     /* or NULL */

/* For writing: tensors of float in C order. Metadata are n_metadata pairs key, value. */
struct safetensors_output {
    const char *name;
    int ndim;
    size_t shape[SAFETENSORS_MAX_DIMS];
    const float *data;
};

/* Writes to PATH.tmp-<pid>, syncs, renames: the file at path is the old one or the new one, never a part. The same
 * arguments give the same bytes; the data begin at a multiple of 8. 0; -EINVAL for what no reader would take (a name
 * twice, a header beyond its limit, text that is not UTF-8); -errno of the file system. */
int safetensors_write(const char *path, const struct safetensors_output *tensors, size_t n,
                      const char *const (*metadata)[2], size_t n_metadata, struct error *err);

/* "[6, 1, 3, 3]" into out, cut to size; returns out. */
const char *safetensors_shape(char *out, size_t size, const size_t *shape, int ndim);
/* Text that came from a file goes to a line of a log or a terminal: control characters become '?', in place. */
void safetensors_printable(char *text);

#endif
