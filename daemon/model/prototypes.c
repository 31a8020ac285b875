#include "daemon/model/prototypes.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/network/network.h"
#include "io/video/png.h"

struct ranked {
    int slot;
    double use;
};

/* The most used first; of equally used ones, the lower number. */
static int compare(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    return x->use != y->use ? (x->use < y->use) - (x->use > y->use) : (x->slot > y->slot) - (x->slot < y->slot);
}

static int rank(const struct model_file *file, struct ranked *order, bool *by_use, struct error *err)
{
    int n = file->model->arch.memory.slots;
    const json_t *list = json_object_get(file->training, "slot_use");
    *by_use = list != NULL;
    if (list && (!json_is_array(list) || json_array_size(list) != (size_t)n))
        return error_set(err, -EINVAL, "memae.training: slot_use: expected a list of %d numbers, one for each slot", n);
    for (int i = 0; i < n; i++) {
        const json_t *use = list ? json_array_get(list, (size_t)i) : NULL;
        if (list && (!json_is_number(use) || json_number_value(use) < 0))
            return error_set(err, -EINVAL, "memae.training: slot_use[%d]: expected a number of 0 or more", i);
        order[i] = (struct ranked){i, use ? json_number_value(use) : 0};
    }
    qsort(order, (size_t)n, sizeof *order, compare);
    return 0;
}

static int check(const struct arch *arch, struct error *err)
{
    if (arch->kind == INPUT_TABLE)
        return error_set(err, -EINVAL, "a model of table rows has no pictures to show");
    if (!arch->has_memory)
        return error_set(err, -EINVAL, "a plain autoencoder has no memory, so there are no slots to show");
    if (arch->channels != 1 && arch->channels != 3)
        return error_set(err, -EINVAL, "expected pictures of 1 or 3 channels, got %d", arch->channels);
    return 0;
}

/* Writes the slot's picture, the centre frame: pixels [height][width][channels]. */
static void decode(struct network *net, const struct model *model, int slot, uint8_t *pixels)
{
    const struct arch *arch = &model->arch;
    size_t c = (size_t)model->shapes.decoder[0].c, queries = dims_positions(model->shapes.decoder[0]);
    for (size_t q = 0; q < queries; q++)
        memcpy(network_z_hat(net) + q * c, model->memory + (size_t)slot * c, c * sizeof(float));
    network_decode(net, model, 1);
    size_t n = (size_t)arch->height * (size_t)arch->width * (size_t)arch->channels;
    const float *x = network_output(net) + (size_t)(arch->frames / 2) * n;
    for (size_t i = 0; i < n; i++)
        pixels[i] = (uint8_t)lrintf(255 * fminf(fmaxf(x[i] * arch->std + arch->mean, 0), 1));
}

int prototypes_write(const struct model_file *file, const char *folder, int limit, int *written, bool *by_use,
                     struct error *err)
{
    const struct model *model = file->model;
    const struct arch *arch = &model->arch;
    int r = check(arch, err), n = arch->memory.slots, digits = snprintf(NULL, 0, "%d", n - 1);
    if (r < 0)
        return r;
    struct network *net = NULL;
    struct ranked *order = malloc((size_t)n * sizeof *order);
    uint8_t *pixels = malloc((size_t)arch->height * (size_t)arch->width * (size_t)arch->channels);
    if (!order || !pixels)
        r = error_set(err, -ENOMEM, "out of memory");
    if (r == 0 && (r = rank(file, order, by_use, err)) == 0 && (r = network_open(&net, arch, 1, &parallel_serial, err)) == 0 &&
        mkdir(folder, 0777) < 0 && errno != EEXIST)
        r = error_set(err, -errno, "%s: %s", folder, strerror(errno));
    digits = digits < 3 ? 3 : digits;
    n = limit > 0 && limit < n ? limit : n;
    for (int i = 0; r == 0 && i < n; i++) {
        char path[4096];
        decode(net, model, order[i].slot, pixels);
        if (snprintf(path, sizeof path, "%s/%0*d-slot%0*d.png", folder, digits, i, digits, order[i].slot) >= (int)sizeof path)
            r = error_set(err, -ENAMETOOLONG, "%.64s…: %s", folder, strerror(ENAMETOOLONG));
        else
            r = png_write(path, pixels, arch->width, arch->height, arch->channels, err);
    }
    *written = n;
    network_close(net);
    free(pixels);
    free(order);
    return r;
}
