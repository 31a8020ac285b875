#include "daemon/base/camera_settings.h"

#include <string.h>

#include "io/video/source_url.h"

struct source_options camera_settings_source(const struct config_camera *camera)
{
    return (struct source_options){.user = camera->user, .password = camera->password, .udp = camera->udp,
                                   .tls_unverified = !camera->tls_verify, .tls_ca_file = camera->tls_ca_file,
                                   .tls_host = camera->tls_host,
                                   .stall_timeout_ms = (int)(camera->stall_timeout_s * 1e3)};
}

bool camera_settings_has_audio(const struct config_camera *camera)
{
    return camera->evidence.audio && !camera->evidence.source;
}

struct source_options camera_settings_kept_source(const struct config_camera *camera)
{
    struct source_options options = camera_settings_source(camera);
    options.packets_only = true;
    options.audio = camera->evidence.audio;
    if (source_names_user(camera->evidence.source))
        options.user = options.password = NULL;
    return options;
}

bool camera_settings_is_local_file(const struct config_camera *camera)
{
    const char *url = camera->source;
    return !source_is_live(url) && (!strstr(url, "://") || strncmp(url, "file:", 5) == 0);
}
