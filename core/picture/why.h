/* The "why" picture of a window, in three panels side by side: the frame with boxes, the network's reconstruction, and the frame
 * under a heat map of what is unusual. Captions are above, text and the scale of the heat map below. Pure; any thread. */
#ifndef MEMAED_CORE_PICTURE_WHY_H
#define MEMAED_CORE_PICTURE_WHY_H

#include "core/picture/draw.h"
#include "core/picture/heat.h"

enum { WHY_LINES = 4, WHY_PANEL = 640 };       /* pixels of the longer side of a panel, at most */

struct why {
    const struct picture *frame;        /* in colour, as a viewer shows it; its aspect is that of all panels */
    const struct picture *drawn;        /* the network's reconstruction, at its size; it is stretched to that aspect */
    struct heat_map map;
    struct heat_scale scale;
    const struct boxes *boxes;
    const struct draw_polygon *masks;   /* [n_masks] blackened in all three panels */
    int n_masks;
    const char *caption;                /* of the frame: "frame 87, 8.7 s" */
    const char *usual, *alert, *end;    /* texts below the scale at these values; may be "" */
    const char *lines[WHY_LINES];       /* text below the panels, each line broken where it is too long; NULL: none */
};

/* Draws it into *ret, which the caller closes. All of `why` is borrowed. 0 or -ENOMEM; *ret is untouched on failure. */
int why_draw(struct picture *ret, const struct why *why);

#endif
