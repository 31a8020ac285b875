#include "io/video/damage/nal.h"

#include <string.h>

/* ---- units --------------------------------------------------------------------------------------------------------- */

/* Returns the place behind the next start code; end: there is none. */
static const uint8_t *behind_start_code(const uint8_t *p, const uint8_t *end)
{
    for (const uint8_t *at = p; end - at >= 3 && (at = memchr(at + 2, 1, (size_t)(end - at - 2))); at--)
        if (!at[-1] && !at[-2])
            return at + 1;
    return end;
}

enum follow_result nal_each(const uint8_t *data, size_t size, int length_bytes, bool corrupt, nal_reader *read, void *arg)
{
    enum follow_result worst = FOLLOW_NONE;
    const uint8_t *end = data + size, *next;
    for (const uint8_t *p = length_bytes ? data : behind_start_code(data, end); p < end; p = next) {
        size_t length = 0, left;
        if (length_bytes) {
            if (end - p <= length_bytes)
                break;
            for (int i = 0; i < length_bytes; i++)
                length = length << 8 | *p++;
            left = (size_t)(end - p);
            length = length < left ? length : left;
            next = p + length;
        } else {
            next = behind_start_code(p, end);
            length = (size_t)(next - p);
        }
        enum follow_result r = read(arg, p, length, corrupt);
        if (r != FOLLOW_NONE && (worst == FOLLOW_NONE || r > worst))
            worst = r;
    }
    return corrupt ? FOLLOW_DAMAGED : worst;
}

/* n NAL units behind 16-bit lengths. Returns the byte behind them. */
static const uint8_t *each_set(const uint8_t *p, const uint8_t *end, int n, nal_reader *read, void *arg)
{
    for (; n > 0 && end - p >= 2; n--) {
        size_t length = (size_t)(p[0] << 8 | p[1]), left = (size_t)(end - p) - 2;
        length = length < left ? length : left;
        read(arg, p + 2, length, false);
        p += 2 + length;
    }
    return p;
}

int nal_each_avcc(const uint8_t *extradata, size_t size, nal_reader *read, void *arg)
{
    if (!extradata || size < 7 || extradata[0] != 1) {
        if (extradata)
            nal_each(extradata, size, 0, false, read, arg);
        return 0;
    }
    const uint8_t *end = extradata + size, *p = each_set(extradata + 6, end, extradata[5] & 31, read, arg);
    if (p < end)
        each_set(p + 1, end, *p, read, arg);
    return (extradata[4] & 3) + 1;
}

int nal_each_hvcc(const uint8_t *extradata, size_t size, nal_reader *read, void *arg)
{
    if (!extradata || size < 23 || extradata[0] != 1) {
        if (extradata)
            nal_each(extradata, size, 0, false, read, arg);
        return 0;
    }
    const uint8_t *p = extradata + 23, *end = extradata + size;
    for (int arrays = extradata[22]; arrays > 0 && end - p >= 3; arrays--)
        p = each_set(p + 3, end, p[1] << 8 | p[2], read, arg);
    return (extradata[21] & 3) + 1;
}

/* ---- bits ---------------------------------------------------------------------------------------------------------- */

struct bits nal_payload(uint8_t *buffer, size_t most, const uint8_t *nal, size_t size, size_t header)
{
    size_t n = 0, zeros = 0;
    for (size_t i = header; i < size && n < most; i++) {
        if (zeros >= 2 && nal[i] == 3) {
            zeros = 0;
            continue;
        }
        zeros = nal[i] ? 0 : zeros + 1;
        buffer[n++] = nal[i];
    }
    return (struct bits){.data = buffer, .end = 8 * n};
}

unsigned bits_read(struct bits *b, int n)
{
    unsigned value = 0;
    if (b->end - b->at < (size_t)n) {
        b->bad = true;
        b->at = b->end;
        return 0;
    }
    for (; n > 0; n--, b->at++)
        value = value << 1 | (b->data[b->at / 8] >> (7 - b->at % 8) & 1);
    return value;
}

void bits_skip(struct bits *b, int n)
{
    for (; n > 0; n -= 16)
        bits_read(b, n < 16 ? n : 16);
}

int bits_ue(struct bits *b, unsigned most)
{
    int zeros = 0;
    while (zeros < 31 && !b->bad && !bits_read(b, 1))
        zeros++;
    unsigned value = (1u << zeros) - 1 + bits_read(b, zeros);
    if (value > most || zeros == 31)
        b->bad = true;
    return b->bad ? 0 : (int)value;
}

bool bits_left(const struct bits *bits)
{
    return bits->at < bits->end;
}
