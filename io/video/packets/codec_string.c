#include "io/video/packets/codec_string.h"

#include <libavcodec/codec_id.h>
#include <libavcodec/avcodec.h>
#include <stdio.h>
#include <string.h>

void codec_name(char ret[CODEC_NAME_SIZE], const struct packet_stream *stream)
{
    snprintf(ret, CODEC_NAME_SIZE, "%s", avcodec_get_name((enum AVCodecID)stream->format.codec));
}

/* Finds the first NAL unit behind a start code whose first byte, masked, is type. NULL: there is none. *size: up to the end of
 * the data. */
static const uint8_t *find_unit(const struct packet_stream *stream, uint8_t mask, uint8_t type, size_t *size)
{
    const uint8_t *p = stream->extradata;
    size_t n = stream->format.extradata_size;
    for (size_t i = 0; i + 3 < n; i++)
        if (p[i] == 0 && p[i + 1] == 0 && p[i + 2] == 1 && (p[i + 3] & mask) == type) {
            *size = n - i - 3;
            return p + i + 3;
        }
    return NULL;
}

/* Copies bytes of a NAL unit without its emulation prevention. Returns how many it copied, at most n. */
static size_t unescape(uint8_t *to, size_t n, const uint8_t *from, size_t size)
{
    size_t k = 0, zeros = 0;
    for (size_t i = 0; i < size && k < n; i++) {
        bool escape = zeros >= 2 && from[i] == 3;
        zeros = from[i] == 0 ? zeros + 1 : 0;
        if (!escape)
            to[k++] = from[i];
    }
    return k;
}

static void name_h264(char ret[CODEC_STRING_SIZE], const struct packet_stream *stream)
{
    const uint8_t *p = stream->extradata;
    size_t size = stream->format.extradata_size;
    if (size < 4 || p[0] != 1)          /* not avcC, whose second byte is where a set begins */
        p = find_unit(stream, 0x1f, 7, &size);
    if (p && size >= 4)
        snprintf(ret, CODEC_STRING_SIZE, "avc1.%02x%02x%02x", p[1], p[2], p[3]);
}

static void name_hevc(char ret[CODEC_STRING_SIZE], const struct packet_stream *stream)
{
    enum { SET = 2 + 1 + 12 };          /* bytes of a sequence parameter set up to its level */
    uint8_t level[12], set[SET];        /* general profile, tier and level: the same bytes in hvcC and in the set */
    const uint8_t *p = stream->extradata;
    size_t size = stream->format.extradata_size;
    if (size >= 13 && p[0] == 1) {
        memcpy(level, p + 1, sizeof level);
    } else {
        p = find_unit(stream, 0x7e, 33 << 1, &size);
        if (!p || unescape(set, sizeof set, p, size) < SET)
            return;
        memcpy(level, set + 3, sizeof level);
    }
    static const char *const spaces[] = {"", "A", "B", "C"};
    uint32_t flags = 0;                 /* compatibility, its bits in reverse order */
    for (unsigned bit = 0; bit < 32; bit++)
        flags |= (uint32_t)(level[1 + bit / 8] >> (7 - bit % 8) & 1) << bit;
    int n = snprintf(ret, CODEC_STRING_SIZE, "hvc1.%s%d.%x.%c%d", spaces[level[0] >> 6], level[0] & 31, flags,
                     level[0] & 32 ? 'H' : 'L', level[11]);
    int last = 5;
    while (last >= 0 && level[5 + last] == 0)
        last--;
    for (int i = 0; i <= last && n < CODEC_STRING_SIZE; i++)
        n += snprintf(ret + n, CODEC_STRING_SIZE - (size_t)n, ".%X", level[5 + i]);
}

static void name_av1(char ret[CODEC_STRING_SIZE], const struct packet_stream *stream)
{
    const uint8_t *p = stream->extradata;
    if (stream->format.extradata_size < 4 || p[0] != 0x81)
        return;
    int depth = !(p[2] & 0x40) ? 8 : p[2] & 0x20 ? 12 : 10;
    snprintf(ret, CODEC_STRING_SIZE, "av01.%d.%02d%c.%02d", p[1] >> 5, p[1] & 31, p[2] & 0x80 ? 'H' : 'M', depth);
}

/* By the object type of the AudioSpecificConfig (ISO/IEC 14496-3, 1.6.2.1). */
static void name_aac(char ret[CODEC_STRING_SIZE], const struct packet_stream *stream)
{
    const uint8_t *p = stream->extradata;
    if (stream->format.extradata_size < 2)
        return;
    int type = p[0] >> 3;
    snprintf(ret, CODEC_STRING_SIZE, "mp4a.40.%d", type < 31 ? type : 32 + ((p[0] & 7) << 3 | p[1] >> 5));
}

void codec_string(char ret[CODEC_STRING_SIZE], const struct packet_stream *stream)
{
    ret[0] = '\0';
    if (stream->format.codec == AV_CODEC_ID_H264)
        name_h264(ret, stream);
    else if (stream->format.codec == AV_CODEC_ID_HEVC)
        name_hevc(ret, stream);
    else if (stream->format.codec == AV_CODEC_ID_AV1)
        name_av1(ret, stream);
    else if (stream->format.codec == AV_CODEC_ID_MPEG4)
        snprintf(ret, CODEC_STRING_SIZE, "mp4v.20");
    else if (stream->format.codec == AV_CODEC_ID_AAC)
        name_aac(ret, stream);
    else if (stream->format.codec == AV_CODEC_ID_MP2 || stream->format.codec == AV_CODEC_ID_MP3)
        snprintf(ret, CODEC_STRING_SIZE, "mp4a.6b");
    else if (stream->format.codec == AV_CODEC_ID_OPUS)
        snprintf(ret, CODEC_STRING_SIZE, "opus");
}
