#include "io/video/source_url.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "io/video/input/allowed.h"
#include "io/video/source.h"

enum { MAX_USER_RTSP = 127, MAX_USER_HTTP = 1023 };         /* bytes of USER:PASSWORD that FFmpeg keeps of a URL */

/* The length of the scheme in "scheme://…"; 0: there is none. */
static size_t scheme_length(const char *url)
{
    size_t n = 0;
    while (isalnum((unsigned char)url[n]) || (n && strchr("+-.", url[n]) && url[n]))
        n++;
    return n && strncmp(url + n, "://", 3) == 0 ? n : 0;
}

enum source_kind source_kind(const char *url)
{
    static const struct {
        const char *scheme;
        enum source_kind kind;
    } kinds[] = {
        {"file", SOURCE_FILE},   {"http", SOURCE_REMOTE}, {"https", SOURCE_REMOTE}, {"ftp", SOURCE_REMOTE},
        {"sftp", SOURCE_REMOTE}, {"rtsp", SOURCE_LIVE},   {"rtsps", SOURCE_LIVE},   {"rtmp", SOURCE_LIVE},
        {"rtmps", SOURCE_LIVE},  {"rtmpt", SOURCE_LIVE},  {"rtmpts", SOURCE_LIVE},  {"rtmpe", SOURCE_LIVE},
        {"rtmpte", SOURCE_LIVE}, {"rtp", SOURCE_LIVE},    {"srtp", SOURCE_LIVE},    {"udp", SOURCE_LIVE},
        {"tcp", SOURCE_LIVE},    {"tls", SOURCE_LIVE},    {"srt", SOURCE_LIVE},     {"rist", SOURCE_LIVE},
    };
    size_t n = scheme_length(url);
    if (!n)
        return SOURCE_FILE;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strlen(kinds[i].scheme) == n && strncasecmp(url, kinds[i].scheme, n) == 0)
            return kinds[i].kind;
    return SOURCE_UNKNOWN;
}

/* Returns true if a URL of this protocol may lack a host, because it then waits for a sender. */
static bool may_listen(const char *url)
{
    static const char *const listeners[] = {"rtp://", "srtp://", "udp://", "tcp://", "srt://", "rist://"};
    for (size_t i = 0; i < sizeof listeners / sizeof *listeners; i++)
        if (strncasecmp(url, listeners[i], strlen(listeners[i])) == 0)
            return true;
    return false;
}

/* The place of the port in host[:port] of n bytes; "": it has none. */
static const char *port_of(const char *host, size_t n)
{
    const char *end = host + n, *bracket = *host == '[' ? memchr(host, ']', n) : NULL;
    const char *colon = memchr(bracket ? bracket : host, ':', (size_t)(end - (bracket ? bracket : host)));
    return colon ? colon + 1 : end;
}

int source_check(const char *url, struct error *err)
{
    enum source_kind kind = source_kind(url);
    size_t n = scheme_length(url);
    if (kind == SOURCE_FILE)
        return 0;
    if (kind == SOURCE_UNKNOWN)
        return error_set(err, -EINVAL, "expected a protocol such as rtsp, rtsps, http, https, rtmp, srt or udp, got \"%.*s\"",
                         n < 32 ? (int)n : 32, url);
    const char *authority = url + n + 3;
    size_t length = strcspn(authority, "/?#");
    const char *at = memrchr(authority, '@', length), *host = at ? at + 1 : authority;
    size_t host_length = length - (size_t)(host - authority);
    const char *port = port_of(host, host_length), *end = host + host_length;
    size_t digits = strspn(port, "0123456789");
    long number = digits < 10 ? strtol(port, NULL, 10) : LONG_MAX;
    bool wrong = port < end && (port + digits < end || number < 1 || number > 65535);
    bool cut = host_length > 0 && end[-1] == ':';
    if ((wrong || cut) && !at && strchr(end, '@'))
        return error_set(err, -EINVAL, "expected %%2F, %%3F and %%23 for '/', '?' and '#' in user or password, got one of these");
    if (wrong)
        return error_set(err, -EINVAL, "expected a port from 1 to 65535 after the host");
    if ((host_length == 0 || *host == ':') && !may_listen(url))
        return error_set(err, -EINVAL, "expected a host after %.*s://, got none", (int)n, url);
    return 0;
}

/* Writes text to out, if that is not NULL, with everything percent-encoded that could end a part of a URL. Returns the number
 * of bytes. */
static size_t encode(char *out, const char *text)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()*+,;=";
    static const char digits[] = "0123456789ABCDEF";
    size_t n = 0;
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        bool is_plain = strchr(plain, c) != NULL;
        if (out) {
            out[n] = is_plain ? (char)c : '%';
            if (!is_plain) {
                out[n + 1] = digits[c >> 4];
                out[n + 2] = digits[c & 15];
            }
        }
        n += is_plain ? 1 : 3;
    }
    return n;
}

bool source_names_user(const char *url)
{
    const char *authority = url + scheme_length(url) + 3;
    return source_kind(url) != SOURCE_FILE && memrchr(authority, '@', strcspn(authority, "/?#"));
}

int source_check_sign_in(const char *url, const char *user, const char *password, struct error *err)
{
    static const char *const schemes[] = {"rtsp", "rtsps", "http", "https"};
    size_t n = scheme_length(url);
    bool known = false;
    if (!user)
        return password ? error_set(err, -EINVAL, "expected a user beside the password, got none") : 0;
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
        known |= strlen(schemes[i]) == n && strncasecmp(url, schemes[i], n) == 0;
    if (!known)
        return error_set(err, -EINVAL, "expected a source of rtsp, rtsps, http or https to sign in at, got another");
    if (source_names_user(url))
        return error_set(err, -EINVAL, "expected a source without user and password, got both the key and an '@' in the source");
    if (strchr(user, ':'))
        return error_set(err, -EINVAL, "expected a user without a colon, got one with it");
    int most = source_kind(url) == SOURCE_LIVE ? MAX_USER_RTSP : MAX_USER_HTTP;
    if (encode(NULL, user) + 1 + (password ? encode(NULL, password) : 0) > (size_t)most)
        return error_set(err, -EINVAL, "expected user and password of at most %d bytes together, percent-encoded, got more; "
                         "FFmpeg takes no longer ones", most - 1);
    return 0;
}

char *source_signed_in(const char *url, const char *user, const char *password)
{
    size_t before = scheme_length(url) + 3;
    if (!user)
        return strdup(url);
    char *ret = malloc(strlen(url) + encode(NULL, user) + (password ? encode(NULL, password) : 0) + 3), *at = ret;
    if (!ret)
        return NULL;
    at = mempcpy(at, url, before);
    at += encode(at, user);
    if (password) {
        *at++ = ':';
        at += encode(at, password);
    }
    *at++ = '@';
    strcpy(at, url + before);
    return ret;
}

bool source_is_tls(const char *url)
{
    static const char *const schemes[] = {"https", "rtsps", "rtmps", "rtmpts", "tls"};
    size_t n = scheme_length(url);
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
        if (strlen(schemes[i]) == n && strncasecmp(url, schemes[i], n) == 0)
            return true;
    return false;
}

/* The host and port of a URL with "://", n bytes. */
static const char *host_of(const char *url, size_t *n)
{
    const char *authority = url + scheme_length(url) + 3;
    *n = strcspn(authority, "/?#");
    const char *at = memrchr(authority, '@', *n), *host = at ? at + 1 : authority;
    *n -= (size_t)(host - authority);
    return host;
}

/* The host of a URL as FFmpeg reads it, without port and brackets; NULL: the URL is a path. FFmpeg takes "rtsp:HOST/x" for
 * "rtsp://HOST/x". The caller's to free. */
static char *host_for_ffmpeg(const char *url)
{
    const char *host = strchr(url, ':');
    if (!host)
        return NULL;
    host++;
    for (int i = 0; i < 2 && *host == '/'; i++)
        host++;
    size_t n = strcspn(host, "/?#");
    const char *end = host + n, *at = memrchr(host, '@', n);
    host = at ? at + 1 : host;
    n = (size_t)(end - host);
    const char *bracket = n > 0 && *host == '[' ? memchr(host, ']', n) : NULL, *colon = memchr(host, ':', n);
    if (bracket)
        return strndup(host + 1, (size_t)(bracket - host) - 1);
    return strndup(host, colon ? (size_t)(colon - host) : n);
}

/* Reads an address of IPv6, with or without a zone ("%eth0"). *zone: the text behind the address. false: it is none. */
static bool read_six(const char *host, struct in6_addr *ret, const char **zone)
{
    char address[INET6_ADDRSTRLEN];
    size_t n = strcspn(host, "%");
    *zone = host + n;
    return snprintf(address, sizeof address, "%.*s", (int)n, host) < (int)sizeof address &&
           inet_pton(AF_INET6, address, ret) == 1;
}

/* Returns true for an address of this machine's loopback in any spelling, and for its name. To connect to 0.0.0.0, or to no host
 * at all, is to connect to loopback. */
static bool is_loopback(const char *host)
{
    const char *zone;
    struct in6_addr six;
    struct in_addr four;
    size_t n = strlen(host);
    if (read_six(host, &six, &zone)) {
        if (!IN6_IS_ADDR_V4MAPPED(&six))
            return IN6_IS_ADDR_LOOPBACK(&six) || IN6_IS_ADDR_UNSPECIFIED(&six);
        memcpy(&four, six.s6_addr + 12, sizeof four);
    } else if (!inet_aton(host, &four)) {
        n -= n > 0 && host[n - 1] == '.';
        return n == 0 || (n == 9 && strncasecmp(host, "localhost", n) == 0) ||
               (n > 10 && strncasecmp(host + n - 10, ".localhost", 10) == 0);
    }
    uint32_t first = ntohl(four.s_addr) >> 24;
    return first == 127 || first == 0;
}

/* Returns true for what can be a name or an address. FFmpeg may read another host than is written in other texts, because it
 * writes the host into a URL and reads that. */
static bool is_host(const char *host)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._";
    const char *zone;
    struct in6_addr six;
    if (read_six(host, &six, &zone))
        return !*zone || !zone[1 + strspn(zone + 1, letters)];
    size_t n = strspn(host, letters);
    return n < 254 && !host[n];
}

bool source_may_redirect(const char *url, const char *to, bool signs_in)
{
    bool may = true;
    if (source_kind(url) == SOURCE_FILE)
        return true;
    char *host = host_for_ffmpeg(url), *other = host_for_ffmpeg(to);
    if (host && other && strcasecmp(host, other) == 0)
        may = !signs_in || !source_is_tls(url) || source_is_tls(to);
    else if (strchr(to, ':'))
        may = !signs_in && host && other && is_host(other) && (!is_loopback(other) || is_loopback(host));
    free(host);
    free(other);
    return may;
}

char *source_tls_address(const char *url)
{
    size_t n;
    const char *host = host_of(url, &n);
    char *address;
    bool has_port = *port_of(host, n) && port_of(host, n) < host + n;
    return asprintf(&address, "tls://%.*s%s", (int)n, host, has_port ? "" : ":322") < 0 ? NULL : address;
}

bool source_is_live(const char *url)
{
    if (source_kind(url) == SOURCE_LIVE)
        return true;
    size_t n = strlen(url);
    return source_kind(url) == SOURCE_FILE && n > 4 && strcasecmp(url + n - 4, ".sdp") == 0;
}

const char *source_path(const char *url)
{
    if (strncasecmp(url, "file://", 7) == 0 && url[7] == '/')
        return url + 7;
    return strncasecmp(url, "file:", 5) == 0 ? url + 5 : url;
}

int source_image_codec(const char *name)
{
    static const enum AVCodecID not_stills[] = {AV_CODEC_ID_NONE, AV_CODEC_ID_RAWVIDEO, AV_CODEC_ID_APNG,
                                                AV_CODEC_ID_MPEG1VIDEO, AV_CODEC_ID_MPEG2VIDEO, AV_CODEC_ID_MPEG4};
    const AVOutputFormat *images = av_guess_format("image2", NULL, NULL);
    enum AVCodecID codec = images ? av_guess_codec(images, NULL, name, NULL, AVMEDIA_TYPE_VIDEO) : AV_CODEC_ID_NONE;
    for (size_t i = 0; i < sizeof not_stills / sizeof *not_stills; i++)
        if (codec == not_stills[i])
            return AV_CODEC_ID_NONE;
    if (codec == AV_CODEC_ID_MJPEG && !av_match_ext(name, "jpg,jpeg,jps,mpo"))
        return AV_CODEC_ID_NONE;        /* FFmpeg's guess for every unknown extension */
    return allowed_codec(codec) ? codec : AV_CODEC_ID_NONE;
}

bool source_is_pattern(const char *path)
{
    return av_filename_number_test(path) && source_image_codec(path) != AV_CODEC_ID_NONE;
}

const char *source_protocols(const char *url)
{
    if (source_kind(url) != SOURCE_FILE)
        return "http,https,httpproxy,ftp,sftp,tcp,tls,udp,rtp,srtp,rtmp,rtmps,rtmpt,rtmpts,rtmpe,rtmpte,ffrtmphttp,ffrtmpcrypt,"
               "srt,rist";
    return source_is_live(url) ? "file,rtp,udp,srtp" : "file";
}

static bool is_folder(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* The last c of [start, end), or NULL. */
static const char *last(const char *start, const char *end, char c)
{
    while (end > start)
        if (*--end == c)
            return end;
    return NULL;
}

void source_name(char *out, size_t size, const char *url)
{
    bool file = source_kind(url) == SOURCE_FILE, folder = false;
    const char *start = file ? source_path(url) : url + scheme_length(url) + 3, *end = start + strlen(start);
    char *whole = NULL;
    if (file && is_folder(start)) {
        folder = true;
        whole = realpath(start, NULL);          /* resolves "." to a name */
        if (whole) {
            start = whole;
            end = whole + strlen(whole);
        }
    } else if (!file) {
        end = start + strcspn(start, "?#");
        const char *at = last(start, end, '@');
        if (at)
            start = at + 1;
    }
    while (end > start && end[-1] == '/')
        end--;
    const char *slash = last(start, end, '/');
    bool host = !file && !slash;
    if (file && slash && slash > start && source_is_pattern(start)) {
        end = slash;                            /* the name is that of the folder that holds the sequence */
        folder = true;
        slash = last(start, end, '/');
    }
    if (slash)
        start = slash + 1;
    const char *dot = last(start, end, '.');
    if (dot && dot > start && !host && !folder)
        end = dot;
    if (start == end)
        snprintf(out, size, "clip");
    else
        snprintf(out, size, "%.*s", (int)(end - start), start);
    free(whole);
}
