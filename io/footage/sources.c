#include "io/footage/sources.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "io/base/redact.h"
#include "io/video/source.h"
#include "io/video/source_url.h"

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

/* The entries of a folder. */
struct listing {
    struct dirent **entries;
    int n, images, others;              /* regular files of either kind */
};

static bool is_image(const char *name)
{
    return source_image_codec(name) != 0;
}

/* Writes the path of an entry. Returns whether it is a regular file, or a link to one. */
static bool path_of(char path[PATH_MAX], const char *folder, const struct dirent *entry)
{
    struct stat st;
    return snprintf(path, PATH_MAX, "%s/%s", folder, entry->d_name) < PATH_MAX && stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

static int list(struct listing *ret, const char *folder, struct error *err)
{
    char path[PATH_MAX];
    *ret = (struct listing){0};
    ret->n = scandir(folder, &ret->entries, is_visible, by_name);
    if (ret->n < 0)
        return error_set(err, -errno, "%s: %s", folder, strerror(errno));
    for (int i = 0; i < ret->n; i++)
        if (path_of(path, folder, ret->entries[i]))
            *(is_image(ret->entries[i]->d_name) ? &ret->images : &ret->others) += 1;
    return 0;
}

static void clear(struct listing *l)
{
    for (int i = 0; i < l->n; i++)
        free(l->entries[i]);
    free(l->entries);
}

/* Calls each() for the files that are no images. Returns how many were of use, or the failure of each(). */
static int each_other(const struct listing *l, const char *folder, const struct sources_user *user, struct error *err)
{
    char path[PATH_MAX];
    int used = 0;
    for (int i = 0; i < l->n; i++) {
        struct error cause = {""};
        if (is_image(l->entries[i]->d_name) || !path_of(path, folder, l->entries[i]))
            continue;
        int r = user->each(user->arg, path, &cause);
        if (r < 0 && !user->skips(user->arg, cause.text))
            return error_set(err, r, "%s", cause.text);
        used += r >= 0;
    }
    return used;
}

/* Tells skips() which images of a folder are skipped. Returns whether they may be. */
static bool skip_images(const struct listing *l, const char *folder, const struct sources_user *user)
{
    const char *first = NULL, *last = NULL;
    struct error reason;
    for (int i = 0; i < l->n; i++)
        if (is_image(l->entries[i]->d_name)) {
            first = first ? first : l->entries[i]->d_name;
            last = l->entries[i]->d_name;
        }
    error_set(&reason, 0, "%s: %d pictures beside films, from %s to %s", folder, l->images, first, last);
    return user->skips(user->arg, reason.text);
}

static int each_of_folder(const char *folder, const struct sources_user *user, struct error *err)
{
    struct listing l;
    int r = list(&l, folder, err);
    if (r < 0)
        return r;
    int used = each_other(&l, folder, user, err);
    if (used < 0)
        r = used;
    else if (used == 0 && l.images > 0)
        r = user->each(user->arg, folder, err);
    else if (used == 0)
        r = l.others > 0 ? error_set(err, -ENODATA, "%s: none of the %d files in this folder is footage", folder, l.others)
                         : error_set(err, -ENOENT, "%s: no footage in this folder", folder);
    else if (l.images > 0 && !skip_images(&l, folder, user))
        r = error_set(err, -EINVAL, "%s: expected films or pictures, got %d films and %d pictures; put them into folders of "
                      "their own", folder, used, l.images);
    clear(&l);
    return r;
}

int sources_each(const char *input, const struct sources_user *user, struct error *err)
{
    struct stat st;
    if (source_is_live(input)) {
        char shown[256];
        redact(shown, sizeof shown, input);
        return error_set(err, -EINVAL, "%s: a live stream has no end; record it to a file first", shown);
    }
    if (stat(input, &st) == 0 && S_ISDIR(st.st_mode))
        return each_of_folder(input, user, err);
    return user->each(user->arg, input, err);
}
