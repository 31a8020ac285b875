#include "io/picture/colour.h"

#include <errno.h>
#include <libavutil/mem.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>
#include <string.h>

#include "io/video/gray.h"

enum { ALIGN = 64, HD_ROWS = 720 };

int colour_matrix(const AVFrame *frame)
{
    switch (frame->colorspace) {
    case AVCOL_SPC_BT709: return SWS_CS_ITU709;
    case AVCOL_SPC_FCC: return SWS_CS_FCC;
    case AVCOL_SPC_BT470BG:
    case AVCOL_SPC_SMPTE170M: return SWS_CS_ITU601;
    case AVCOL_SPC_SMPTE240M: return SWS_CS_SMPTE240M;
    case AVCOL_SPC_BT2020_NCL:
    case AVCOL_SPC_BT2020_CL: return SWS_CS_BT2020;
    default: return frame->height >= HD_ROWS ? SWS_CS_ITU709 : SWS_CS_ITU601;
    }
}

static struct SwsContext *make_scaler(const AVFrame *frame, int width, int height)
{
    bool full;
    int format = gray_format(frame, &full);
    if (!sws_isSupportedInput(format))
        return NULL;
    struct SwsContext *scaler = sws_getContext(frame->width, frame->height, format, width, height, AV_PIX_FMT_RGB24,
                                               SWS_BILINEAR | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT, NULL, NULL, NULL);
    if (scaler)
        sws_setColorspaceDetails(scaler, sws_getCoefficients(colour_matrix(frame)), full, sws_getCoefficients(SWS_CS_DEFAULT), 1,
                                 0, 1 << 16, 1 << 16);
    return scaler;
}

/* Copies rows of `stride` bytes into the picture, turned. width and height: before the turn. */
static void turn_into(const struct picture *picture, const uint8_t *from, ptrdiff_t stride, int width, int height,
                      struct turn turn)
{
    const uint8_t *first = from + (turn.flip_y ? (height - 1) * stride : 0) + (turn.flip_x ? 3 * (width - 1) : 0);
    ptrdiff_t right = turn.flip_x ? -3 : 3, down = turn.flip_y ? -stride : stride;
    ptrdiff_t across = turn.swap ? down : right, along = turn.swap ? right : down;
    uint8_t *pixel = picture->pixels;
    for (int y = 0; y < picture->height; y++, first += along)
        for (int x = 0; x < picture->width; x++, pixel += 3)
            memcpy(pixel, first + x * across, 3);
}

int colour_convert(struct picture *ret, const AVFrame *frame, const struct display *display, int longest, struct error *err)
{
    struct picture picture;
    struct turn turn = display_turn(display, frame);
    int shown_width, shown_height, width, height;
    display_size(display, frame, &shown_width, &shown_height);
    picture_fit(shown_width, shown_height, longest, &width, &height);
    int r = picture_open(&picture, width, height);
    if (r < 0)
        return error_set(err, r, r == -ENOMEM ? "out of memory" : "expected a picture of at most %d pixels a side, got %dx%d",
                         PICTURE_MAX_SIDE, width, height);
    int scaled_width = turn.swap ? height : width, scaled_height = turn.swap ? width : height;
    int stride = (3 * scaled_width + 2 * ALIGN - 1) / ALIGN * ALIGN;    /* swscale may write past the end of a row */
    uint8_t *scaled = av_malloc((size_t)stride * (size_t)scaled_height + ALIGN);
    struct SwsContext *scaler = scaled ? make_scaler(frame, scaled_width, scaled_height) : NULL;
    const char *name = av_get_pix_fmt_name(frame->format);
    if (!scaled)
        r = error_set(err, -ENOMEM, "out of memory");
    else if (!scaler || sws_scale(scaler, (const uint8_t *const *)frame->data, frame->linesize, 0, frame->height,
                                  (uint8_t *const[4]){scaled}, (const int[4]){stride}) != scaled_height)
        r = error_set(err, -EINVAL, "cannot turn a picture of %dx%d in pixel format %s to colour", frame->width, frame->height,
                      name ? name : "unknown");
    if (r == 0) {
        turn_into(&picture, scaled, stride, scaled_width, scaled_height, turn);
        *ret = picture;
    } else {
        picture_close(&picture);
    }
    sws_freeContext(scaler);
    av_free(scaled);
    return r;
}
