/* The display of a stream's pictures: turned, mirrored and stretched. A display matrix says how they are turned; it is the
 * picture's (SEI, EXIF) or else the container's, as phones write it. Other angles count as the nearest quarter turn. A sample
 * aspect ratio says how wide a pixel is; it is the container's or else the picture's. Any thread. */
#ifndef MEMAED_IO_VIDEO_DISPLAY_H
#define MEMAED_IO_VIDEO_DISPLAY_H

#include <libavutil/frame.h>
#include <libavutil/rational.h>
#include <stdbool.h>
#include <stdint.h>

/* A picture [h, w] is shown as [w, h] if swap, else as [h, w]. The pixel shown at (x, y) is the picture's at (x, y), or at (y,
 * x) if swap. With flip_x the picture's columns count from the right, with flip_y its rows from below. */
struct turn {
    bool swap, flip_x, flip_y;
};

struct display {
    struct turn turn;
    AVRational sample_aspect;   /* of the container; 0/1: it has none */
};

/* The turn that a display matrix says; NULL: none. */
struct turn turn_of_matrix(const int32_t *matrix);

/* The turn of a picture of a stream with this display. */
struct turn display_turn(const struct display *display, const AVFrame *picture);

/* The size as a viewer shows it, rounded. Where pixels are not square, the picture is stretched along one side, never made
 * smaller. Sample aspect ratios beyond 1:8 and 8:1 are taken as 1:1. */
void display_size(const struct display *display, const AVFrame *picture, int *width, int *height);

#endif
