/* The files of evidence on the disk: what is read, what is deleted, what is left alone. A file that is being written stays. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/watch/evidence/evidence_tree.h"
#include "daemon/watch/evidence/place.h"
#include "tests/folder.h"
#include "tests/suite.h"

#define DAY_US INT64_C(86400000000)

static struct evidence_tree tree;

static void tear_down(void)
{
    evidence_tree_clear(&tree);
    delete_folder();
}

/* Makes a file of an alert, but does not publish it yet. */
static struct place_file begin(const char *camera, uint64_t alert, int64_t opened_us, const char *name, size_t bytes)
{
    struct place_file file;
    static const char data[4096];
    const struct place place = {.camera = camera, .opened_us = opened_us, .alert = alert};
    must(place_create(&file, folder, &place, name, &err));
    ck_assert_int_eq(write(file.fd, data, bytes), (ssize_t)bytes);
    return file;
}

/* Makes and publishes a file of an alert. Returns its descriptor, which is still open. */
static int make(const char *camera, uint64_t alert, int64_t opened_us, const char *name, size_t bytes)
{
    struct place_file file = begin(camera, alert, opened_us, name, bytes);
    must(place_publish(&file, &err));
    return file.fd;
}

/* Returns true if there is a file of this path below evidence/. */
static bool is_there(const char *path)
{
    return access(path_of("evidence%s", path), F_OK) == 0;
}

static int steps;

static void step(void *arg)
{
    (void)arg;
    steps++;
}

static void read_tree(void)
{
    evidence_tree_clear(&tree);
    must(evidence_tree_read(&tree, folder, step, NULL, &err));
}

START_TEST(there_may_be_nothing)
{
    read_tree();
    ck_assert(tree.n == 0 && tree.bytes == 0 && tree.files == 0);
    ck_assert_int_eq(evidence_tree_read(&tree, "/nowhere/at/all", NULL, NULL, &err), -ENOENT);
    ck_assert_ptr_nonnull(strstr(err.text, "/nowhere/at/all"));
}
END_TEST

START_TEST(alerts_come_in_order)
{
    close(make("gate", 300, 2 * DAY_US, "clip.mp4", 100));
    close(make("gate", 300, 2 * DAY_US, "snapshot.jpg", 20));
    close(make("yard", 100, 1 * DAY_US, "clip.mkv", 3));
    close(make("gate", 1000, 3 * DAY_US, "clip.mp4", 4));
    read_tree();
    ck_assert_uint_eq(tree.n, 3);
    ck_assert(tree.alerts[0].id == 100 && tree.alerts[1].id == 300 && tree.alerts[2].id == 1000);
    ck_assert(tree.alerts[1].bytes == 120 && tree.alerts[1].files == 2 && tree.bytes == 127 && tree.files == 4);
    ck_assert_str_eq(tree.cameras[tree.folders[0].camera], "yard");
    ck_assert_str_eq(tree.folders[1].date, "1970-01-03");
    ck_assert_int_eq(steps, 3);
    tree.alerts[1].bytes = -1;
    evidence_tree_sum(&tree);
    ck_assert(tree.n == 2 && tree.bytes == 7 && tree.files == 2 && tree.alerts[1].id == 1000);
}
END_TEST

START_TEST(an_alert_goes_with_its_empty_folders)
{
    close(make("gate", 300, 2 * DAY_US, "clip.mp4", 100));
    close(make("gate", 301, 2 * DAY_US, "clip.mp4", 100));
    close(make("yard", 100, 1 * DAY_US, "clip.mkv", 3));
    read_tree();
    must(evidence_tree_delete(&tree, 0, folder, &err));
    ck_assert(!is_there("/yard") && is_there("/gate/1970-01-03/300/clip.mp4"));
    must(evidence_tree_delete(&tree, 1, folder, &err));
    ck_assert(!is_there("/gate/1970-01-03/300") && is_there("/gate/1970-01-03/301/clip.mp4"));
    must(evidence_tree_delete(&tree, 1, folder, &err));         /* it is gone already */
    must(evidence_tree_delete(&tree, 2, folder, &err));
    ck_assert(!is_there("/gate") && is_there(""));
    must(evidence_tree_delete(&tree, 2, folder, &err));
}
END_TEST

START_TEST(a_file_that_is_being_written_stays)
{
    int fd = make("gate", 300, 2 * DAY_US, "clip.mp4", 100);
    close(make("gate", 300, 2 * DAY_US, "snapshot.jpg", 20));
    read_tree();
    ck_assert_int_eq(evidence_tree_delete(&tree, 0, folder, &err), -EBUSY);
    int other = dup(fd);                /* as the process has that writes the clip */
    close(fd);
    ck_assert_int_eq(evidence_tree_delete(&tree, 0, folder, &err), -EBUSY);
    ck_assert(is_there("/gate/1970-01-03/300/clip.mp4") && is_there("/gate/1970-01-03/300/snapshot.jpg"));
    close(other);
    must(evidence_tree_delete(&tree, 0, folder, &err));
    ck_assert(!is_there("/gate"));
}
END_TEST

/* A file that was not published is deleted once no process has it open. */
START_TEST(leftovers_of_a_crash_go)
{
    struct place_file file = begin("gate", 300, 2 * DAY_US, "clip.mp4", 100);
    close(make("gate", 300, 2 * DAY_US, "snapshot.jpg", 20));
    read_tree();
    ck_assert(is_there("/gate/1970-01-03/300/.clip.mp4") && !is_there("/gate/1970-01-03/300/clip.mp4"));
    ck_assert(tree.alerts[0].files == 2 && tree.bytes == 120);
    close(file.fd);
    close(file.folder);
    read_tree();
    ck_assert(!is_there("/gate/1970-01-03/300/.clip.mp4") && is_there("/gate/1970-01-03/300/snapshot.jpg"));
    ck_assert(tree.alerts[0].files == 1 && tree.bytes == 20);
    /* The name can be used again. */
    file = begin("gate", 300, 2 * DAY_US, "clip.mp4", 100);
    place_close(&file);
    place_close(&file);
    ck_assert(!is_there("/gate/1970-01-03/300/.clip.mp4") && !is_there("/gate/1970-01-03/300/clip.mp4"));
    /* A leftover does not keep a file of its name from being made, even before the tree is read. */
    struct place_file crashed = begin("gate", 300, 2 * DAY_US, "copy.mp4", 100);
    close(crashed.fd);
    close(crashed.folder);
    file = begin("gate", 300, 2 * DAY_US, "copy.mp4", 7);
    struct place_file second;
    const struct place place = {.camera = "gate", .opened_us = 2 * DAY_US, .alert = 300};
    ck_assert_int_eq(place_create(&second, folder, &place, "copy.mp4", &err), -EEXIST);        /* it is being written */
    must(place_publish(&file, &err));
    place_close(&file);
    read_tree();
    ck_assert(tree.alerts[0].files == 2 && tree.bytes == 27);
}
END_TEST

START_TEST(more_files_than_are_locked_at_once)
{
    char name[32];
    for (int i = 0; i < 40; i++) {
        snprintf(name, sizeof name, "%d.jpg", i);
        close(make("gate", 300, 2 * DAY_US, name, 1));
    }
    read_tree();
    ck_assert_int_eq(tree.files, 40);
    must(evidence_tree_delete(&tree, 0, folder, &err));
    ck_assert(!is_there("/gate"));
}
END_TEST

START_TEST(no_link_is_followed)
{
    char outside[] = "/tmp/memaed-outside-XXXXXX", path[100];
    ck_assert_ptr_nonnull(mkdtemp(outside));
    snprintf(path, sizeof path, "%s/clip.mp4", outside);
    close(open(path, O_WRONLY | O_CREAT, 0600));
    close(make("gate", 300, 2 * DAY_US, "clip.mp4", 100));
    shell("cd evidence && ln -s %s gate/1970-01-03/301 && ln -s %s gate/1970-01-04 && ln -s %s yard", outside, outside, outside);
    shell("ln -s %s evidence/gate/1970-01-03/300/why.jpg", path);
    read_tree();
    ck_assert(tree.n == 1 && tree.alerts[0].files == 1 && tree.bytes == 100);
    must(evidence_tree_delete(&tree, 0, folder, &err));
    ck_assert_int_eq(access(path, F_OK), 0);
    ck_assert(!is_there("/gate/1970-01-03/300"));
    /* The folder of a known alert becomes a link. Nothing behind the link is deleted. */
    close(make("gate", 400, 2 * DAY_US, "clip.mp4", 100));
    read_tree();
    shell("cd evidence/gate/1970-01-03 && mv 400 400.moved && ln -s %s 400", outside);
    ck_assert_int_lt(evidence_tree_delete(&tree, 0, folder, &err), 0);
    ck_assert_int_eq(access(path, F_OK), 0);
    unlink(path);
    rmdir(outside);
}
END_TEST

START_TEST(other_names_are_left_alone)
{
    static const char *const others[] = {
        "evidence/gate/1970-01-03/12a", "evidence/gate/1970-01-03/012", "evidence/gate/1970-1-3/5", "evidence/gate/1970-01-03x/6",
        "evidence/gate/1970-01-03/9999999999999999999",
    };
    close(make("gate", 300, 2 * DAY_US, "clip.mp4", 100));
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        shell("mkdir -p %s && echo x > %s/clip.mp4", others[i], others[i]);
    read_tree();
    ck_assert(tree.n == 1 && tree.files == 1);
    must(evidence_tree_delete(&tree, 0, folder, &err));
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        ck_assert_int_eq(access(path_of("%s/clip.mp4", others[i]), F_OK), 0);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("evidence_tree");
    tcase_add_checked_fixture(tcase, make_folder, tear_down);
    tcase_add_test(tcase, there_may_be_nothing);
    tcase_add_test(tcase, alerts_come_in_order);
    tcase_add_test(tcase, an_alert_goes_with_its_empty_folders);
    tcase_add_test(tcase, a_file_that_is_being_written_stays);
    tcase_add_test(tcase, leftovers_of_a_crash_go);
    tcase_add_test(tcase, more_files_than_are_locked_at_once);
    tcase_add_test(tcase, no_link_is_followed);
    tcase_add_test(tcase, other_names_are_left_alone);
    Suite *suite = suite_create("evidence_tree");
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
