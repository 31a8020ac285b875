/* A polygon from the command line: "0.1,0.2 0.5,0.2 0.5,0.6", corners in fractions of the picture from its upper left corner. Any
 * thread. */
#ifndef MEMAED_DAEMON_EXPLAIN_POLYGON_H
#define MEMAED_DAEMON_EXPLAIN_POLYGON_H

#include "core/error.h"
#include "core/picture/draw.h"

enum { POLYGON_CORNERS = 64 };

/* Reads text into points [POLYGON_CORNERS] and *ret, which borrows them. 0; -EINVAL: it is not 3 to POLYGON_CORNERS corners, each
 * a pair of numbers from 0 to 1; err says what was expected. */
int polygon_parse(struct draw_polygon *ret, struct draw_point points[POLYGON_CORNERS], const char *text, struct error *err);

#endif
