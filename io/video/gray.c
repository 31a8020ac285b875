#include "io/video/gray.h"

#include <errno.h>
#include <libavutil/mem.h>
#include <libavutil/opt.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_SIDE = 8192, ALIGN = 64 };

struct gray {
    int width, height;
    int scaled_width, scaled_height;    /* those, or swapped: the frame is scaled first, then turned */
    uint8_t *scaled;            /* [scaled_height, stride]: swscale may write past the end of a row */
    int stride;
    struct SwsContext *scaler;
    int from_width, from_height, from_format;   /* of the frames that the scaler was made for */
    bool from_full;
};

/* false: out of memory; the size stays. */
static bool set_scaled_size(struct gray *gray, int width, int height)
{
    int stride = (width + 2 * ALIGN - 1) / ALIGN * ALIGN;
    uint8_t *scaled = av_malloc((size_t)stride * (size_t)height + ALIGN);
    if (!scaled)
        return false;
    av_free(gray->scaled);
    sws_freeContext(gray->scaler);
    gray->scaler = NULL;
    gray->scaled = scaled;
    gray->stride = stride;
    gray->scaled_width = width;
    gray->scaled_height = height;
    return true;
}

int gray_open(struct gray **ret, int width, int height)
{
    if (width <= 0 || height <= 0 || width > MAX_SIDE || height > MAX_SIDE)
        return -EINVAL;
    struct gray *gray = calloc(1, sizeof *gray);
    if (!gray)
        return -ENOMEM;
    gray->width = width;
    gray->height = height;
    if (!set_scaled_size(gray, width, height)) {
        gray_close(gray);
        return -ENOMEM;
    }
    *ret = gray;
    return 0;
}

void gray_close(struct gray *gray)
{
    if (!gray)
        return;
    sws_freeContext(gray->scaler);
    av_free(gray->scaled);
    free(gray);
}

/* Returns true for gray, with or without alpha. */
static bool is_gray(int format)
{
    const AVPixFmtDescriptor *descriptor = av_pix_fmt_desc_get(format);
    return descriptor && descriptor->nb_components <= 2 &&
           !(descriptor->flags & (AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_PAL));
}

int gray_format(const AVFrame *frame, bool *full)
{
    static const int formats[][2] = {
        {AV_PIX_FMT_YUVJ420P, AV_PIX_FMT_YUV420P}, {AV_PIX_FMT_YUVJ422P, AV_PIX_FMT_YUV422P},
        {AV_PIX_FMT_YUVJ444P, AV_PIX_FMT_YUV444P}, {AV_PIX_FMT_YUVJ440P, AV_PIX_FMT_YUV440P},
        {AV_PIX_FMT_YUVJ411P, AV_PIX_FMT_YUV411P},
    };
    *full = frame->color_range == AVCOL_RANGE_JPEG ||
            (frame->color_range == AVCOL_RANGE_UNSPECIFIED && is_gray(frame->format));
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (frame->format == formats[i][0]) {
            *full = true;
            return formats[i][1];
        }
    return frame->format;
}

static int make_scaler(struct gray *gray, const AVFrame *frame, int format, bool full, struct error *err)
{
    const char *name = av_get_pix_fmt_name(format);
    if (!sws_isSupportedInput(format))
        return error_set(err, -EINVAL, "cannot turn pixel format %s to gray", name ? name : "unknown");
    struct SwsContext *scaler = sws_alloc_context();
    if (!scaler)
        return error_set(err, -ENOMEM, "out of memory");
    av_opt_set_int(scaler, "sws_flags", SWS_BILINEAR, 0);
    av_opt_set_int(scaler, "srcw", frame->width, 0);
    av_opt_set_int(scaler, "srch", frame->height, 0);
    av_opt_set_int(scaler, "src_format", format, 0);
    av_opt_set_int(scaler, "src_range", full, 0);
    av_opt_set_int(scaler, "dstw", gray->scaled_width, 0);
    av_opt_set_int(scaler, "dsth", gray->scaled_height, 0);
    av_opt_set_int(scaler, "dst_format", AV_PIX_FMT_GRAY8, 0);
    av_opt_set_int(scaler, "dst_range", 1, 0);
    if (sws_init_context(scaler, NULL, NULL) < 0) {
        sws_freeContext(scaler);
        return error_set(err, -EINVAL, "cannot scale pictures of %dx%d in pixel format %s to %dx%d", frame->width,
                         frame->height, name ? name : "unknown", gray->scaled_width, gray->scaled_height);
    }
    sws_freeContext(gray->scaler);
    gray->scaler = scaler;
    gray->from_width = frame->width;
    gray->from_height = frame->height;
    gray->from_format = format;
    gray->from_full = full;
    return 0;
}

/* Copies from [scaled_height, stride] into pixels, turned. */
static void turn_into(const struct gray *gray, const uint8_t *from, ptrdiff_t stride, struct turn turn, uint8_t *pixels)
{
    const uint8_t *first = from + (turn.flip_y ? (gray->scaled_height - 1) * stride : 0) +
                           (turn.flip_x ? gray->scaled_width - 1 : 0);
    ptrdiff_t right = turn.flip_x ? -1 : 1, down = turn.flip_y ? -stride : stride;
    ptrdiff_t across = turn.swap ? down : right, along = turn.swap ? right : down;
    for (int y = 0; y < gray->height; y++, first += along)
        for (int x = 0; x < gray->width; x++)
            *pixels++ = first[x * across];
}

int gray_convert(struct gray *gray, const AVFrame *frame, struct turn turn, uint8_t *pixels, struct error *err)
{
    int width = turn.swap ? gray->height : gray->width, height = turn.swap ? gray->width : gray->height;
    if ((width != gray->scaled_width || height != gray->scaled_height) && !set_scaled_size(gray, width, height))
        return error_set(err, -ENOMEM, "out of memory");
    bool full;
    int format = gray_format(frame, &full);
    /* swscale treats some gray formats as full-range whatever it is told, so limited gray is stretched below. */
    bool stretch = is_gray(format) && !full;
    full |= stretch;

    const uint8_t *from = frame->data[0];
    ptrdiff_t stride = frame->linesize[0];
    if (format != AV_PIX_FMT_GRAY8 || !full || frame->width != width || frame->height != height) {
        if (!gray->scaler || frame->width != gray->from_width || frame->height != gray->from_height ||
            format != gray->from_format || full != gray->from_full) {
            int r = make_scaler(gray, frame, format, full, err);
            if (r < 0)
                return r;
        }
        uint8_t *const planes[4] = {gray->scaled};
        const int strides[4] = {gray->stride};
        int rows = sws_scale(gray->scaler, (const uint8_t *const *)frame->data, frame->linesize, 0, frame->height, planes,
                             strides);
        if (rows != height)
            return error_set(err, -EINVAL, "swscale failed on a picture of %dx%d", frame->width, frame->height);
        from = gray->scaled;
        stride = gray->stride;
    }
    if (turn.swap || turn.flip_x || turn.flip_y)
        turn_into(gray, from, stride, turn, pixels);
    else
        for (int y = 0; y < gray->height; y++)
            memcpy(pixels + (size_t)y * (size_t)gray->width, from + y * stride, (size_t)gray->width);
    for (size_t i = 0, n = (size_t)gray->width * (size_t)gray->height; stretch && i < n; i++)
        pixels[i] = pixels[i] <= 16 ? 0 : pixels[i] >= 235 ? 255 : (uint8_t)(((pixels[i] - 16) * 510 + 219) / 438);
    return 0;
}
