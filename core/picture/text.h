/* Text in a bitmap font of our own: ASCII in cells of 5 x 9 pixels, of which the last two rows are for descenders. Pure; any
 * thread; allocates nothing. */
#ifndef MEMAED_CORE_PICTURE_TEXT_H
#define MEMAED_CORE_PICTURE_TEXT_H

#include "core/picture/picture.h"

enum { TEXT_WIDTH = 5, TEXT_HEIGHT = 9, TEXT_ADVANCE = 6 };     /* pixels at scale 1 */

/* Writes the text from (x, y), its upper left corner, on, each pixel of the font `scale` >= 1 pixels large. A text that is wider
 * than `room` pixels is cut, and ends in "..". Bytes that are not printable ASCII show as a box. Parts outside of the picture are
 * left out. */
void text_draw(struct picture *picture, int x, int y, int scale, int room, struct colour colour, const char *text);

/* Returns how many letters of the text fit into `room` pixels: 1 at least, unless the text is empty. A text that does not fit is
 * cut at the last blank that does. */
int text_fit(const char *text, int scale, int room);

/* The text's width in pixels, without the gap behind its last letter. */
int text_width(const char *text, int scale);

#endif
