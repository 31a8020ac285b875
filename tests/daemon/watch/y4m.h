/* Clips of gray pictures for tests of cameras, in YUV4MPEG2, which FFmpeg reads without a codec. */
#ifndef MEMAED_TESTS_DAEMON_WATCH_Y4M_H
#define MEMAED_TESTS_DAEMON_WATCH_Y4M_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* Writes n pictures of width x height at fps, each made by draw(pixels, number). The file appears whole. */
static inline void write_y4m(const char *path, int width, int height, int n, int fps, void (*draw)(uint8_t *pixels, int f))
{
    char temporary[160];
    size_t size = (size_t)width * (size_t)height;
    uint8_t *pixels = malloc(size);
    snprintf(temporary, sizeof temporary, "%s.part", path);
    FILE *file = fopen(temporary, "w");
    fprintf(file, "YUV4MPEG2 W%d H%d F%d:1 Ip A1:1 Cmono XCOLORRANGE=FULL\n", width, height, fps);
    for (int f = 0; f < n; f++) {
        draw(pixels, f);
        fputs("FRAME\n", file);
        fwrite(pixels, 1, size, file);
    }
    fclose(file);
    free(pixels);
    rename(temporary, path);
}

#endif
