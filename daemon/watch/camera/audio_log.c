#include "daemon/watch/camera/audio_log.h"

#include <stdio.h>
#include <string.h>

#include "daemon/base/log.h"

void audio_log_note(struct audio_log *last, const char *camera, const struct source_stats *stats)
{
    static const char *const reasons[] = {
        [SOURCE_AUDIO_NONE] = "evidence.audio is true, but the stream has no audio, or the server refuses it: clips have none",
        [SOURCE_AUDIO_REFUSED] = "evidence.audio is true, but audio of this codec is not kept: clips have none",
        [SOURCE_AUDIO_KEPT] = "clips have the stream's audio",
    };
    if (stats->audio == SOURCE_AUDIO_OFF || (stats->audio == last->state && strcmp(stats->audio_codec, last->codec) == 0))
        return;
    last->state = stats->audio;
    memcpy(last->codec, stats->audio_codec, sizeof last->codec);
    log_event(stats->audio == SOURCE_AUDIO_KEPT ? LOG_INFO : LOG_WARNING, "camera_audio", "camera", camera, "codec",
              stats->audio_codec, "reason", reasons[stats->audio], NULL);
}
