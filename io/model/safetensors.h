/* Reads and writes safetensors files: 8 bytes of little-endian header length, a JSON header, raw tensors. Reading takes
 * the whole file into memory, so the file may change or shrink afterwards. A file may come from anyone, so everything that
 * docs/model-format.md lists is checked first. Any thread; one object belongs to one thread. */
#ifndef MEMAED_IO_MODEL_SAFETENSORS_H
#define MEMAED_IO_MODEL_SAFETENSORS_H

#include <stddef.h>
#include <stdint.h>

#include "core/error.h"

enum { SAFETENSORS_MAX_HEADER = 16 << 20, SAFETENSORS_MAX_DIMS = 8 };
enum safetensors_dtype { SAFETENSORS_F32, SAFETENSORS_I64 };    /* the types that a model may hold; others are refused */

struct safetensors_tensor {
    const char *name;                   /* borrowed from struct safetensors */
    enum safetensors_dtype dtype;
    int ndim;
    size_t shape[SAFETENSORS_MAX_DIMS];
    size_t n;                           /* elements; 1 if ndim is 0 */
    const unsigned char *data;          /* of the file; may be unaligned; size_bytes long */
    size_t size_bytes;
};

struct safetensors;

/* 0: *ret is the caller's. -errno if the file cannot be opened or read, -EINVAL after a failed check, -ENOMEM: err names the
 * file, the tensor, and what was expected and given. */
int safetensors_open(struct safetensors **ret, const char *path, struct error *err);
/* The same on bytes in memory, which are borrowed until close. name replaces the path in err. */
int safetensors_open_memory(struct safetensors **ret, const void *data, size_t size, const char *name, struct error *err);
void safetensors_close(struct safetensors *file);       /* takes NULL */

/* Tensors, in the order of their data. Pointers that these return are valid until close. */
size_t safetensors_count(const struct safetensors *file);
const struct safetensors_tensor *safetensors_at(const struct safetensors *file, size_t i);
const struct safetensors_tensor *safetensors_find(const struct safetensors *file, const char *name);    /* or NULL */
const char *safetensors_metadata(const struct safetensors *file, const char *key);                     /* or NULL */

/* A tensor to write: floats in C order. */
struct safetensors_output {
    const char *name;
    int ndim;
    size_t shape[SAFETENSORS_MAX_DIMS];
    const float *data;
};

/* Writes tensors [n] and metadata [n_metadata] of pairs key, value by io/base/new_file.h. So the file at path is the old one or
 * the new one, never a part. Equal arguments give equal bytes; the data begin at a multiple of 8.
 * 0; -EINVAL for a file that no reader would accept (a name given twice, a header beyond its limit, text that is not
 * UTF-8); -ENOMEM; -errno of the file system. */
int safetensors_write(const char *path, const struct safetensors_output *tensors, size_t n,
                      const char *const (*metadata)[2], size_t n_metadata, struct error *err);

/* Writes "[6, 1, 3, 3]" to out, cut to size. Returns out. */
const char *safetensors_shape(char *out, size_t size, const size_t *shape, int ndim);

#endif
