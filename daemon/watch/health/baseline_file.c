#include "daemon/watch/health/baseline_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "io/base/redact.h"

enum { VERSION = 2 };
static const char magic[8] = "memaedbl";

struct head {
    char magic[8];
    uint32_t version, reserved;
    struct baseline_basis basis;
    uint64_t checksum;          /* of all bytes of the file, with 0 in its own place */
};

/* FNV-1a. It detects damage, not forgery. */
static uint64_t hash(uint64_t sum, const void *data, size_t size)
{
    const unsigned char *bytes = data;
    for (size_t i = 0; i < size; i++)
        sum = (sum ^ bytes[i]) * UINT64_C(0x100000001b3);
    return sum;
}

static const uint64_t hash_start = UINT64_C(0xcbf29ce484222325);

struct baseline_basis baseline_basis_of(const struct config_camera *camera, int height, int width, double fps)
{
    char address[4096];
    redact(address, sizeof address, camera->source);
    struct baseline_basis basis = {.fps = fps, .height = height, .width = width, .masks = hash_start,
                                   .address = hash(hash_start, address, strlen(address))};
    for (int i = 0; camera->zones && i < camera->zones->n_masks; i++) {
        const struct polygon *area = &camera->zones->mask[i].area;
        basis.masks = hash(basis.masks, area->points, (size_t)area->n * sizeof *area->points);
        basis.masks = hash(basis.masks, &area->n, sizeof area->n);
    }
    return basis;
}

static uint64_t checksum(const struct head *head, const void *rest, size_t size)
{
    struct head counted = *head;
    counted.checksum = 0;
    return hash(hash(hash_start, &counted, sizeof counted), rest, size);
}

int baseline_file_write(void **ret, size_t *size, const struct baseline_basis *basis, const struct health *health)
{
    struct head head = {.version = VERSION, .basis = *basis};
    size_t rest = health_baseline_size(health);
    char *bytes = malloc(sizeof head + rest);
    if (!bytes)
        return -ENOMEM;
    memcpy(head.magic, magic, sizeof magic);
    health_baseline(health, bytes + sizeof head);
    head.checksum = checksum(&head, bytes + sizeof head, rest);
    memcpy(bytes, &head, sizeof head);
    *ret = bytes;
    *size = sizeof head + rest;
    return 0;
}

int baseline_file_read(struct health *health, const struct baseline_basis *basis, const void *data, size_t size,
                       struct error *err)
{
    struct head head = {.version = 0};
    const char *rest = (const char *)data + sizeof head;
    if (size >= sizeof head)
        memcpy(&head, data, sizeof head);
    const struct baseline_basis *of = &head.basis;
    if (size < sizeof head || memcmp(head.magic, magic, sizeof magic) != 0)
        return error_set(err, -EBADMSG, "expected a baseline, got another file");
    if (head.version != VERSION)
        return error_set(err, -EBADMSG, "it is of another version of memaed");
    if (head.checksum != checksum(&head, rest, size - sizeof head))
        return error_set(err, -EBADMSG, "it is damaged");
    if (of->height != basis->height || of->width != basis->width)
        return error_set(err, -ESTALE, "the model's pictures are now %dx%d, not %dx%d", (int)basis->width, (int)basis->height,
                         (int)of->width, (int)of->height);
    if (of->address != basis->address)
        return error_set(err, -ESTALE, "the camera's address has changed");
    if (of->masks != basis->masks)
        return error_set(err, -ESTALE, "the masks have changed");
    if (of->fps < basis->fps || of->fps > basis->fps)
        return error_set(err, -ESTALE, "%g pictures a second are now analysed, not %g", basis->fps, of->fps);
    int r = health_restore(health, rest, size - sizeof head);
    return r < 0 ? error_set(err, r, "it is of another build of memaed") : 0;
}
