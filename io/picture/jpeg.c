#include "io/picture/jpeg.h"

#include <errno.h>
#include <libavcodec/avcodec.h>
#include <libavutil/imgutils.h>
#include <libavutil/opt.h>
#include <libswscale/swscale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "io/base/new_file.h"

/* The encoder's quantiser for a quality as libjpeg counts it. 8 gives the standard's example tables, as quality 50 does. The
 * factor falls to 0 at quality 100. */
static int lambda_of(int quality)
{
    double factor = quality < 50 ? 50.0 / quality : 2 - quality / 50.0;
    return (int)lrint(fmin(fmax(8 * factor, 1), 31) * FF_QP2LAMBDA);
}

/* The picture in a frame of FFmpeg, because swscale reads some bytes beyond the last pixel. NULL: out of memory. */
static AVFrame *padded(const struct picture *picture)
{
    AVFrame *frame = av_frame_alloc();
    if (!frame)
        return NULL;
    frame->width = picture->width;
    frame->height = picture->height;
    frame->format = AV_PIX_FMT_RGB24;
    if (av_frame_get_buffer(frame, 0) < 0)
        av_frame_free(&frame);
    else
        av_image_copy_plane(frame->data[0], frame->linesize[0], picture->pixels, 3 * picture->width, 3 * picture->width,
                            picture->height);
    return frame;
}

/* Turns the picture to the encoder's colours. 0, -ENOMEM, -EIO. */
static int to_frame(AVFrame *frame, const struct picture *picture)
{
    struct SwsContext *scaler = sws_alloc_context();
    AVFrame *from = padded(picture);
    if (!scaler || !from) {
        sws_freeContext(scaler);
        av_frame_free(&from);
        return -ENOMEM;
    }
    av_opt_set_int(scaler, "sws_flags", SWS_BILINEAR | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INP, 0);
    av_opt_set_int(scaler, "srcw", picture->width, 0);
    av_opt_set_int(scaler, "srch", picture->height, 0);
    av_opt_set_int(scaler, "src_format", AV_PIX_FMT_RGB24, 0);
    av_opt_set_int(scaler, "src_range", 1, 0);
    av_opt_set_int(scaler, "dstw", picture->width, 0);
    av_opt_set_int(scaler, "dsth", picture->height, 0);
    av_opt_set_int(scaler, "dst_format", AV_PIX_FMT_YUV420P, 0);
    av_opt_set_int(scaler, "dst_range", 1, 0);
    int r = sws_init_context(scaler, NULL, NULL) < 0 ? -EIO : 0;
    if (r == 0 && sws_scale(scaler, (const uint8_t *const *)from->data, from->linesize, 0, picture->height, frame->data,
                            frame->linesize) != picture->height)
        r = -EIO;
    sws_freeContext(scaler);
    av_frame_free(&from);
    return r;
}

static int encode(AVCodecContext *codec, AVFrame *frame, AVPacket *packet, const struct picture *picture, int quality)
{
    codec->width = frame->width = picture->width;
    codec->height = frame->height = picture->height;
    codec->pix_fmt = frame->format = AV_PIX_FMT_YUV420P;
    codec->color_range = frame->color_range = AVCOL_RANGE_JPEG;
    codec->colorspace = frame->colorspace = AVCOL_SPC_BT470BG;
    codec->time_base = (AVRational){1, 25};
    codec->thread_count = 1;
    codec->flags |= AV_CODEC_FLAG_QSCALE | AV_CODEC_FLAG_BITEXACT;     /* the latter: no name of the program in the file */
    codec->qmin = 1;
    codec->strict_std_compliance = FF_COMPLIANCE_UNOFFICIAL;    /* the encoder's condition for YUV420P in full range */
    codec->global_quality = frame->quality = lambda_of(quality);
    if (av_frame_get_buffer(frame, 0) < 0)
        return -ENOMEM;
    int r = to_frame(frame, picture);
    if (r < 0)
        return r;
    return avcodec_open2(codec, codec->codec, NULL) < 0 || avcodec_send_frame(codec, frame) < 0 ||
           avcodec_receive_packet(codec, packet) < 0 ? -EIO : 0;
}

int jpeg_encode(struct jpeg *ret, const struct picture *picture, int quality, struct error *err)
{
    if (!picture->pixels || picture->width < 1 || picture->height < 1 || quality < 1 || quality > 100)
        return error_set(err, -EINVAL, "expected a picture and a quality from 1 to 100, got %dx%d pixels and %d", picture->width,
                         picture->height, quality);
    const AVCodec *encoder = avcodec_find_encoder(AV_CODEC_ID_MJPEG);
    if (!encoder)
        return error_set(err, -EIO, "this FFmpeg has no JPEG encoder; install a libavcodec that has it");
    AVCodecContext *codec = avcodec_alloc_context3(encoder);
    AVFrame *frame = av_frame_alloc();
    AVPacket *packet = av_packet_alloc();
    struct jpeg jpeg = {0};
    int r = codec && frame && packet ? encode(codec, frame, packet, picture, quality) : -ENOMEM;
    if (r == 0) {
        jpeg.size = (size_t)packet->size;
        jpeg.data = malloc(jpeg.size);
        r = jpeg.data ? 0 : -ENOMEM;
    }
    if (r == 0) {
        memcpy(jpeg.data, packet->data, jpeg.size);
        *ret = jpeg;
    } else {
        error_set(err, r, r == -ENOMEM ? "out of memory" : "FFmpeg's JPEG encoder failed on a picture of %dx%d", picture->width,
                  picture->height);
    }
    avcodec_free_context(&codec);
    av_frame_free(&frame);
    av_packet_free(&packet);
    return r;
}

void jpeg_close(struct jpeg *jpeg)
{
    free(jpeg->data);
    *jpeg = (struct jpeg){0};
}

int jpeg_write(const char *path, const struct picture *picture, int quality, struct error *err)
{
    struct jpeg jpeg;
    struct new_file file;
    int r = jpeg_encode(&jpeg, picture, quality, err);
    if (r < 0)
        return error_prefix(err, r, "%s", path);
    r = new_file_open(&file, path, true, err);
    if (r == 0 && (r = new_file_write(&file, jpeg.data, jpeg.size, err)) < 0)
        new_file_abandon(&file);
    else if (r == 0)
        r = new_file_commit(&file, err);
    jpeg_close(&jpeg);
    return r;
}
