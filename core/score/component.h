/* Connected components of cells in a grid [rows, columns]; diagonal neighbours are connected. Each cell holds COMPONENT_NONE
 * (in no component), COMPONENT_NEW (not numbered yet), or its component's number. Pure, any thread; allocates nothing. */
#ifndef MEMAED_CORE_SCORE_COMPONENT_H
#define MEMAED_CORE_SCORE_COMPONENT_H

#include <stddef.h>
#include <stdint.h>

#define COMPONENT_NONE UINT32_C(0)
#define COMPONENT_NEW UINT32_MAX

/* Gives `number`, neither of the above, to cell `at`, which is COMPONENT_NEW, and to all new cells connected to it. Writes their
 * indices to members, with room for rows * columns, `at` first. Returns how many they are. */
size_t component_number(uint32_t *grid, uint32_t *members, int rows, int columns, size_t at, uint32_t number);

#endif
