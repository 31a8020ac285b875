/* The masks of a configured camera, for commands that read footage: --config FILE --camera NAME. One thread. */
#ifndef MEMAED_DAEMON_BASE_CAMERA_MASKS_H
#define MEMAED_DAEMON_BASE_CAMERA_MASKS_H

#include "core/error.h"
#include "daemon/base/options.h"
#include "io/config/config.h"

struct camera_masks {
    const char *config_file, *camera;   /* of the options; NULL: not given */
    struct config *config;              /* owns zones */
    const struct zones *zones;          /* NULL: none */
};

/* Rows of a command's options, for its field of this type. */
#define CAMERA_MASKS_OPTIONS(type, field)                                                                                       \
    {"config", 0, OPTION_TEXT(type, field.config_file), .argument = "FILE", .path = OPTION_FILE,                                \
     .help = "A configuration. With --camera: what the masks of that camera cover does not count. Its models need not exist."}, \
    {"camera", 0, OPTION_TEXT(type, field.camera), .argument = "NAME", .help = "The camera in --config."}

/* Returns 0, or the exit status of command_misuse() if one option is given without the other. */
int camera_masks_check(const struct camera_masks *masks, const struct command *command);
/* Reads the configuration, if one is given. 0, or a negative errno with the cause in err; faults of the configuration go to
 * standard error, too. */
int camera_masks_open(struct camera_masks *masks, struct error *err);
void camera_masks_close(struct camera_masks *masks);    /* takes zeroes */

#endif
