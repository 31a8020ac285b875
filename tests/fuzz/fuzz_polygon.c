/* libFuzzer target: a polygon of the command line, and the mask that it makes. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/explain/polygon.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct draw_point points[POLYGON_CORNERS];
    struct draw_polygon polygon;
    struct picture picture = {0};
    char *text = strndup((const char *)data, size);
    int r = polygon_parse(&polygon, points, text, NULL);
    assert(r == 0 || r == -EINVAL);
    if (r == 0) {
        assert(polygon.n >= 3 && polygon.n <= POLYGON_CORNERS);
        for (int i = 0; i < polygon.n; i++)
            assert(points[i].x >= 0 && points[i].x <= 1 && points[i].y >= 0 && points[i].y <= 1);
        if (picture_open(&picture, 24, 16) == 0)
            draw_masks(&picture, &polygon, 1, 1);
        picture_close(&picture);
    }
    free(text);
    return 0;
}
