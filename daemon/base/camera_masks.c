#include "daemon/base/camera_masks.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int camera_masks_check(const struct camera_masks *masks, const struct command *command)
{
    if (!masks->config_file == !masks->camera)
        return 0;
    return command_misuse(command, "--config and --camera must be given together");
}

static void print_fault(void *arg, const char *text)
{
    (void)arg;
    fprintf(stderr, "%s\n", text);
}

int camera_masks_open(struct camera_masks *masks, struct error *err)
{
    if (!masks->config_file)
        return 0;
    int r = config_load_unlearned(&masks->config, masks->config_file, print_fault, NULL);
    if (r < 0)
        return error_set(err, r, "--config %s: %s", masks->config_file,
                         r == -EINVAL ? "the configuration has faults, which the lines above name" : strerror(-r));
    for (size_t i = 0; i < masks->config->n_cameras; i++)
        if (strcmp(masks->config->cameras[i].name, masks->camera) == 0) {
            masks->zones = masks->config->cameras[i].zones;
            return 0;
        }
    return error_set(err, -ENOENT, "--camera: expected a camera of %s, got \"%s\"", masks->config_file, masks->camera);
}

void camera_masks_close(struct camera_masks *masks)
{
    config_unref(masks->config);
    masks->config = NULL;
    masks->zones = NULL;
}
