/* Logs what becomes of a camera's audio, where evidence.audio asks for it, whenever that has changed. The thread that reads the
 * stream owns one. */
#ifndef MEMAED_DAEMON_WATCH_CAMERA_AUDIO_LOG_H
#define MEMAED_DAEMON_WATCH_CAMERA_AUDIO_LOG_H

#include "io/video/source.h"

struct audio_log {              /* zeroes: nothing was logged */
    enum source_audio state;
    char codec[sizeof ((struct source_stats *)0)->audio_codec];
};

void audio_log_note(struct audio_log *last, const char *camera, const struct source_stats *stats);

#endif
