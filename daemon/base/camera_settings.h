/* The settings by which a configured camera's source is read. `run` and `learn --camera` share them, so a model learns from the
 * stream that it will watch. Pure, any thread. */
#ifndef MEMAED_DAEMON_BASE_CAMERA_SETTINGS_H
#define MEMAED_DAEMON_BASE_CAMERA_SETTINGS_H

#include <stdbool.h>

#include "io/config/config.h"
#include "io/video/source.h"

/* Options for source_open(): user, password, transport, TLS and stall time-out of the camera, all else zero. The texts are the
 * camera's. The caller adds size, rate and stop. */
struct source_options camera_settings_source(const struct config_camera *camera);

/* Returns true if the packets of the analysed stream are kept with its audio: audio comes from the stream that clips are made
 * of. */
bool camera_settings_has_audio(const struct config_camera *camera);

/* Options for the stream that is kept for clips (evidence.source): packets alone, with audio if evidence.audio asks for it. User
 * and password are the camera's, unless the stream's URL names a user. */
struct source_options camera_settings_kept_source(const struct config_camera *camera);

/* Returns true if the source is a file or folder of this machine. Its end does not count as a loss of the camera. */
bool camera_settings_is_local_file(const struct config_camera *camera);

#endif
