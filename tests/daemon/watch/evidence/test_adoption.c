/* Files of evidence without a row in the database: which of them get a row, and which are left alone. */
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/watch/evidence/adoption.h"
#include "daemon/watch/evidence/place.h"
#include "tests/io/database/state_folder.h"

#define DAY "1970-01-01"

static struct evidence_tree tree;
static int steps, added;

static void tear_down(void)
{
    evidence_tree_clear(&tree);
    remove_folder();
}

static void put_file(uint64_t alert, const char *name, const char *text)
{
    const struct place place = {.camera = "gate", .opened_us = (int64_t)alert * 1000, .alert = alert};
    char path[PLACE_PATH_SIZE];
    must(place_put(folder, &place, name, text, strlen(text), path, &err));
}

static void step(void *arg)
{
    ck_assert_ptr_eq(arg, &tree);
    steps++;
}

static void add(void *arg, const struct evidence_row *row)
{
    ck_assert_ptr_eq(arg, &tree);
    must(evidence_rows_add(database, row, &err));
    added++;
}

static void read_tree(void)
{
    evidence_tree_clear(&tree);
    must(evidence_tree_read(&tree, folder, NULL, NULL, &err));
}

static void go_on(struct adoption *adoption)
{
    must(database_begin(database, &err));
    must(adoption_step(adoption, &(struct adoption_options){.state_dir = folder, .database = database, .tree = &tree,
                                                            .step = step, .add = add, .arg = &tree}, &err));
    must(database_commit(database, &err));
}

/* Adopts files of alerts up to `last` in one step. Returns how many. */
static unsigned adopt(uint64_t last)
{
    struct adoption adoption = {.below = last + 1};
    steps = added = 0;
    read_tree();
    go_on(&adoption);
    ck_assert_uint_eq(adoption.below, 0);
    ck_assert_uint_eq(adoption.files, added);
    return adoption.files;
}

/* The row of that kind; NULL: there is none. */
static const struct evidence_row *row_of(uint64_t alert, enum evidence_kind kind)
{
    static struct evidence_row rows[EVIDENCE_KINDS];
    size_t n;
    must(evidence_rows_of(database, alert, rows, &n, &err));
    for (size_t i = 0; i < n; i++)
        if (rows[i].kind == kind)
            return &rows[i];
    return NULL;
}

START_TEST(files_without_a_row_get_one)
{
    struct stat file;
    put_alert(100, "gate", 200000);
    put_alert(101, "gate", 0);
    put_file(100, "clip.mp4", "a clip");
    put_file(101, "clip.mkv", "a clip, too");
    put_file(101, "snapshot.jpg", "a picture");
    put_file(101, "why.jpg", "why");
    put_file(101, "copy.mp4", "a copy");
    ck_assert_uint_eq(adopt(101), 5);
    ck_assert_int_eq(steps, 2);
    const struct evidence_row *row = row_of(100, EVIDENCE_CLIP);
    ck_assert_str_eq(row->path, "evidence/gate/" DAY "/100/clip.mp4");
    ck_assert_int_eq(row->bytes, 6);
    ck_assert_int_eq(stat(path_of("%s", row->path), &file), 0);
    ck_assert_int_eq(row->made_us, file.st_mtim.tv_sec * INT64_C(1000000) + file.st_mtim.tv_nsec / 1000);
    ck_assert(!*row->codec && !*row->codecs);
    ck_assert_str_eq(row_of(101, EVIDENCE_CLIP)->path, "evidence/gate/" DAY "/101/clip.mkv");
    ck_assert_int_eq(row_of(101, EVIDENCE_SNAPSHOT)->bytes, 9);
    ck_assert_int_eq(row_of(101, EVIDENCE_WHY)->bytes, 3);
    ck_assert_int_eq(row_of(101, EVIDENCE_COPY)->bytes, 6);
    ck_assert_uint_eq(adopt(101), 0);
}
END_TEST

/* A row that exists stays as it is, even if its file has another size or is gone. */
START_TEST(rows_stay)
{
    struct evidence_row row = {.alert = 100, .kind = EVIDENCE_CLIP, .path = "evidence/gate/" DAY "/100/clip.mp4", .bytes = 77,
                               .made_us = 5, .codec = "h264", .codecs = "avc1.64001f"};
    put_alert(100, "gate", 200000);
    must(evidence_rows_add(database, &row, &err));
    put_file(100, "clip.mp4", "a clip");
    put_file(100, "clip.mkv", "another");
    put_file(100, "why.jpg", "why");
    ck_assert_uint_eq(adopt(100), 1);
    ck_assert_ptr_nonnull(row_of(100, EVIDENCE_WHY));
    ck_assert_int_eq(row_of(100, EVIDENCE_CLIP)->bytes, 77);
    ck_assert_str_eq(row_of(100, EVIDENCE_CLIP)->codec, "h264");
    shell("rm evidence/gate/" DAY "/100/clip.*");
    ck_assert_uint_eq(adopt(100), 0);
    ck_assert_int_eq(row_of(100, EVIDENCE_CLIP)->bytes, 77);
}
END_TEST

static const struct evidence_row a_copy = {.alert = 100, .kind = EVIDENCE_COPY, .path = "evidence/gate/" DAY "/100/copy.mp4",
                                           .bytes = 6, .made_us = 5, .codec = "h264", .codecs = "avc1.64001f"};

/* The row of a copy is still in the store's queue while adoption looks. It is written before the row of the adoption. */
static void add_later(void *arg, const struct evidence_row *row)
{
    must(evidence_rows_add(database, &a_copy, &err));
    add(arg, row);
}

START_TEST(the_codec_of_a_row_that_comes_meanwhile_stays)
{
    struct adoption adoption = {.below = 101};
    put_alert(100, "gate", 200000);
    put_file(100, "copy.mp4", "a copy");
    read_tree();
    must(adoption_step(&adoption, &(struct adoption_options){.state_dir = folder, .database = database, .tree = &tree,
                                                             .step = step, .add = add_later, .arg = &tree}, &err));
    ck_assert_str_eq(row_of(100, EVIDENCE_COPY)->codec, "h264");
    ck_assert_str_eq(row_of(100, EVIDENCE_COPY)->codecs, "avc1.64001f");
}
END_TEST

/* The row of the adoption may also come first. */
START_TEST(a_codec_may_come_later)
{
    put_alert(100, "gate", 200000);
    put_file(100, "copy.mp4", "a copy");
    ck_assert_uint_eq(adopt(100), 1);
    ck_assert_str_eq(row_of(100, EVIDENCE_COPY)->codec, "");
    must(evidence_rows_add(database, &a_copy, &err));
    ck_assert_str_eq(row_of(100, EVIDENCE_COPY)->codec, "h264");
    ck_assert_int_eq(row_of(100, EVIDENCE_COPY)->made_us, 5);
}
END_TEST

START_TEST(one_clip_of_two)
{
    put_alert(100, "gate", 200000);
    put_file(100, "clip.mkv", "another");
    put_file(100, "clip.mp4", "a clip");
    ck_assert_uint_eq(adopt(100), 1);
    ck_assert_str_eq(row_of(100, EVIDENCE_CLIP)->path, "evidence/gate/" DAY "/100/clip.mp4");
}
END_TEST

/* The database does not know the alert of one file. The other file is of this run, and gets its row when it is complete. */
START_TEST(other_alerts_are_left_alone)
{
    put_alert(100, "gate", 200000);
    put_alert(102, "gate", 0);
    put_file(99, "clip.mp4", "a clip");
    put_file(102, "clip.mp4", "a clip");
    ck_assert_uint_eq(adopt(101), 0);
    ck_assert_int_eq(steps, 1);
    ck_assert_int_eq(access(path_of("evidence/gate/" DAY "/99/clip.mp4"), F_OK), 0);
}
END_TEST

START_TEST(other_names_are_left_alone)
{
    put_alert(100, "gate", 200000);
    put_file(100, "notes.txt", "a note");
    shell("cd evidence/gate/" DAY "/100 && touch clip.mp4.part clip.avi CLIP.MP4 && mkfifo why.jpg && mkdir snapshot.jpg");
    shell("cd evidence && mkdir -p gate/1970-01-02/100 yard/" DAY "/100 && "
          "touch gate/1970-01-02/100/clip.mp4 yard/" DAY "/100/clip.mp4");
    ck_assert_uint_eq(adopt(100), 0);
    ck_assert_int_eq(steps, 1);         /* one step for three folders of one alert */
    shell("test -p evidence/gate/" DAY "/100/why.jpg -a -f evidence/yard/" DAY "/100/clip.mp4");
}
END_TEST

START_TEST(no_link_is_followed)
{
    struct adoption adoption = {.below = 102};
    put_alert(100, "gate", 200000);
    put_alert(101, "gate", 200000);
    put_file(100, "why.jpg", "why");
    put_file(101, "clip.mp4", "a clip");
    shell("echo secret > outside && ln -s ../../../../outside evidence/gate/" DAY "/100/clip.mp4");
    read_tree();
    ck_assert_uint_eq(tree.n, 2);
    /* The folder becomes a link after it was read. */
    shell("mv evidence/gate/" DAY "/101 elsewhere && ln -s ../../../elsewhere evidence/gate/" DAY "/101");
    go_on(&adoption);
    ck_assert(adoption.below == 0 && adoption.files == 1);
    ck_assert_ptr_nonnull(row_of(100, EVIDENCE_WHY));
    ck_assert_ptr_null(row_of(100, EVIDENCE_CLIP));
    ck_assert_ptr_null(row_of(101, EVIDENCE_CLIP));
}
END_TEST

/* A process of the last run still writes a clip, and ends soon. Until then the clip's size is not final. */
START_TEST(a_file_that_is_being_written_is_waited_for)
{
    struct adoption adoption = {.below = 102};
    put_alert(100, "gate", 200000);
    put_alert(101, "gate", 200000);
    put_file(100, "clip.mp4", "a clip");
    put_file(101, "snapshot.jpg", "a picture");
    put_file(101, "clip.mp4", "a clip");
    int fd = open(path_of("evidence/gate/" DAY "/101/clip.mp4"), O_WRONLY | O_APPEND);
    ck_assert_int_eq(flock(fd, LOCK_EX), 0);
    read_tree();
    go_on(&adoption);
    ck_assert(adoption.below == 102 && adoption.files == 0);
    ck_assert_int_eq(write(fd, "!!", 2), 2);
    close(fd);
    go_on(&adoption);
    ck_assert(adoption.below == 0 && adoption.files == 3);
    ck_assert_int_eq(row_of(101, EVIDENCE_CLIP)->bytes, 8);
}
END_TEST

START_TEST(many_alerts_take_several_steps)
{
    enum { MANY = ADOPTION_ALERTS + 10 };
    struct adoption adoption = {.below = 1000 + MANY};
    must(database_begin(database, &err));
    for (uint64_t id = 1000; id < 1000 + MANY; id++) {
        struct alert_record alert = {.id = id, .camera = "gate", .opened_us = (int64_t)id * 1000, .closed_us = 2000000};
        must(alert_rows_put(database, &alert, &err));
    }
    must(database_commit(database, &err));
    shell("mkdir -p evidence/gate/" DAY " && cd evidence/gate/" DAY " && seq 1000 %d | xargs mkdir && "
          "for i in *; do echo why > $i/why.jpg; done", 1000 + MANY - 1);
    read_tree();
    go_on(&adoption);
    ck_assert(adoption.below == 1010 && adoption.files == ADOPTION_ALERTS);
    ck_assert_ptr_nonnull(row_of(1000 + MANY - 1, EVIDENCE_WHY));       /* the newest first */
    ck_assert_ptr_null(row_of(1009, EVIDENCE_WHY));
    go_on(&adoption);
    ck_assert(adoption.below == 0 && adoption.files == MANY);
}
END_TEST

START_TEST(there_may_be_nothing)
{
    struct adoption adoption = {.below = 1};
    ck_assert_uint_eq(adopt(0), 0);
    const struct adoption_options options = {.state_dir = "/nowhere/at/all", .database = database, .tree = &tree, .step = step,
                                             .add = add, .arg = &tree};
    ck_assert_int_eq(adoption_step(&adoption, &options, &err), -ENOENT);
    ck_assert_ptr_nonnull(strstr(err.text, "/nowhere/at/all"));
    ck_assert_uint_eq(adoption.below, 1);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("adoption");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, files_without_a_row_get_one);
    tcase_add_test(tcase, rows_stay);
    tcase_add_test(tcase, the_codec_of_a_row_that_comes_meanwhile_stays);
    tcase_add_test(tcase, a_codec_may_come_later);
    tcase_add_test(tcase, one_clip_of_two);
    tcase_add_test(tcase, other_alerts_are_left_alone);
    tcase_add_test(tcase, other_names_are_left_alone);
    tcase_add_test(tcase, no_link_is_followed);
    tcase_add_test(tcase, a_file_that_is_being_written_is_waited_for);
    tcase_add_test(tcase, many_alerts_take_several_steps);
    tcase_add_test(tcase, there_may_be_nothing);
    Suite *suite = suite_create("adoption");
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
