/* A picture of FFmpeg for tests. */
#ifndef MEMAED_TESTS_FRAME_H
#define MEMAED_TESTS_FRAME_H

#include <check.h>
#include <libavutil/frame.h>

/* Makes a picture with room for its pixels, which are undefined. The caller frees it. */
static inline AVFrame *frame_of(enum AVPixelFormat format, int width, int height)
{
    AVFrame *frame = av_frame_alloc();
    ck_assert_ptr_nonnull(frame);
    frame->format = format;
    frame->width = width;
    frame->height = height;
    ck_assert_int_eq(av_frame_get_buffer(frame, 0), 0);
    return frame;
}

#endif
