#include "core/picture/why.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/picture/text.h"

enum { PANELS = 3, LEAST_PANEL = 320, MARGIN = 8, GAP = 8, SCALE = 2, LINE = (TEXT_HEIGHT + 3) * SCALE, BAR = 10 };
static const struct colour ground = {24, 24, 28}, ink = {235, 235, 235}, faint = {165, 165, 175};

/* How many pixels beyond a polygon's border scaling from `from` to `to` pixels may have carried parts of its inside. */
static float carried(int from, int to)
{
    return 2 + fmaxf((float)to / (float)from, 1);
}

/* A panel is as large as the frame, from LEAST_PANEL to WHY_PANEL pixels on its longer side. */
static void panel_size(const struct picture *frame, int *width, int *height)
{
    int side = frame->width > frame->height ? frame->width : frame->height;
    float by = side < LEAST_PANEL ? (float)LEAST_PANEL / (float)side : side > WHY_PANEL ? (float)WHY_PANEL / (float)side : 1;
    *width = (int)fmaxf(lrintf(by * (float)frame->width), 1);
    *height = (int)fmaxf(lrintf(by * (float)frame->height), 1);
}

/* Opens *ret with the picture as a panel, masked. */
static int panel_open(struct picture *ret, const struct picture *from, int width, int height, const struct why *why)
{
    int r = picture_scale(ret, from, width, height);
    if (r == 0)
        draw_masks(ret, why->masks, why->n_masks, fmaxf(carried(from->width, width), carried(from->height, height)));
    return r;
}

static int panels_open(struct picture panels[PANELS], const struct why *why, int width, int height)
{
    int r = panel_open(&panels[0], why->frame, width, height, why);
    if (r == 0)
        r = panel_open(&panels[1], why->drawn, width, height, why);
    if (r == 0)
        r = panel_open(&panels[2], why->frame, width, height, why);
    if (r < 0)
        return r;
    picture_dim(&panels[2], 0.8f);
    heat_draw(&panels[2], &why->map, &why->scale);
    /* The map may lie over a masked place, whose shape it would show. */
    draw_masks(&panels[2], why->masks, why->n_masks, 2);
    if (why->boxes)
        draw_boxes(&panels[0], why->boxes);
    return 0;
}

/* Writes the text with its centre at `centre`, but within `room` pixels from `x` on. */
static void centred(struct picture *picture, int x, int room, int centre, int y, const char *text)
{
    int width = text_width(text, SCALE), at = centre - width / 2;
    at = at + width > x + room ? x + room - width : at;
    text_draw(picture, at < x ? x : at, y, SCALE, room, faint, text);
}

/* Writes the lines of text, broken to fit into `room` pixels. picture NULL: nothing is written. Returns the height in pixels. */
static int write_lines(struct picture *picture, const struct why *why, int x, int y, int room)
{
    int height = 0;
    for (int i = 0; i < WHY_LINES && why->lines[i]; i++)
        for (const char *text = why->lines[i]; *text; height += LINE) {
            char part[256];
            int n = text_fit(text, SCALE, room);
            snprintf(part, sizeof part, "%.*s", n, text);
            if (picture)
                text_draw(picture, x, y + height, SCALE, room, ink, part);
            text += n;
            text += strspn(text, " ");
        }
    return height;
}

static void write_scale(struct picture *picture, const struct why *why, int x, int y, int width)
{
    int mark = x + (int)lrintf(HEAT_ALERT * (float)width), text = y + BAR + 6,
        low_end = x + text_width(why->usual, SCALE) + TEXT_ADVANCE * SCALE, high = x + width - text_width(why->end, SCALE);
    heat_draw_bar(picture, x, y, width, BAR);
    text_draw(picture, x, text, SCALE, width, faint, why->usual);
    centred(picture, low_end, x + width - low_end, mark, text, why->alert);
    if (mark + (text_width(why->alert, SCALE) / 2 + TEXT_ADVANCE) < high)
        text_draw(picture, high, text, SCALE, width, faint, why->end);
}

int why_draw(struct picture *ret, const struct why *why)
{
    const char *const captions[PANELS] = {why->caption, "what the memory drew", "where it is unusual"};
    struct picture all = {0}, panels[PANELS] = {0};
    int width, height;
    panel_size(why->frame, &width, &height);
    int column = width > LEAST_PANEL ? width : LEAST_PANEL, step = column + GAP, room = (PANELS - 1) * step - GAP;
    int top = MARGIN + LINE, below = top + height + GAP, text = write_lines(NULL, why, 0, 0, room), scale = BAR + 6 + LINE;
    int r = panels_open(panels, why, width, height);
    if (r == 0)
        r = picture_open(&all, 2 * MARGIN + PANELS * step - GAP, below + (text > scale ? text : scale) + MARGIN);
    if (r == 0) {
        draw_fill(&all, 0, 0, all.width, all.height, ground);
        for (int i = 0; i < PANELS; i++) {
            text_draw(&all, MARGIN + i * step, MARGIN, SCALE, column, ink, captions[i]);
            picture_paste(&all, &panels[i], MARGIN + i * step + (column - width) / 2, top);
        }
        write_lines(&all, why, MARGIN, below, room);
        write_scale(&all, why, MARGIN + (PANELS - 1) * step, below + 3, column);
        *ret = all;
    }
    for (int i = 0; i < PANELS; i++)
        picture_close(&panels[i]);
    return r;
}
