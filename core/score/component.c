#include "core/score/component.h"

size_t component_number(uint32_t *grid, uint32_t *members, int rows, int columns, size_t at, uint32_t number)
{
    size_t n = 0;

    /* Breadth-first search; members is also the queue. */
    grid[at] = number;
    members[n++] = (uint32_t)at;
    for (size_t i = 0; i < n; i++) {
        int y = (int)members[i] / columns, x = (int)members[i] % columns;

        for (int v = y > 0 ? y - 1 : 0; v <= y + 1 && v < rows; v++)
            for (int u = x > 0 ? x - 1 : 0; u <= x + 1 && u < columns; u++) {
                size_t next = (size_t)v * (size_t)columns + (size_t)u;

                if (grid[next] != COMPONENT_NEW)
                    continue;
                grid[next] = number;
                members[n++] = (uint32_t)next;
            }
    }
    return n;
}
