#include "io/video/input/answer.h"

#include <errno.h>
#include <libavformat/avio.h>
#include <libavutil/opt.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static void read_type(struct answer *answer, AVIOContext *io)
{
    uint8_t *type = NULL;
    if (av_opt_get(io, "mime_type", AV_OPT_SEARCH_CHILDREN, &type) < 0 || !type)
        return;
    const char *text = (const char *)type;
    size_t n = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/.+-_*");
    snprintf(answer->type, sizeof answer->type, "%.*s", (int)(n < sizeof answer->type ? n : 0), text);
    av_free(type);
}

int answer_open(struct answer *ret, AVIOContext *io)
{
    struct answer answer = {0};
    uint8_t head[16];
    int n = avio_read_partial(io, head, sizeof head);
    if (n < 0 && n != AVERROR_EOF)
        return n;
    answer.empty = n <= 0;
    /* The bytes are still in io's buffer. */
    int64_t at = avio_seek(io, 0, SEEK_SET);
    if (at < 0 && n > 0)
        return (int)at;
    read_type(&answer, io);
    int first = 0;
    while (first < n && (head[first] == '\r' || head[first] == '\n'))
        first++;
    bool multipart = strncasecmp(answer.type, "multipart/", 10) == 0 || (n - first >= 2 && memcmp(head + first, "--", 2) == 0);
    answer.finite = !multipart && (avio_size(io) >= 0 || io->seekable & AVIO_SEEKABLE_NORMAL);
    answer.jpegs = multipart || (!answer.finite && n >= 3 && head[0] == 0xff && head[1] == 0xd8 && head[2] == 0xff);
    *ret = answer;
    return 0;
}

int answer_blame(const struct answer *answer, const char *shown, struct error *err)
{
    static const char *const pages[] = {"text/", "application/json", "application/xml", "application/xhtml+xml"};
    if (answer->empty)
        return error_set(err, -EINVAL, "%s: the answer is empty", shown);
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++)
        if (strncasecmp(answer->type, pages[i], strlen(pages[i])) == 0)
            return error_set(err, -EINVAL, "%s: the answer is %s, not a video", shown, answer->type);
    return 0;
}
