#include "io/video/input/cause.h"

#include <errno.h>
#include <libavutil/error.h>
#include <stdio.h>
#include <string.h>

/* "[tcp @ 0x55] Failed to resolve hostname …". */
static _Thread_local char heard[256];
/* The format or protocol that FFmpeg refused, because it is on no list (io/video/input/allowed.h), in words. FFmpeg logs further
 * errors after that. */
static _Thread_local char refused[80];

/* The text after begin; NULL: it does not begin so. */
static const char *after(const char *text, const char *begin)
{
    size_t n = strlen(begin);
    return strncmp(text, begin, n) == 0 ? text + n : NULL;
}

static void refuse(const char *kind, const char *name, size_t n)
{
    if (!*refused)
        snprintf(refused, sizeof refused, "%s %.*s", kind, (int)n, name);
}

/* "[wav @ 0x55] Format not on whitelist", "[crypto @ 0x55] Protocol 'crypto' not on whitelist". HLS itself takes few protocols:
 * "[hls @ 0x55] Error when loading first segment 'subfile,…". */
static void hear_refusal(const char *line)
{
    const char *text = *line == '[' ? strstr(line, "] ") : NULL, *name;
    if (!text)
        return;
    text += 2;
    if (after(text, "Format not on whitelist")) {
        refuse("the format is", line + 1, strcspn(line + 1, " "));
    } else if ((name = after(text, "Protocol '")) && strstr(name, "' not on whitelist")) {
        refuse("the protocol is", name, strcspn(name, "'"));
    } else if ((name = after(text, "Error when loading first segment '"))) {
        size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz");
        if (n > 0 && (name[n] == ':' || name[n] == ',') && !after(name, "http") && !after(name, "file:"))
            refuse("the protocol is", name, n);
    }
}

bool cause_hear(char *text)
{
    char *list = strstr(text, " not on whitelist");
    if (list)
        list[strlen(" not on whitelist")] = 0;
    if (list && strstr(text, "] Codec ("))
        return false;
    hear_refusal(text);
    snprintf(heard, sizeof heard, "%s", text);
    return !(list && strstr(text, "] Format not"));
}

void cause_forget(void)
{
    heard[0] = refused[0] = 0;
}

/* The line that FFmpeg logged last, without the name of its part; "" if another part logged it. part NULL: any. */
static const char *said_by(const char *part)
{
    const char *text = heard[0] == '[' ? strstr(heard, "] ") : NULL;
    if (part && (!text || strncmp(heard + 1, part, strlen(part)) != 0 || heard[1 + strlen(part)] != ' '))
        return "";
    return text ? text + 2 : heard;
}

bool cause_is_heard(void)
{
    return *said_by(NULL);
}

/* The text after the last word of what FFmpeg said; NULL: it did not say that. */
static const char *said_after(const char *begin, const char *last)
{
    const char *text = said_by(NULL), *at = strncmp(text, begin, strlen(begin)) == 0 ? strstr(text, last) : NULL;
    return at ? at + strlen(last) : NULL;
}

void cause_name(const struct cause_request *request, int code, char *out, size_t size)
{
    const char *text, *tls = said_by("tls");
    if (*refused)
        snprintf(out, size, "%s, which is not one that cameras or footage use", refused);
    else if (code == AVERROR_HTTP_UNAUTHORIZED)
        snprintf(out, size, request->signs_in ? "401: user or password refused" : "401: the camera asks for user and password");
    else if (code == AVERROR_HTTP_FORBIDDEN)
        snprintf(out, size, "403: the user may not see this stream");
    else if (code == AVERROR_HTTP_NOT_FOUND)
        snprintf(out, size, "404: nothing at this path");
    else if (said_after("method SETUP", " failed: 461"))
        snprintf(out, size, request->udp ? "461: the camera does not send over UDP; transport: tcp asks for TCP"
                                         : "461: the camera does not send over TCP; transport: udp asks for UDP");
    else if ((text = said_after("HTTP error ", "HTTP error ")) || (text = said_after("method ", " failed: ")))
        snprintf(out, size, "the camera answered %s", text);
    else if ((text = said_after("Failed to resolve hostname ", ": ")))
        snprintf(out, size, "host not found: %s", text);
    else if (strcmp(tls, "Peer certificate failed verification") == 0)
        snprintf(out, size, "TLS: the camera's certificate is not trusted; tls_ca_file can name it");
    else if (strstr(tls, "does not match hostname"))
        snprintf(out, size, "TLS: the camera's certificate is for another host; tls_host can name it");
    else if (*tls)
        snprintf(out, size, "TLS: %s", tls);
    else
        av_strerror(code, out, size);
}

int cause_errno(int code)
{
    switch (code) {
    case AVERROR_INVALIDDATA: case AVERROR_EOF: case AVERROR_DEMUXER_NOT_FOUND: case AVERROR_DECODER_NOT_FOUND:
    case AVERROR_STREAM_NOT_FOUND: case AVERROR_PROTOCOL_NOT_FOUND: case AVERROR_OPTION_NOT_FOUND: case AVERROR_PATCHWELCOME:
    case AVERROR_HTTP_BAD_REQUEST: case AVERROR_HTTP_OTHER_4XX:
        return -EINVAL;
    case AVERROR_HTTP_UNAUTHORIZED: case AVERROR_HTTP_FORBIDDEN:
        return -EACCES;
    case AVERROR_HTTP_NOT_FOUND:
        return -ENOENT;
    case AVERROR_EXIT:
        return -EINTR;
    default:
        return code < 0 && code > -4096 && code != -EAGAIN ? code : -EIO;
    }
}
