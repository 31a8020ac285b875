#include "io/video/chroma/chroma.h"

#include <libavutil/imgutils.h>
#include <libavutil/pixdesc.h>
#include <math.h>

enum { SAMPLES = 64, MOST = 8192 };     /* samples across and down, about; columns of a picture, at most */

struct sampler {
    const AVFrame *frame;
    const AVPixFmtDescriptor *format;
    int width, height;          /* of a plane of chroma; for RGB, of the picture */
    int step;                   /* pixels from one sample across to the next */
};

/* Component c of a row, as levels of 8 bits with fractions. */
static void read_row(const struct sampler *s, float *ret, int y, int c)
{
    uint16_t row[SAMPLES * 2];
    float scale = 1 / (float)(1 << (s->format->comp[c].depth - 8));
    int n = 0;
    for (int x = 0; x < s->width; x += s->step, n++) {
        av_read_image_line2(&row[n], (const uint8_t **)s->frame->data, s->frame->linesize, s->format, x, y, c, 1, 0, sizeof *row);
        ret[n] = scale * (float)row[n];
    }
}

static void set(struct source_chroma *ret, double saturation, double u, double v)
{
    *ret = (struct source_chroma){.known = true, .saturation = (uint16_t)(saturation * 256 + 0.5),
                                  .u = (uint16_t)(u * 256 + 0.5), .v = (uint16_t)(v * 256 + 0.5)};
}

static void measure(struct source_chroma *ret, const struct sampler *s, bool rgb)
{
    double saturation = 0, u_sum = 0, v_sum = 0;
    int step = s->height > SAMPLES ? s->height / SAMPLES : 1, n = 0;
    for (int y = 0; y < s->height; y += step) {
        float a[SAMPLES * 2], b[SAMPLES * 2], c[SAMPLES * 2];
        if (rgb)
            read_row(s, c, y, 0);
        read_row(s, a, y, 1);
        read_row(s, b, y, 2);
        for (int x = 0, i = 0; x < s->width; x += s->step, i++, n++) {
            float u = a[i] - 128, v = b[i] - 128;
            if (rgb) {          /* c, a, b are red, green and blue */
                u = -0.1687f * c[i] - 0.3313f * a[i] + 0.5f * b[i];
                v = 0.5f * c[i] - 0.4187f * a[i] - 0.0813f * b[i];
            }
            saturation += (double)hypotf(u, v);
            u_sum += (double)u;
            v_sum += (double)v;
        }
    }
    set(ret, saturation / n, fmax(128 + u_sum / n, 0), fmax(128 + v_sum / n, 0));
}

void chroma_measure(struct source_chroma *ret, const AVFrame *frame)
{
    const AVPixFmtDescriptor *format = av_pix_fmt_desc_get(frame->format);
    const uint64_t other = AV_PIX_FMT_FLAG_PAL | AV_PIX_FMT_FLAG_HWACCEL | AV_PIX_FMT_FLAG_BITSTREAM | AV_PIX_FMT_FLAG_BAYER |
                           AV_PIX_FMT_FLAG_FLOAT;
    *ret = (struct source_chroma){0};
    if (!format || format->flags & other || format->comp[0].depth > 16 || format->comp[0].depth < 8 || frame->width > MOST ||
        frame->width < 1 || frame->height < 1)
        return;
    if (format->nb_components < 3) {
        set(ret, 0, 128, 128);
        return;
    }
    bool rgb = format->flags & AV_PIX_FMT_FLAG_RGB;
    struct sampler s = {.frame = frame, .format = format,
                        .width = rgb ? frame->width : AV_CEIL_RSHIFT(frame->width, format->log2_chroma_w),
                        .height = rgb ? frame->height : AV_CEIL_RSHIFT(frame->height, format->log2_chroma_h)};
    s.step = s.width > SAMPLES ? s.width / SAMPLES : 1;
    measure(ret, &s, rgb);
}
