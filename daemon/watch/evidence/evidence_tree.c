#include "daemon/watch/evidence/evidence_tree.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/watch/evidence/place.h"

/* Files of one alert that are locked at the same time while they are deleted; there are four kinds. */
enum { FILES_MAX = 16 };

/* ---- reading ---------------------------------------------------------------------------------------------------------- */

/* A walk through the tree, and the alert's folder that it is in. */
struct walk {
    struct evidence_tree *tree;
    void (*step)(void *arg);
    void *arg;
    int64_t id;                         /* of the alert's folder */
    struct evidence_folder folder;
    int64_t bytes;
    uint32_t files;
};

static int open_folder(int in, const char *name)
{
    int fd = openat(in, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

/* A folder that has vanished, or is no folder, is skipped. */
static bool is_passed(int r)
{
    return r == -ENOENT || r == -ENOTDIR || r == -ELOOP;
}

/* Calls visit(walk, fd of the folder, name) for each name in it, and closes fd. */
static int each_name(struct walk *walk, int fd, int (*visit)(struct walk *walk, int in, const char *name))
{
    DIR *dir = fdopendir(fd);
    int r = 0;
    if (!dir) {
        r = -errno;
        close(fd);
        return r;
    }
    for (struct dirent *entry; r == 0 && (errno = 0, entry = readdir(dir)) != NULL;)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            r = visit(walk, dirfd(dir), entry->d_name);
    if (r == 0 && errno != 0)
        r = -errno;
    closedir(dir);
    return r;
}

static int enter(struct walk *walk, int in, const char *name, int (*visit)(struct walk *walk, int in, const char *name))
{
    int fd = open_folder(in, name);
    return is_passed(fd) ? 0 : fd < 0 ? fd : each_name(walk, fd, visit);
}

static int visit_file(struct walk *walk, int in, const char *name)
{
    struct stat file;
    if (name[0] == '.' && place_delete_leftover(in, name))
        return 0;
    if (fstatat(in, name, &file, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : -errno;
    if (S_ISREG(file.st_mode)) {
        walk->bytes += file.st_size;
        walk->files++;
    }
    return 0;
}

static int add_alert(struct walk *walk)
{
    struct evidence_tree *tree = walk->tree;
    if (tree->n == tree->room) {
        size_t room = tree->room ? 2 * tree->room : 256;
        struct retention_alert *alerts = realloc(tree->alerts, room * sizeof *alerts);
        tree->alerts = alerts ? alerts : tree->alerts;
        struct evidence_folder *folders = realloc(tree->folders, room * sizeof *folders);
        tree->folders = folders ? folders : tree->folders;
        if (!alerts || !folders)
            return -ENOMEM;
        tree->room = room;
    }
    tree->alerts[tree->n] = (struct retention_alert){.id = (uint64_t)walk->id, .bytes = walk->bytes, .files = walk->files,
                                                     .reason = RETENTION_STAYS};
    tree->folders[tree->n++] = walk->folder;
    return 0;
}

static int visit_alert(struct walk *walk, int in, const char *name)
{
    size_t digits = strspn(name, "0123456789");
    if (digits == 0 || digits > 18 || name[digits] || (name[0] == '0' && digits > 1))
        return 0;
    walk->id = strtoll(name, NULL, 10);
    walk->bytes = walk->files = 0;
    if (walk->step)
        walk->step(walk->arg);
    int fd = open_folder(in, name), r = fd < 0 ? fd : each_name(walk, fd, visit_file);
    return is_passed(r) ? 0 : r < 0 ? r : add_alert(walk);
}

static int visit_date(struct walk *walk, int in, const char *name)
{
    for (size_t i = 0; i < 10; i++)
        if (i == 4 || i == 7 ? name[i] != '-' : !isdigit((unsigned char)name[i]))
            return 0;
    if (name[10])
        return 0;
    memcpy(walk->folder.date, name, 11);
    return enter(walk, in, name, visit_alert);
}

static int visit_camera(struct walk *walk, int in, const char *name)
{
    struct evidence_tree *tree = walk->tree;
    if (strlen(name) >= RECORD_NAME_SIZE)
        return 0;
    char (*cameras)[RECORD_NAME_SIZE] = realloc(tree->cameras, (tree->n_cameras + 1) * sizeof *cameras);
    if (!cameras)
        return -ENOMEM;
    tree->cameras = cameras;
    walk->folder.camera = (uint32_t)tree->n_cameras;
    snprintf(cameras[tree->n_cameras++], sizeof *cameras, "%s", name);
    return enter(walk, in, name, visit_date);
}

struct place_of_alert {
    uint64_t id;
    size_t at;
};

static int compare(const void *a, const void *b)
{
    uint64_t x = ((const struct place_of_alert *)a)->id, y = ((const struct place_of_alert *)b)->id;
    return x < y ? -1 : x > y;
}

/* Puts the alerts into the order of their ids, and the folders with them. */
static int sort(struct evidence_tree *tree)
{
    if (tree->n == 0)
        return 0;
    struct place_of_alert *order = calloc(tree->n, sizeof *order);
    struct retention_alert *alerts = calloc(tree->n, sizeof *alerts);
    struct evidence_folder *folders = calloc(tree->n, sizeof *folders);
    int r = order && alerts && folders ? 0 : -ENOMEM;
    if (r == 0) {
        for (size_t i = 0; i < tree->n; i++)
            order[i] = (struct place_of_alert){tree->alerts[i].id, i};
        qsort(order, tree->n, sizeof *order, compare);
        for (size_t i = 0; i < tree->n; i++) {
            alerts[i] = tree->alerts[order[i].at];
            folders[i] = tree->folders[order[i].at];
        }
        memcpy(tree->alerts, alerts, tree->n * sizeof *alerts);
        memcpy(tree->folders, folders, tree->n * sizeof *folders);
    }
    free(order);
    free(alerts);
    free(folders);
    return r;
}

int evidence_tree_read(struct evidence_tree *ret, const char *state_dir, void (*step)(void *arg), void *arg, struct error *err)
{
    struct evidence_tree tree = {0};
    struct walk walk = {.tree = &tree, .step = step, .arg = arg};
    int fd = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int r = fd < 0 ? -errno : enter(&walk, fd, "evidence", visit_camera);
    if (fd >= 0)
        close(fd);
    if (r == 0)
        r = sort(&tree);
    if (r < 0) {
        evidence_tree_clear(&tree);
        return error_set(err, r, "%s/evidence: %s", state_dir, strerror(-r));
    }
    evidence_tree_sum(&tree);
    *ret = tree;
    return 0;
}

void evidence_tree_clear(struct evidence_tree *tree)
{
    free(tree->alerts);
    free(tree->folders);
    free(tree->cameras);
    *tree = (struct evidence_tree){0};
}

void evidence_tree_sum(struct evidence_tree *tree)
{
    size_t n = 0;
    tree->bytes = tree->files = 0;
    for (size_t i = 0; i < tree->n; i++) {
        if (tree->alerts[i].bytes < 0)
            continue;
        tree->bytes += tree->alerts[i].bytes;
        tree->files += tree->alerts[i].files;
        tree->alerts[n] = tree->alerts[i];
        tree->folders[n++] = tree->folders[i];
    }
    tree->n = n;
}

/* ---- deleting --------------------------------------------------------------------------------------------------------- */

/* Files that are locked. */
struct locked {
    size_t n;
    struct {
        int fd;                 /* -1: a link, or not to be read: nobody writes evidence there */
        char name[NAME_MAX + 1];
    } files[FILES_MAX];
};

/* Opens and locks files of the folder, as many as there is room for. -EBUSY: somebody else has locked one. */
static int lock_files(struct locked *locked, DIR *dir)
{
    struct stat file;
    for (struct dirent *entry; locked->n < FILES_MAX && (entry = readdir(dir)) != NULL;) {
        if (fstatat(dirfd(dir), entry->d_name, &file, AT_SYMLINK_NOFOLLOW) < 0 || S_ISDIR(file.st_mode))
            continue;
        int fd = openat(dirfd(dir), entry->d_name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        snprintf(locked->files[locked->n].name, sizeof locked->files->name, "%s", entry->d_name);
        locked->files[locked->n++].fd = fd;
        if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK)
            return -EBUSY;
    }
    return 0;
}

/* Deletes those files alone: another may just have been made. */
static int unlink_files(const struct locked *locked, DIR *dir)
{
    int r = 0;
    for (size_t i = 0; i < locked->n; i++)
        if (unlinkat(dirfd(dir), locked->files[i].name, 0) < 0 && errno != ENOENT)
            r = -errno;
    return r;
}

/* Deletes the files in the folder, which it closes. */
static int empty_folder(int fd)
{
    DIR *dir = fdopendir(fd);
    int r = dir ? 0 : -errno;
    if (!dir)
        close(fd);
    for (bool more = dir != NULL; more && r == 0;) {
        struct locked locked = {0};
        rewinddir(dir);
        r = lock_files(&locked, dir);
        if (r == 0)
            r = unlink_files(&locked, dir);
        for (size_t i = 0; i < locked.n; i++)
            if (locked.files[i].fd >= 0)
                close(locked.files[i].fd);
        more = locked.n == FILES_MAX;
    }
    if (dir)
        closedir(dir);
    return r;
}

int evidence_tree_delete(const struct evidence_tree *tree, size_t i, const char *state_dir, struct error *err)
{
    char id[24];
    const char *names[] = {"evidence", tree->cameras[tree->folders[i].camera], tree->folders[i].date, id};
    int fds[4], depth = 0, r = 0;
    snprintf(id, sizeof id, "%llu", (unsigned long long)tree->alerts[i].id);
    int in = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    fds[0] = in < 0 ? -errno : open_folder(in, names[0]);
    while (fds[depth] >= 0 && depth < 2) {
        fds[depth + 1] = open_folder(fds[depth], names[depth + 1]);
        depth++;
    }
    r = fds[depth];             /* the folder of the date */
    if (r >= 0) {
        int fd = open_folder(fds[2], id);
        r = fd < 0 ? fd : empty_folder(fd);
        if (r == 0 || r == -ENOENT) {
            r = 0;
            /* Folders that hold more stay. */
            for (int d = 2; d >= 0 && unlinkat(fds[d], names[d + 1], AT_REMOVEDIR) == 0; d--)
                ;
        }
    } else if (r == -ENOENT) {
        r = 0;                  /* somebody else has deleted it */
    }
    for (int d = 0; d <= depth; d++)
        if (fds[d] >= 0)
            close(fds[d]);
    if (in >= 0)
        close(in);
    return r < 0 ? error_set(err, r, "%s/evidence/%s/%s/%s: %s", state_dir, names[1], names[2], id, strerror(-r)) : 0;
}
