#include "io/footage/sources.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "io/base/redact.h"
#include "io/video/source.h"
#include "io/video/source_folder.h"

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int each_file(const char *folder, int (*each)(void *arg, const char *path, struct error *err), void *arg,
                     struct error *err)
{
    struct dirent **entries;
    int n = scandir(folder, &entries, is_visible, by_name), r = 0, files = 0;
    if (n < 0)
        return error_set(err, -errno, "%s: %s", folder, strerror(errno));
    for (int i = 0; i < n; i++) {
        char *path = NULL;
        struct stat st;
        if (r == 0 && asprintf(&path, "%s/%s", folder, entries[i]->d_name) < 0) {
            path = NULL;
            r = error_set(err, -ENOMEM, "out of memory");
        }
        if (r == 0 && stat(path, &st) == 0 && S_ISREG(st.st_mode)) {
            files++;
            r = each(arg, path, err);
        }
        free(path);
        free(entries[i]);
    }
    free(entries);
    if (r == 0 && files == 0)
        r = error_set(err, -ENOENT, "%s: no footage in this folder", folder);
    return r;
}

static bool holds_images(const char *folder)
{
    struct folder *images;
    if (folder_open(&images, folder, NULL) < 0)
        return false;
    folder_close(images);
    return true;
}

int sources_each(const char *input, int (*each)(void *arg, const char *path, struct error *err), void *arg,
                 struct error *err)
{
    struct stat st;
    if (source_is_live(input)) {
        char shown[256];
        redact(shown, sizeof shown, input);
        return error_set(err, -EINVAL, "%s: a live stream has no end; record it to a file first", shown);
    }
    if (stat(input, &st) == 0 && S_ISDIR(st.st_mode) && !holds_images(input))
        return each_file(input, each, arg, err);
    return each(arg, input, err);
}
