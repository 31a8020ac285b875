#include "io/capture/wire.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "io/base/printable.h"

/* ---- requests --------------------------------------------------------------------------------------------------------- */

enum { N_TEXTS = 6 };

/* A request without its texts, which follow: those that are there, each with its end, in the order of texts_of(). */
struct request_head {
    uint32_t type, texts;       /* texts: bit i: text i is there */
    int32_t width, height, stall_timeout_ms, decoder_threads, memory_mib;
    uint32_t udp, tls_unverified, packets_only, audio, chroma, padding;
    int32_t longest;
    double fps;
    uint64_t memory_size, offset;       /* offset: of WIRE_MOMENT, pts_us */
};

static bool names_source(uint32_t type)
{
    return type == WIRE_OPEN || type == WIRE_MOMENT;
}

static void texts_of(struct wire_request *request, const char **ret[N_TEXTS])
{
    const char **texts[N_TEXTS] = {&request->url, &request->name, &request->options.user, &request->options.password,
                                   &request->options.tls_ca_file, &request->options.tls_host};
    memcpy(ret, texts, sizeof texts);
}

int wire_encode_request(uint8_t *data, const struct wire_request *request)
{
    struct wire_request copy = *request;
    const struct source_options *o = &request->options;
    bool resize = request->type == WIRE_RESIZE;
    struct request_head head = {.type = request->type,
                                .width = resize ? request->width : o->width,
                                .height = resize ? request->height : o->height,
                                .stall_timeout_ms = o->stall_timeout_ms,
                                .decoder_threads = o->decoder_threads,
                                .memory_mib = request->memory_mib,
                                .udp = o->udp,
                                .tls_unverified = o->tls_unverified,
                                .packets_only = o->packets_only,
                                .audio = o->audio,
                                .chroma = o->chroma,
                                .fps = o->fps,
                                .memory_size = request->memory_size,
                                .offset = request->type == WIRE_MOMENT ? (uint64_t)request->pts_us : request->offset,
                                .longest = request->longest};
    const char **texts[N_TEXTS];
    size_t used = sizeof head;
    texts_of(&copy, texts);
    for (unsigned i = 0; names_source(request->type) && i < N_TEXTS; i++) {
        if (!*texts[i])
            continue;
        size_t n = strlen(*texts[i]) + 1;
        if (n > WIRE_MAX_REQUEST - used)
            return -E2BIG;
        memcpy(data + used, *texts[i], n);
        used += n;
        head.texts |= 1u << i;
    }
    memcpy(data, &head, sizeof head);
    return (int)used;
}

int wire_decode_request(struct wire_request *ret, const uint8_t *data, size_t size)
{
    struct request_head head;
    if (size < sizeof head || size > WIRE_MAX_REQUEST)
        return -EPROTO;
    memcpy(&head, data, sizeof head);
    if (((head.type < WIRE_OPEN || head.type > WIRE_CLOSE) && head.type != WIRE_MOMENT && head.type != WIRE_FILE &&
         head.type != WIRE_COPY) || head.texts >> N_TEXTS || head.width < 0 ||
        head.height < 0 || head.stall_timeout_ms < 0 || head.decoder_threads < 0 || head.memory_mib < 0 || head.longest < 0 ||
        head.udp > 1 || head.tls_unverified > 1 || head.packets_only > 1 || head.audio > 1 || head.chroma > 1)
        return -EPROTO;
    struct wire_request request = {.type = (enum wire_type)head.type,
                                   .options = {.width = head.width,
                                               .height = head.height,
                                               .fps = head.fps,
                                               .udp = head.udp,
                                               .tls_unverified = head.tls_unverified,
                                               .packets_only = head.packets_only,
                                               .audio = head.audio,
                                               .chroma = head.chroma,
                                               .stall_timeout_ms = head.stall_timeout_ms,
                                               .decoder_threads = head.decoder_threads},
                                   .memory_size = (size_t)head.memory_size,
                                   .memory_mib = head.memory_mib,
                                   .width = head.width,
                                   .height = head.height,
                                   .offset = (size_t)head.offset,
                                   .longest = head.longest,
                                   .pts_us = (int64_t)head.offset};
    const char **texts[N_TEXTS];
    size_t used = sizeof head;
    texts_of(&request, texts);
    for (unsigned i = 0; i < N_TEXTS; i++) {
        if (!(head.texts >> i & 1))
            continue;
        const uint8_t *end = memchr(data + used, 0, size - used);
        if (!end)
            return -EPROTO;
        *texts[i] = (const char *)data + used;
        used = (size_t)(end - data) + 1;
    }
    if (used != size || names_source(head.type) != (request.url != NULL))
        return -EPROTO;
    *ret = request;
    return 0;
}

/* ---- replies ---------------------------------------------------------------------------------------------------------- */

/* A reply without its text, which follows without an end. */
struct reply_head {
    uint32_t type;
    int32_t result, priority, width, height;
    uint32_t gap, cause, corrupt;
    int64_t pts_us, arrival_us;
    double fps_in;
    uint64_t frames_decoded, frames_corrupt, packets_lost;
    uint32_t time, images, live, audio, chroma;         /* chroma: 1: saturation, u and v are known */
    uint16_t saturation, u, v, blocks, padding[2];
    int32_t stats_width, stats_height;
    char codec[sizeof ((struct source_stats *)0)->codec], audio_codec[sizeof ((struct source_stats *)0)->audio_codec];
};

enum { MAX_SIDE = 65535 };
#define MAX_PTS_US (INT64_C(1) << 62)

size_t wire_reply_size(void)
{
    return sizeof(struct reply_head) + WIRE_MAX_TEXT - 1;
}

int wire_send_reply(int fd, const struct wire_reply *reply)
{
    struct reply_head head = {.type = reply->type,
                              .result = reply->result,
                              .priority = reply->priority,
                              .width = reply->width,
                              .height = reply->height,
                              .gap = reply->frame.gap,
                              .cause = reply->frame.cause,
                              .corrupt = reply->frame.corrupt,
                              .pts_us = reply->frame.pts_us,
                              .arrival_us = reply->frame.arrival_us,
                              .chroma = reply->frame.chroma.known,
                              .saturation = reply->frame.chroma.saturation,
                              .u = reply->frame.chroma.u,
                              .v = reply->frame.chroma.v,
                              .blocks = reply->frame.blocks,
                              .fps_in = reply->stats.fps_in,
                              .frames_decoded = reply->stats.frames_decoded,
                              .frames_corrupt = reply->stats.frames_corrupt,
                              .packets_lost = reply->stats.packets_lost,
                              .time = reply->stats.time,
                              .images = reply->stats.images,
                              .live = reply->stats.live,
                              .audio = reply->stats.audio,
                              .stats_width = reply->stats.width,
                              .stats_height = reply->stats.height};
    memcpy(head.codec, reply->stats.codec, sizeof head.codec);
    memcpy(head.audio_codec, reply->stats.audio_codec, sizeof head.audio_codec);
    struct iovec parts[] = {{&head, sizeof head}, {(char *)reply->text, strnlen(reply->text, WIRE_MAX_TEXT - 1)}};
    const struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    while (sendmsg(fd, &message, MSG_NOSIGNAL) < 0)
        if (errno != EINTR)
            return -errno;
    return 0;
}

static bool is_side(int32_t n, bool may_be_unknown)
{
    return n >= (may_be_unknown ? 0 : 1) && n <= MAX_SIDE;
}

/* Returns the fault of a result; NULL: there is none. */
static const char *fault_of_result(const struct reply_head *head)
{
    if (head->result < -4095 || head->result > 1)
        return "a result out of range";
    if (head->time > SOURCE_TIME_RATE || head->images > 1 || head->live > 1 || head->frames_corrupt > head->frames_decoded)
        return "impossible counts";
    if (!isfinite(head->fps_in) || head->fps_in < 0 || head->fps_in > 1e9)
        return "a rate out of range";
    if (!is_side(head->stats_width, true) || !is_side(head->stats_height, true) || !is_side(head->width, true) ||
        !is_side(head->height, true) || (head->width == 0) != (head->height == 0))
        return "a picture size out of range";
    if (head->gap > 1 || head->corrupt > 1 || head->cause > SOURCE_BREAK_CORRUPT ||
        (head->gap == 1) != (head->cause != SOURCE_UNBROKEN))
        return "an unknown break of the sequence";
    if (head->pts_us < 0 || head->pts_us > MAX_PTS_US || head->arrival_us < 0)
        return "a time out of range";
    if (head->chroma > 1)
        return "an unknown kind of colour";
    if (head->blocks > 10000 && head->blocks != SOURCE_NO_BLOCKS)
        return "a share of blocks out of range";
    if (head->audio > SOURCE_AUDIO_KEPT)
        return "an unknown state of the audio";
    if (memchr(head->codec, 0, sizeof head->codec) == NULL || memchr(head->audio_codec, 0, sizeof head->audio_codec) == NULL)
        return "a codec's name without an end";
    return NULL;
}

int wire_decode_reply(struct wire_reply *ret, const void *data, size_t size, struct error *err)
{
    struct reply_head head;
    const char *fault = NULL;
    if (size < sizeof head || size > wire_reply_size())
        return error_set(err, -EPROTO, "expected a message of %zu to %zu bytes, got %zu", sizeof head, wire_reply_size(), size);
    memcpy(&head, data, sizeof head);
    if (head.type != WIRE_RESULT && head.type != WIRE_LOG)
        fault = "a message of an unknown type";
    else if (head.type == WIRE_LOG && (head.priority < 0 || head.priority > 7))
        fault = "a priority out of range";
    else if (head.type == WIRE_RESULT)
        fault = fault_of_result(&head);
    size_t n = size - sizeof head;
    if (!fault && memchr((const char *)data + sizeof head, 0, n))
        fault = "a text with an end inside";
    if (fault)
        return error_set(err, -EPROTO, "%s", fault);
    *ret = (struct wire_reply){.type = (enum wire_type)head.type};
    memcpy(ret->text, (const char *)data + sizeof head, n);
    printable(ret->text);
    if (head.type == WIRE_LOG) {
        ret->priority = head.priority;
        return 0;
    }
    ret->result = head.result;
    ret->width = head.width;
    ret->height = head.height;
    ret->frame = (struct source_frame){.pts_us = head.pts_us, .gap = head.gap, .cause = (enum source_break)head.cause,
                                       .corrupt = head.corrupt, .arrival_us = head.arrival_us,
                                       .chroma = {.known = head.chroma, .saturation = head.saturation, .u = head.u,
                                                  .v = head.v},
                                       .blocks = head.blocks};
    ret->stats = (struct source_stats){.fps_in = head.fps_in,
                                       .frames_decoded = head.frames_decoded,
                                       .frames_corrupt = head.frames_corrupt,
                                       .time = (enum source_time)head.time,
                                       .images = head.images,
                                       .live = head.live,
                                       .audio = (enum source_audio)head.audio,
                                       .packets_lost = head.packets_lost,
                                       .width = head.stats_width,
                                       .height = head.stats_height};
    memcpy(ret->stats.codec, head.codec, sizeof head.codec);
    printable(ret->stats.codec);
    memcpy(ret->stats.audio_codec, head.audio_codec, sizeof head.audio_codec);
    printable(ret->stats.audio_codec);
    return 0;
}
