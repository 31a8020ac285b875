/* The cause of a failure of FFmpeg, in words. FFmpeg has one code for many causes (EIO: a host that is not found, or TLS). So the
 * line that it logged last on a thread tells more. Each thread has its own line. Never logs. */
#ifndef MEMAED_IO_VIDEO_INPUT_CAUSE_H
#define MEMAED_IO_VIDEO_INPUT_CAUSE_H

#include <stdbool.h>
#include <stddef.h>

/* The request by which the source was opened. */
struct cause_request {
    bool signs_in;              /* a user was given */
    bool udp;                   /* RTSP over UDP, else TCP */
};

/* Takes an error that FFmpeg logged on the calling thread: a whole line, redacted. If the line says that something is not on a
 * list, the list is cut off. false: the line need not be logged. It tells that FFmpeg refused a decoder while it looked for the
 * video, or a format, which the error of the call names. */
bool cause_hear(char *text);
/* The calling thread has heard nothing from now on. */
void cause_forget(void);
/* Returns true if the calling thread has heard an error. */
bool cause_is_heard(void);

/* Writes the cause of FFmpeg's code (AVERROR…), which a call on this thread has returned. Cut to size. */
void cause_name(const struct cause_request *request, int code, char *out, size_t size);

/* FFmpeg's error code as a negative errno. */
int cause_errno(int code);

#endif
