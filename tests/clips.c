#include "tests/clips.h"

#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/suite.h"

static char folder[256];

bool clips_open(void)
{
    const char *tmp = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/memaed-clips-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    if (!mkdtemp(folder)) {
        perror(folder);
        exit(EXIT_FAILURE);
    }
    if (system("ffmpeg -version >/dev/null 2>&1") != 0) {
        printf("SKIPPED: the ffmpeg program is not installed, and the tests' footage can't be made\n");
        return false;
    }
    return true;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

void clips_close(void)
{
    if (*folder)
        nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

int clips_run(const char *name, TCase *tests)
{
    int status = 0;
    if (clips_open()) {
        Suite *suite = suite_create(name);
        suite_add_tcase(suite, tests);
        status = suite_run(suite);
    }
    clips_close();
    return status;
}

const char *clip_path(const char *name)
{
    static char paths[8][512];
    static unsigned next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof *paths, "%s/%s", folder, name);
    return path;
}

void clips_ffmpeg(const char *args, ...)
{
    char text[2048], command[4096] = "ffmpeg -v error -nostdin -y ";
    va_list list;
    va_start(list, args);
    vsnprintf(text, sizeof text, args, list);
    va_end(list);
    size_t n = strlen(command);
    for (const char *c = text; *c && n < sizeof command - sizeof folder - 1; c++) {
        if (*c == '@')
            n += (size_t)sprintf(command + n, "%s", folder);
        else
            command[n++] = *c;
    }
    command[n] = 0;
    ck_assert_msg(system(command) == 0, "%s", command);
}

void clip_write(const char *name, const void *data, size_t size)
{
    FILE *file = fopen(clip_path(name), "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(data, 1, size, file), size);
    ck_assert_int_eq(fclose(file), 0);
}

uint8_t *clip_read(const char *name, size_t *size)
{
    FILE *file = fopen(clip_path(name), "rb");
    ck_assert_ptr_nonnull(file);
    fseek(file, 0, SEEK_END);
    *size = (size_t)ftell(file);
    rewind(file);
    uint8_t *data = malloc(*size + 1);
    ck_assert_uint_eq(fread(data, 1, *size, file), *size);
    fclose(file);
    return data;
}

void clip_join(const char *name, const char *first, const char *second)
{
    size_t a_size, b_size;
    uint8_t *a = clip_read(first, &a_size), *b = clip_read(second, &b_size);
    a = realloc(a, a_size + b_size);
    memcpy(a + a_size, b, b_size);
    clip_write(name, a, a_size + b_size);
    free(a);
    free(b);
}

void clip_gray(const char *name, const uint8_t *pixels, int n, int width, int height, double fps, const char *options)
{
    char raw[256];
    snprintf(raw, sizeof raw, "%s.raw", name);
    clip_write(raw, pixels, (size_t)n * (size_t)width * (size_t)height);
    clips_ffmpeg("-f rawvideo -pix_fmt gray -s %dx%d -r %g -i @/%s -c:v ffv1 %s @/%s", width, height, fps, raw,
                 options ? options : "", name);
    unlink(clip_path(raw));
}

void clip_levels(const char *name, int n, int width, int height, double fps, const char *options)
{
    size_t size = (size_t)width * (size_t)height;
    uint8_t *pixels = malloc((size_t)n * size);
    for (int i = 0; i < n; i++)
        memset(pixels + (size_t)i * size, i, size);
    clip_gray(name, pixels, n, width, height, fps, options);
    free(pixels);
}

uint8_t *clip_reference(const char *path, int width, int height, int *n)
{
    char command[1024];
    snprintf(command, sizeof command,
             "ffmpeg -v error -nostdin -i '%s' -vf scale=%d:%d:flags=bilinear,format=gray -vsync passthrough -f rawvideo -",
             path, width, height);
    FILE *pipe = popen(command, "r");
    ck_assert_ptr_nonnull(pipe);
    size_t frame = (size_t)width * (size_t)height, size = 0, room = 64 * frame, got;
    uint8_t *data = malloc(room);
    while ((got = fread(data + size, 1, room - size, pipe)) > 0) {
        size += got;
        if (size == room)
            data = realloc(data, room *= 2);
    }
    ck_assert_int_eq(pclose(pipe), 0);
    *n = (int)(size / frame);
    return data;
}
