/* Connected components of cells in a grid, diagonals too. A grid is [rows, columns]; each cell holds COMPONENT_NONE,
 * COMPONENT_NEW, or the number of the component that it was found to belong to. Pure, any thread; allocates nothing. */
#ifndef MEMAED_CORE_SCORE_COMPONENT_H
#define MEMAED_CORE_SCORE_COMPONENT_H

#include <stddef.h>
#include <stdint.h>

#define COMPONENT_NONE UINT32_C(0)
#define COMPONENT_NEW UINT32_MAX

/* Gives `number` (neither of the above) to the cell `at`, which is COMPONENT_NEW, and to all such cells that hang together
 * with it. Their indices stand in members [rows * columns] afterwards, `at` first; returns how many there are. */
size_t component_number(uint32_t *grid, uint32_t *members, int rows, int columns, size_t at, uint32_t number);

#endif
