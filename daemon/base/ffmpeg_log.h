/* Puts the lines that FFmpeg logs into the log of a command, redacted. A command calls one of these functions early, on one
 * thread. */
#ifndef MEMAED_DAEMON_BASE_FFMPEG_LOG_H
#define MEMAED_DAEMON_BASE_FFMPEG_LOG_H

/* Logs the lines as they are, for commands whose log has no events. */
void ffmpeg_log_lines(void);
/* Logs an event "ffmpeg" for each line, with the camera of source_log_as(). In each period of 10 s the first 20 lines are
 * logged, and then how many were left out. */
void ffmpeg_log_events(void);

#endif
