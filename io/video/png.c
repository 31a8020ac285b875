#include "io/video/png.h"

#include <errno.h>
#include <libavcodec/avcodec.h>
#include <string.h>

#include "io/base/new_file.h"

static int encode(AVCodecContext **codec, AVFrame **frame, AVPacket **packet, const uint8_t *pixels, int width, int height,
                  int channels)
{
    const AVCodec *png = avcodec_find_encoder(AV_CODEC_ID_PNG);
    if (!png)
        return -EIO;
    *codec = avcodec_alloc_context3(png);
    *frame = av_frame_alloc();
    *packet = av_packet_alloc();
    if (!*codec || !*frame || !*packet)
        return -ENOMEM;
    (*codec)->width = (*frame)->width = width;
    (*codec)->height = (*frame)->height = height;
    (*codec)->pix_fmt = channels == 1 ? AV_PIX_FMT_GRAY8 : AV_PIX_FMT_RGB24;
    (*frame)->format = (*codec)->pix_fmt;
    (*codec)->time_base = (AVRational){1, 1};
    (*codec)->thread_count = 1;
    if (av_frame_get_buffer(*frame, 0) < 0)
        return -ENOMEM;
    size_t row = (size_t)width * (size_t)channels;
    for (int y = 0; y < height; y++)
        memcpy((*frame)->data[0] + (ptrdiff_t)y * (*frame)->linesize[0], pixels + (size_t)y * row, row);
    return avcodec_open2(*codec, png, NULL) < 0 || avcodec_send_frame(*codec, *frame) < 0 ||
           avcodec_receive_packet(*codec, *packet) < 0 ? -EIO : 0;
}

static int write_file(const char *path, const uint8_t *data, size_t size, struct error *err)
{
    struct new_file file;
    int r = new_file_open(&file, path, false, err);
    if (r < 0)
        return r;
    if ((r = new_file_write(&file, data, size, err)) == 0)
        return new_file_commit(&file, err);
    new_file_abandon(&file);
    return r;
}

int png_write(const char *path, const uint8_t *pixels, int width, int height, int channels, struct error *err)
{
    if (width < 1 || height < 1 || (channels != 1 && channels != 3))
        return error_set(err, -EINVAL, "%s: expected at least 1x1 pixels of 1 or 3 channels, got %dx%d of %d", path,
                         width, height, channels);
    AVCodecContext *codec = NULL;
    AVFrame *frame = NULL;
    AVPacket *packet = NULL;
    int r = encode(&codec, &frame, &packet, pixels, width, height, channels);
    if (r < 0)
        error_set(err, r, "%s: %s", path, r == -ENOMEM ? "out of memory" : "this FFmpeg has no PNG encoder, or it failed");
    else
        r = write_file(path, packet->data, (size_t)packet->size, err);
    avcodec_free_context(&codec);
    av_frame_free(&frame);
    av_packet_free(&packet);
    return r;
}
