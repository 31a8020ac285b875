#include "io/video/display.h"

#include <libavutil/mathematics.h>
#include <stdlib.h>

static const int most_stretched = 8;

struct turn turn_of_matrix(const int32_t *m)
{
    /* The pixel at (x, y) is shown at (m[0] x + m[3] y, m[1] x + m[4] y), moved into the picture. */
    if (!m || (!m[0] && !m[1] && !m[3] && !m[4]))
        return (struct turn){0};
    bool swap = llabs((long long)m[1]) > llabs((long long)m[0]);
    return (struct turn){.swap = swap, .flip_x = (swap ? m[1] : m[0]) < 0, .flip_y = (swap ? m[3] : m[4]) < 0};
}

struct turn display_turn(const struct display *display, const AVFrame *picture)
{
    const AVFrameSideData *side = av_frame_get_side_data(picture, AV_FRAME_DATA_DISPLAYMATRIX);
    return side && side->size >= 9 * sizeof(int32_t) ? turn_of_matrix((const int32_t *)side->data) : display->turn;
}

static bool is_usable(AVRational aspect)
{
    return aspect.num > 0 && aspect.den > 0 && aspect.num / most_stretched <= aspect.den &&
           aspect.den / most_stretched <= aspect.num;
}

void display_size(const struct display *display, const AVFrame *picture, int *width, int *height)
{
    AVRational aspect = is_usable(display->sample_aspect) ? display->sample_aspect : picture->sample_aspect_ratio;
    int w = picture->width, h = picture->height;
    if (is_usable(aspect) && aspect.num > aspect.den)
        w = (int)av_rescale(w, aspect.num, aspect.den);
    else if (is_usable(aspect))
        h = (int)av_rescale(h, aspect.den, aspect.num);
    bool swap = display_turn(display, picture).swap;
    *width = swap ? h : w;
    *height = swap ? w : h;
}
