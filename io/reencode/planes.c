#include "io/reencode/planes.h"

#include <errno.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>
#include <stdlib.h>

#include "core/picture/picture.h"
#include "io/picture/colour.h"
#include "io/video/gray.h"

struct planes {
    AVFrame *scaled, *turned;   /* turned: the picture to give, where it has to be turned; else scaled is */
    struct SwsContext *scaler;
    int width, height;
};

void planes_size(const struct display *display, const AVFrame *picture, int longest, int *width, int *height)
{
    int shown_width, shown_height;
    display_size(display, picture, &shown_width, &shown_height);
    picture_fit(shown_width, shown_height, longest, width, height);
    *width = *width < 2 ? 2 : *width & ~1;
    *height = *height < 2 ? 2 : *height & ~1;
}

int planes_open(struct planes **ret, int width, int height)
{
    struct planes *planes = calloc(1, sizeof *planes);
    if (!planes)
        return -ENOMEM;
    planes->width = width;
    planes->height = height;
    planes->scaled = av_frame_alloc();
    planes->turned = av_frame_alloc();
    if (!planes->scaled || !planes->turned) {
        planes_close(planes);
        return -ENOMEM;
    }
    *ret = planes;
    return 0;
}

void planes_close(struct planes *planes)
{
    if (!planes)
        return;
    av_frame_free(&planes->scaled);
    av_frame_free(&planes->turned);
    sws_freeContext(planes->scaler);
    free(planes);
}

/* Gives the frame buffers of that size that nobody else holds. */
static int renew(AVFrame *frame, int width, int height)
{
    if (frame->width == width && frame->height == height && av_frame_is_writable(frame))
        return 0;
    av_frame_unref(frame);
    frame->format = AV_PIX_FMT_YUV420P;
    frame->width = width;
    frame->height = height;
    return av_frame_get_buffer(frame, 0) < 0 ? -ENOMEM : 0;
}

static int scale(struct planes *planes, const AVFrame *picture, int width, int height, struct error *err)
{
    bool full;
    int format = gray_format(picture, &full), matrix = colour_matrix(picture);
    const char *name = av_get_pix_fmt_name(picture->format);
    if (sws_isSupportedInput(format))
        planes->scaler = sws_getCachedContext(planes->scaler, picture->width, picture->height, format, width, height,
                                              AV_PIX_FMT_YUV420P, SWS_BILINEAR, NULL, NULL, NULL);
    else
        sws_freeContext(planes->scaler), planes->scaler = NULL;
    if (!planes->scaler)
        return error_set(err, -EINVAL, "cannot encode a picture of %dx%d in pixel format %s", picture->width, picture->height,
                         name ? name : "unknown");
    if (renew(planes->scaled, width, height) < 0)
        return error_set(err, -ENOMEM, "out of memory");
    const int *coefficients = sws_getCoefficients(matrix);
    sws_setColorspaceDetails(planes->scaler, coefficients, full, coefficients, 0, 0, 1 << 16, 1 << 16);
    if (sws_scale(planes->scaler, (const uint8_t *const *)picture->data, picture->linesize, 0, picture->height,
                  planes->scaled->data, planes->scaled->linesize) != height)
        return error_set(err, -EINVAL, "cannot scale a picture of %dx%d to %dx%d", picture->width, picture->height, width,
                         height);
    planes->scaled->colorspace = (enum AVColorSpace)matrix;
    return 0;
}

/* Turns the plane [height, width] of `from` into that of `to`. */
static void turn_plane(uint8_t *to, int to_stride, int to_width, int to_height, const uint8_t *from, int stride, struct turn turn)
{
    int width = turn.swap ? to_height : to_width, height = turn.swap ? to_width : to_height;
    const uint8_t *first = from + (turn.flip_y ? (ptrdiff_t)(height - 1) * stride : 0) + (turn.flip_x ? width - 1 : 0);
    ptrdiff_t right = turn.flip_x ? -1 : 1, down = turn.flip_y ? -stride : stride;
    ptrdiff_t across = turn.swap ? down : right, along = turn.swap ? right : down;
    for (int y = 0; y < to_height; y++, first += along, to += to_stride)
        for (int x = 0; x < to_width; x++)
            to[x] = first[x * across];
}

AVFrame *planes_convert(struct planes *planes, const AVFrame *picture, const struct display *display, int *r, struct error *err)
{
    struct turn turn = display_turn(display, picture);
    int width = planes->width, height = planes->height;
    *r = scale(planes, picture, turn.swap ? height : width, turn.swap ? width : height, err);
    if (*r < 0 || (!turn.swap && !turn.flip_x && !turn.flip_y))
        return *r < 0 ? NULL : planes->scaled;
    if (renew(planes->turned, width, height) < 0) {
        *r = error_set(err, -ENOMEM, "out of memory");
        return NULL;
    }
    for (int p = 0; p < 3; p++)
        turn_plane(planes->turned->data[p], planes->turned->linesize[p], p ? width / 2 : width, p ? height / 2 : height,
                   planes->scaled->data[p], planes->scaled->linesize[p], turn);
    planes->turned->colorspace = planes->scaled->colorspace;
    return planes->turned;
}
