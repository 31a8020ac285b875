/* Safetensors files: reading, the faults that are refused, and writing. */
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/model/safetensors.h"
#include "tests/suite.h"

/* A file in memory: the length of the header (the true or a given one), the header, and size bytes of data, which count up. */
struct bytes {
    unsigned char *data;
    size_t size;
};

static struct bytes build_length(const char *header, size_t header_size, uint64_t length, size_t size)
{
    struct bytes b = {malloc(8 + header_size + size), 8 + header_size + size};
    for (int i = 0; i < 8; i++)
        b.data[i] = (unsigned char)(length >> 8 * i);
    memcpy(b.data + 8, header, header_size);
    for (size_t i = 0; i < size; i++)
        b.data[8 + header_size + i] = (unsigned char)i;
    return b;
}

static struct bytes build(const char *header, size_t size)
{
    return build_length(header, strlen(header), strlen(header), size);
}

/* Opening must fail with one line that begins with the file's name and contains what. */
static void refuse(struct bytes b, const char *what)
{
    struct safetensors *file = (void *)-1;
    struct error err = {""};
    int r = safetensors_open_memory(&file, b.data, b.size, "x.safetensors", &err);
    ck_assert_msg(r == -EINVAL, "%d where %s was to be refused", r, what);
    ck_assert_ptr_eq(file, (void *)-1);
    ck_assert_msg(strncmp(err.text, "x.safetensors: ", 15) == 0 && strstr(err.text, what) && !strchr(err.text, '\n'),
                  "\"%s\" does not say \"%s\"", err.text, what);
    ck_assert_int_eq(safetensors_open_memory(&file, b.data, b.size, "x.safetensors", NULL), -EINVAL);
    free(b.data);
}

static void refuse_header(const char *header, size_t size, const char *what)
{
    refuse(build(header, size), what);
}

static struct safetensors *accept(struct bytes b)
{
    struct safetensors *file = NULL;
    struct error err = {""};
    int r = safetensors_open_memory(&file, b.data, b.size, "x.safetensors", &err);
    ck_assert_msg(r == 0, "%s", err.text);
    return file;
}

#define A "\"a\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]}"
#define B "\"b\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[24,32]}"
#define C "\"c\":{\"dtype\":\"F32\",\"shape\":[0,7],\"data_offsets\":[24,24]}"
#define M "\"__metadata__\":{\"format\":\"memae\",\"k\":\"v\"}"

START_TEST(reads)
{
    static const char *const orders[] = {"{" M "," A "," B "," C "}   ", "{" C "," B "," A "," M "}",
                                         "{" B "," M "," A "," C "}  "};
    for (int o = 0; o < 3; o++) {
        struct bytes b = build(orders[o], 32);
        struct safetensors *file = accept(b);
        ck_assert_uint_eq(safetensors_count(file), 3);
        const struct safetensors_tensor *t = safetensors_at(file, 0);
        ck_assert_str_eq(t->name, "a");
        ck_assert_int_eq(t->dtype, SAFETENSORS_F32);
        ck_assert_int_eq(t->ndim, 2);
        ck_assert_uint_eq(t->shape[0], 2);
        ck_assert_uint_eq(t->shape[1], 3);
        ck_assert_uint_eq(t->n, 6);
        ck_assert_uint_eq(t->size_bytes, 24);
        ck_assert_int_eq(t->data[5], 5);
        ck_assert_str_eq(safetensors_at(file, 1)->name, "c");
        ck_assert_uint_eq(safetensors_at(file, 1)->n, 0);
        t = safetensors_find(file, "b");
        ck_assert_ptr_eq(t, safetensors_at(file, 2));
        ck_assert_int_eq(t->dtype, SAFETENSORS_I64);
        ck_assert_int_eq(t->ndim, 0);
        ck_assert_uint_eq(t->n, 1);
        ck_assert_int_eq(t->data[0], 24);
        ck_assert_ptr_null(safetensors_find(file, "d"));
        ck_assert_ptr_null(safetensors_find(file, "__metadata__"));
        ck_assert_str_eq(safetensors_metadata(file, "k"), "v");
        ck_assert_ptr_null(safetensors_metadata(file, "a"));
        safetensors_close(file);
        free(b.data);
    }
    struct bytes b = build("{}", 0);
    struct safetensors *file = accept(b);
    ck_assert_uint_eq(safetensors_count(file), 0);
    ck_assert_ptr_null(safetensors_find(file, "a"));
    ck_assert_ptr_null(safetensors_metadata(file, "k"));
    safetensors_close(file);
    free(b.data);
    safetensors_close(NULL);
}
END_TEST

START_TEST(refuses_lengths)
{
    static const char good[] = "{" A "}";
    refuse(build_length("", 0, 0, 0), "expected a header length of 2 to 16777216 bytes, got 0");
    refuse(build_length(good, strlen(good), 0, 24), ", got 0");
    refuse(build_length(good, strlen(good), 1, 24), ", got 1");
    refuse(build_length(good, strlen(good), UINT64_MAX, 24), ", got 18446744073709551615");
    refuse(build_length(good, strlen(good), UINT64_MAX - 7, 24), ", got 18446744073709551608");
    refuse(build_length(good, strlen(good), SAFETENSORS_MAX_HEADER + 1, 24), ", got 16777217");
    refuse(build_length(good, strlen(good), SAFETENSORS_MAX_HEADER, 24), "cut short: expected a header of 16777216 bytes");
    refuse(build_length(good, strlen(good), strlen(good) - 1, 24), "header: ");
    refuse(build_length(good, strlen(good), strlen(good) + 1, 24), "header: ");
    refuse(build_length(good, strlen(good), strlen(good) + 25, 24), "cut short");
}
END_TEST

/* A header of the largest allowed size, padded with spaces, is read. */
START_TEST(reads_longest_header)
{
    char *header = malloc(SAFETENSORS_MAX_HEADER);
    memset(header, ' ', SAFETENSORS_MAX_HEADER);
    memcpy(header, "{" A "}", strlen("{" A "}"));
    struct bytes b = build_length(header, SAFETENSORS_MAX_HEADER, SAFETENSORS_MAX_HEADER, 24);
    safetensors_close(accept(b));
    free(b.data);
    free(header);
}
END_TEST

START_TEST(refuses_every_truncation)
{
    struct bytes b = build("{" M "," A "," B "}  ", 32);
    safetensors_close(accept(b));
    for (size_t size = 0; size < b.size; size++) {
        struct bytes cut = {malloc(size ? size : 1),
                            size};     /* a block of its own, so that the sanitizer sees a read beyond it */
        memcpy(cut.data, b.data, size);
        refuse(cut, size < 8 ? "expected 8 bytes of header length" : size < b.size - 32 ? "cut short" : "data_offsets");
    }
    struct bytes longer = {calloc(1, b.size + 1), b.size + 1};
    memcpy(longer.data, b.data, b.size);
    refuse(longer, "expected 32 bytes of data, got 33");
    free(b.data);
}
END_TEST

START_TEST(refuses_json)
{
    refuse_header("[]", 0, "expected a header that begins with {");
    refuse_header(" {}", 0, "expected a header that begins with {");
    refuse_header("{" A "", 24, "header: ");
    refuse_header("{" A "} x", 24, "header: ");
    refuse_header("{" A "," A "}", 24, "duplicate object key");
    refuse_header("{" M "," M "}", 0, "duplicate object key");
    refuse_header("{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]}}", 4, "duplicate");
    refuse_header("{\"\xff\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]}}", 4, "header: ");
    refuse_header("{\"a\nb\":1}", 0, "header: ");
    refuse_header("{\"\\u0000\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]}}", 4, "header: ");
    refuse(build_length("{}\0\0", 4, 4, 0), "header: ");
    refuse_header("{\"a\":99999999999999999999999}", 0, "header: ");
    refuse_header("{\"__metadata__\":[]}", 0, "__metadata__: expected an object");
    refuse_header("{\"__metadata__\":{\"k\":1}}", 0, "__metadata__: k: expected a string");

    enum { DEPTH = 1 << 20 };
    char *deep = malloc(6 + DEPTH);
    memset(deep, '[', 6 + DEPTH);
    memcpy(deep, "{\"a\":", 5);
    refuse(build_length(deep, 5 + DEPTH, 5 + DEPTH, 0), "depth");
    free(deep);
}
END_TEST

#define ENTRY(dtype, shape, offsets) "{\"a\":{\"dtype\":" dtype ",\"shape\":" shape ",\"data_offsets\":" offsets "}}"

START_TEST(refuses_entries)
{
    static const char keys[] = "a: expected an object with the keys dtype, shape, data_offsets";
    refuse_header("{\"a\":1}", 0, keys);
    refuse_header("{\"a\":{\"dtype\":\"F32\",\"shape\":[]}}", 0, keys);
    refuse_header("{\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4],\"x\":1}}", 4, keys);
    refuse_header(ENTRY("1", "[]", "[0,4]"), 4, keys);
    refuse_header(ENTRY("\"F16\"", "[2]", "[0,4]"), 4, "a: expected dtype F32 or I64, got F16");
    refuse_header(ENTRY("\"f32\"", "[1]", "[0,4]"), 4, "got f32");
    refuse_header(ENTRY("\"F32\"", "[-1]", "[0,4]"), 4, "a: shape: expected integers of 0 or more");
    refuse_header(ENTRY("\"F32\"", "[1.0]", "[0,4]"), 4, "a: shape: expected integers");
    refuse_header(ENTRY("\"F32\"", "[\"1\"]", "[0,4]"), 4, "a: shape: expected integers");
    refuse_header(ENTRY("\"F32\"", "[1,1,1,1,1,1,1,1,1]", "[0,4]"), 4, "a: expected at most 8 axes, got 9");
    refuse_header(ENTRY("\"F32\"", "[4611686018427387904]", "[0,0]"), 0, "more bytes than can be counted");
    refuse_header(ENTRY("\"F32\"", "[4294967296,4294967296]", "[0,0]"), 0, "more bytes than can be counted");
    refuse_header(ENTRY("\"F32\"", "[4294967296,4294967297,0]", "[0,0]"), 0, "more bytes than can be counted");
    refuse_header(ENTRY("\"F32\"", "[2,3]", "[0,20]"), 20, "a: expected 24 bytes for F32 [2, 3], got 20");
    refuse_header(ENTRY("\"I64\"", "[]", "[0,4]"), 4, "a: expected 8 bytes for I64 [], got 4");
    refuse_header(ENTRY("\"F32\"", "[1]", "[0]"), 4, "a: data_offsets: expected [begin, end]");
    refuse_header(ENTRY("\"F32\"", "[1]", "[0,4,4]"), 4, "a: data_offsets: expected [begin, end]");
    refuse_header(ENTRY("\"F32\"", "[1]", "[-4,0]"), 4, "a: data_offsets: expected integers");
    refuse_header(ENTRY("\"F32\"", "[1]", "[4,0]"), 4, "got [4, 0]");
    refuse_header(ENTRY("\"F32\"", "[1]", "[0,8]"), 4, "expected a place within the file's 4 bytes of data, got [0, 8]");
    refuse_header(ENTRY("\"F32\"", "[1]", "[9223372036854775804,9223372036854775807]"), 4, "within the file's 4 bytes");
    refuse_header("{\"a\\n\\u001b[2J\":1}", 0, "a??[2J: ");
}
END_TEST

#define AT(name, begin, end) "\"" name "\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[" #begin "," #end "]}"

START_TEST(refuses_cover)
{
    refuse_header("{" AT("a", 0, 8) "," AT("b", 4, 12) "}", 12,
                  "b: expected data from byte 8 on, got data from byte 4 on: it overlaps a");
    refuse_header("{" AT("b", 4, 12) "," AT("a", 0, 8) "}", 12, "it overlaps a");
    refuse_header("{" AT("a", 0, 8) "," AT("b", 0, 8) "}", 8, "overlaps");
    refuse_header("{" AT("a", 0, 8) "," AT("b", 12, 20) "}", 20,
                  "b: expected data from byte 8 on, got data from byte 12 on: no tensor");
    refuse_header("{" AT("a", 4, 12) "}", 12, "a: expected data from byte 0 on, got data from byte 4");
    refuse_header("{" AT("a", 0, 8) "}", 16, "expected 8 bytes of data, got 16");
    refuse_header("{}", 4, "expected 0 bytes of data, got 4");
    refuse_header("{" AT("a", 0, 8) ",\"z\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[4,4]}}", 8,
                  "z: expected data from byte 8");
}
END_TEST

/* ---- files -------------------------------------------------------------------------------------------------------- */

static char folder[64], path[96];

static void make_folder(void)
{
    strcpy(folder, "/tmp/test_safetensors.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/x.safetensors", folder);
}

static void remove_folder(void)
{
    unlink(path);
    ck_assert_int_eq(rmdir(folder), 0);         /* rmdir() fails if a temporary file is left */
}

static size_t read_file(unsigned char *out, size_t size)
{
    FILE *f = fopen(path, "rb");
    ck_assert_ptr_nonnull(f);
    size_t n = fread(out, 1, size, f);
    fclose(f);
    return n;
}

static const float data[] = {1, -2.5f, 3e-38f, 4, 5, 6, 7};
static const struct safetensors_output outputs[] = {
    {.name = "w", .ndim = 2, .shape = {2, 3}, .data = data},
    {.name = "empty", .ndim = 1, .shape = {0}, .data = data},
    {.name = "scalar", .ndim = 0, .data = data + 6},
};
static const char *const metadata[][2] = {{"format", "memae"}, {"note", "a \"quoted\"\n line, λ"}};

START_TEST(writes)
{
    static unsigned char first[4096], second[4096];
    struct error err = {""};
    for (int round = 0; round < 2; round++)     /* the second file replaces the first */
        ck_assert_int_eq(safetensors_write(path, outputs, 3, metadata, 2, &err), 0);
    size_t size = read_file(first, sizeof first);
    ck_assert_uint_eq(size % 4, 0);
    uint64_t length;
    memcpy(&length, first, 8);
    ck_assert_uint_eq((8 + length) % 8, 0);
    ck_assert_uint_eq(size, 8 + length + sizeof data);
    ck_assert_int_eq(first[8], '{');
    ck_assert_mem_eq(first + 8 + length, data, sizeof data);

    struct safetensors *file;
    ck_assert_msg(safetensors_open(&file, path, &err) == 0, "%s", err.text);
    ck_assert_uint_eq(safetensors_count(file), 3);
    const struct safetensors_tensor *t = safetensors_find(file, "w");
    ck_assert_int_eq(t->ndim, 2);
    ck_assert_uint_eq(t->shape[1], 3);
    ck_assert_mem_eq(t->data, data, 24);
    ck_assert_uint_eq(safetensors_find(file, "empty")->n, 0);
    ck_assert_mem_eq(safetensors_find(file, "scalar")->data, data + 6, 4);
    ck_assert_str_eq(safetensors_metadata(file, "note"), metadata[1][1]);
    safetensors_close(file);

    ck_assert_int_eq(safetensors_write(path, outputs, 3, metadata, 2, NULL), 0);
    ck_assert_uint_eq(read_file(second, sizeof second), size);
    ck_assert_mem_eq(first, second, size);
    struct stat st;
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_int_eq(st.st_mode & 0111, 0);
}
END_TEST

static void refuse_write(const struct safetensors_output *tensors, size_t n, const char *const (*pairs)[2], size_t n_pairs,
                         const char *what)
{
    struct error err = {""};
    ck_assert_int_eq(safetensors_write(path, tensors, n, pairs, n_pairs, &err), -EINVAL);
    ck_assert_msg(strstr(err.text, what) && strstr(err.text, path), "\"%s\" does not say \"%s\"", err.text, what);
    ck_assert_int_eq(access(path, F_OK), -1);
}

START_TEST(refuses_to_write)
{
    const struct safetensors_output twice[] = {outputs[0], outputs[0]};
    const struct safetensors_output reserved = {.name = "__metadata__", .ndim = 0, .data = data};
    const struct safetensors_output binary = {.name = "\xff", .ndim = 0, .data = data};
    const struct safetensors_output huge = {.name = "h", .ndim = 2, .shape = {SIZE_MAX / 2, 3}, .data = data};
    const struct safetensors_output large = {.name = "h", .ndim = 1, .shape = {SIZE_MAX / 8}, .data = data};
    const struct safetensors_output sum[] = {large, {.name = "i", .ndim = 1, .shape = {SIZE_MAX / 8}, .data = data}};
    const struct safetensors_output axes = {.name = "h", .ndim = 9, .data = data};
    const char *const pairs[][2] = {{"k", "v"}, {"k", "w"}}, *const no_text[][2] = {{"k", "\xff"}};
    refuse_write(twice, 2, metadata, 2, "w: expected once, got twice");
    refuse_write(&reserved, 1, metadata, 2, "__metadata__: expected once, got twice");
    refuse_write(&binary, 1, metadata, 2, "UTF-8");
    refuse_write(&huge, 1, metadata, 2, "h: shape: expected at most 8 axes and fewer than 2^63 bytes");
    refuse_write(sum, 2, metadata, 2, "i: shape: expected at most 8 axes and fewer than 2^63 bytes");
    refuse_write(&axes, 1, metadata, 2, "h: shape: expected at most 8 axes and fewer than 2^63 bytes");
    refuse_write(outputs, 3, pairs, 2, "k: expected once, got twice");
    refuse_write(outputs, 3, no_text, 1, "k: expected UTF-8 text");

    char *text = malloc(SAFETENSORS_MAX_HEADER + 1);
    memset(text, 'x', SAFETENSORS_MAX_HEADER);
    text[SAFETENSORS_MAX_HEADER] = '\0';
    const char *const long_pairs[][2] = {{"k", text}};
    refuse_write(outputs, 3, long_pairs, 1, "expected a header of at most 16777216 bytes");
    free(text);
}
END_TEST

/* After a failure the old file is there, and no temporary file. */
START_TEST(fails_whole)
{
    static unsigned char before[4096], after[4096];
    struct error err = {""};
    ck_assert_int_eq(safetensors_write(path, outputs, 3, metadata, 2, &err), 0);
    size_t size = read_file(before, sizeof before);
    const struct safetensors_output unreadable = {.name = "u", .ndim = 1, .shape = {1 << 20}, .data = NULL};
    ck_assert_int_eq(safetensors_write(path, &unreadable, 1, metadata, 2, &err), -EFAULT);
    ck_assert_ptr_nonnull(strstr(err.text, path));
    ck_assert_uint_eq(read_file(after, sizeof after), size);
    ck_assert_mem_eq(before, after, size);

    char beneath[128];
    snprintf(beneath, sizeof beneath, "%s/none/x.safetensors", folder);
    ck_assert_int_eq(safetensors_write(beneath, outputs, 3, metadata, 2, &err), -ENOENT);
    ck_assert_ptr_nonnull(strstr(err.text, "No such file"));
    ck_assert_int_eq(safetensors_write(folder, outputs, 3, metadata, 2, &err), -EISDIR);
}
END_TEST

START_TEST(opens_files_only)
{
    struct safetensors *file;
    struct error err = {""};
    ck_assert_int_eq(safetensors_open(&file, path, &err), -ENOENT);
    ck_assert_ptr_nonnull(strstr(err.text, path));
    ck_assert_int_eq(safetensors_open(&file, folder, &err), -EISDIR);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    ck_assert_int_eq(safetensors_open(&file, path, &err), -EINVAL);     /* it does not wait for a writer */
    ck_assert_ptr_nonnull(strstr(err.text, "expected a regular file"));
    ck_assert_ptr_nonnull(strstr(err.text, path));
    unlink(path);
    close(open(path, O_CREAT | O_WRONLY, 0600));
    ck_assert_int_eq(safetensors_open(&file, path, &err), -EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "empty"));
}
END_TEST

START_TEST(prints_shapes)
{
    const size_t shape[] = {6, 1, 3, 3, 18446744073709551615u};
    char out[64];
    ck_assert_str_eq(safetensors_shape(out, sizeof out, shape, 5), "[6, 1, 3, 3, 18446744073709551615]");
    ck_assert_str_eq(safetensors_shape(out, sizeof out, shape, 1), "[6]");
    ck_assert_str_eq(safetensors_shape(out, sizeof out, shape, 0), "[]");
    ck_assert_str_eq(safetensors_shape(out, 6, shape, 5), "[6, 1");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("safetensors");
    TCase *memory = tcase_create("memory"), *files = tcase_create("files");
    tcase_add_test(memory, reads);
    tcase_add_test(memory, reads_longest_header);
    tcase_add_test(memory, refuses_lengths);
    tcase_add_test(memory, refuses_every_truncation);
    tcase_add_test(memory, refuses_json);
    tcase_add_test(memory, refuses_entries);
    tcase_add_test(memory, refuses_cover);
    tcase_add_test(memory, prints_shapes);
    tcase_add_checked_fixture(files, make_folder, remove_folder);
    tcase_add_test(files, writes);
    tcase_add_test(files, refuses_to_write);
    tcase_add_test(files, fails_whole);
    tcase_add_test(files, opens_files_only);
    suite_add_tcase(suite, memory);
    suite_add_tcase(suite, files);
    return suite_run(suite);
}
