#include "io/video/input/jpegs.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum {
    MARK = 0xff, SOI = 0xd8, EOI = 0xd9, SOS = 0xda, RST0 = 0xd0, RST7 = 0xd7, TEM = 0x01,
    SOF0 = 0xc0, DHT = 0xc4, JPG = 0xc8, DAC = 0xcc, SOF15 = 0xcf,
};

struct jpegs {
    uint8_t *memory;            /* [room] */
    size_t room;
    uint8_t *data;              /* [size] in memory; begins with the picture that is under way */
    size_t size;
    size_t used;                /* bytes of a picture that was given out */
    size_t at;                  /* everything before is parsed */
    bool begun;                 /* a picture begins at 0 */
    bool scanned;               /* it has a scan */
    bool coded;                 /* `at` stands in entropy-coded data; else at a marker */
    int width, height;          /* of the picture under way; 0: not known yet */
};

int jpegs_open(struct jpegs **ret)
{
    struct jpegs *jpegs = calloc(1, sizeof *jpegs);
    if (!jpegs)
        return -ENOMEM;
    *ret = jpegs;
    return 0;
}

void jpegs_close(struct jpegs *jpegs)
{
    if (!jpegs)
        return;
    free(jpegs->memory);
    free(jpegs);
}

/* Drops the first n bytes and looks for a new picture. */
static void drop(struct jpegs *jpegs, size_t n)
{
    jpegs->size -= n;
    jpegs->data += n;
    jpegs->at = jpegs->used = 0;
    jpegs->begun = false;
}

static void drop_used(struct jpegs *jpegs)
{
    if (jpegs->used)
        drop(jpegs, jpegs->used);
}

int jpegs_add(struct jpegs *jpegs, const uint8_t *data, size_t size)
{
    drop_used(jpegs);
    if (jpegs->size > JPEGS_MAX_BYTES)
        drop(jpegs, jpegs->size);
    if (jpegs->room - jpegs->size < size) {
        size_t room = 2 * (jpegs->size + size);
        uint8_t *larger = malloc(room);
        if (!larger)
            return -ENOMEM;
        if (jpegs->size)
            memcpy(larger, jpegs->data, jpegs->size);
        free(jpegs->memory);
        jpegs->memory = jpegs->data = larger;
        jpegs->room = room;
    } else if ((size_t)(jpegs->data - jpegs->memory) + jpegs->size + size > jpegs->room) {
        jpegs->data = memmove(jpegs->memory, jpegs->data, jpegs->size);
    }
    if (size)
        memcpy(jpegs->data + jpegs->size, data, size);
    jpegs->size += size;
    return 0;
}

/* Drops what stands before the next picture. false: none has begun. */
static bool begin(struct jpegs *jpegs)
{
    if (jpegs->begun)
        return true;
    size_t at = 0;
    while (at + 3 <= jpegs->size && !(jpegs->data[at] == MARK && jpegs->data[at + 1] == SOI && jpegs->data[at + 2] == MARK))
        at++;
    bool found = at + 3 <= jpegs->size;
    if (at)
        drop(jpegs, at);
    if (!found)
        return false;
    jpegs->begun = true;
    jpegs->scanned = jpegs->coded = false;
    jpegs->at = 2;
    jpegs->width = jpegs->height = 0;
    return true;
}

static bool is_frame_header(uint8_t marker)
{
    return marker >= SOF0 && marker <= SOF15 && marker != DHT && marker != JPG && marker != DAC;
}

enum step { STEP, STEP_MORE, STEP_WHOLE, STEP_LOST };

/* Goes over the marker at `at`, with its segment. */
static enum step step_marker(struct jpegs *jpegs)
{
    const uint8_t *data = jpegs->data + jpegs->at;
    size_t n = jpegs->size - jpegs->at;
    if (n < 2)
        return STEP_MORE;
    if (data[0] != MARK)
        return STEP_LOST;
    uint8_t marker = data[1];
    if (marker == MARK) {               /* a fill byte */
        jpegs->at++;
        return STEP;
    }
    if (marker == EOI || marker == SOI) {
        jpegs->at += marker == EOI ? 2 : 0;
        return jpegs->scanned ? STEP_WHOLE : STEP_LOST;
    }
    if (marker == TEM || (marker >= RST0 && marker <= RST7)) {
        jpegs->at += 2;
        return STEP;
    }
    if (n < 4)
        return STEP_MORE;
    size_t length = (size_t)data[2] << 8 | data[3];
    if (marker < SOF0 || length < 2)
        return STEP_LOST;
    if (n < 2 + length)
        return STEP_MORE;
    if (is_frame_header(marker) && length >= 7) {
        jpegs->height = data[5] << 8 | data[6];
        jpegs->width = data[7] << 8 | data[8];
    }
    jpegs->at += 2 + length;
    jpegs->coded = marker == SOS;
    jpegs->scanned |= jpegs->coded;
    return STEP;
}

/* Goes over entropy-coded data up to the next marker. */
static enum step step_coded(struct jpegs *jpegs)
{
    for (;;) {
        const uint8_t *data = memchr(jpegs->data + jpegs->at, MARK, jpegs->size - jpegs->at);
        jpegs->at = data ? (size_t)(data - jpegs->data) : jpegs->size;
        if (jpegs->at + 2 > jpegs->size)
            return STEP_MORE;
        if (data[1] && !(data[1] >= RST0 && data[1] <= RST7) && data[1] != MARK) {
            jpegs->coded = false;
            return STEP;
        }
        jpegs->at += data[1] == MARK ? 1 : 2;
    }
}

int jpegs_next(struct jpegs *jpegs, struct jpegs_picture *picture)
{
    drop_used(jpegs);
    while (begin(jpegs)) {
        enum step step = jpegs->coded ? step_coded(jpegs) : step_marker(jpegs);
        if (step == STEP_MORE)
            return 0;
        if (step == STEP_LOST)
            drop(jpegs, 2);             /* goes on behind what seemed its start */
        if (step != STEP_WHOLE)
            continue;
        *picture = (struct jpegs_picture){.data = jpegs->data, .size = jpegs->at, .width = jpegs->width, .height = jpegs->height};
        jpegs->used = jpegs->at;
        return 1;
    }
    return 0;
}
