#include "daemon/explain/polygon.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static bool parse_number(const char **at, char end, float *ret)
{
    char *after;
    if ((**at < '0' || **at > '9') && **at != '.')      /* no sign, no blank, no "inf" */
        return false;
    double x = strtod(*at, &after);
    if (after == *at || (*after != end && !(end == ' ' && !*after)) || !(x >= 0 && x <= 1))
        return false;
    *at = after + (*after != 0);
    *ret = (float)x;
    return true;
}

int polygon_parse(struct draw_polygon *ret, struct draw_point points[POLYGON_CORNERS], const char *text, struct error *err)
{
    const char *at = text;
    int n = 0;
    bool good = true;
    while (good && *(at += strspn(at, " ")) && n < POLYGON_CORNERS) {
        good = parse_number(&at, ',', &points[n].x) && parse_number(&at, ' ', &points[n].y);
        n++;
    }
    if (!good || n < 3 || *at)
        return error_set(err, -EINVAL,
                         "expected 3 to %d corners as \"X,Y X,Y X,Y\", fractions of the picture from 0 to 1, got \"%s\"",
                         POLYGON_CORNERS, text);
    *ret = (struct draw_polygon){points, n};
    return 0;
}
