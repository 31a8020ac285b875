/* libFuzzer target: Range, the conditions of requests for files, times of RFC 3339, and paths beneath a folder. The first 8 bytes
 * of the input are the file's size. Newlines cut the rest into the fields. Results obey the contracts in the C headers. */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/utc.h"
#include "io/base/beneath.h"
#include "web/files/conditions.h"
#include "web/files/ranges.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int holds)
{
    if (!holds)
        abort();
}

static void check_range(const char *text, uint64_t file_size)
{
    struct web_part part = {7, 7};
    enum web_range range = web_parse_range(text, file_size, &part);
    if (range == WEB_RANGE_PART)
        check(part.size >= 1 && part.first < file_size && part.size <= file_size - part.first);
    else
        check(part.first == 7 && part.size == 7);
}

static void check_date(const char *text)
{
    int64_t s = 0, us = 0, again_us = 0;
    char again[WEB_DATE_SIZE], utc[UTC_SIZE];
    if (web_parse_date(text, &s) == 0) {
        web_format_date(again, s);
        check(strcmp(again, text) == 0);
    }
    if (utc_parse(text, &us) == 0) {
        utc_format(utc, us);
        check(utc_parse(utc, &again_us) != 0 || (again_us <= us && us - again_us < 1000));
    }
}

static void check_beneath(const char *path)
{
    int folder = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);       /* it holds links alone */
    for (int stepwise = 0; stepwise < 2; stepwise++) {
        int fd = (stepwise ? beneath_open_stepwise : beneath_open)(folder, path, O_RDONLY | O_NONBLOCK);
        check(fd < 0);
    }
    if (folder >= 0)
        close(folder);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t file_size = 0;
    if (size >= sizeof file_size) {
        memcpy(&file_size, data, sizeof file_size);
        data += sizeof file_size;
        size -= sizeof file_size;
    }
    char *text = malloc(size + 1);
    if (!text)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    char *fields[5] = {NULL}, *rest = text;
    for (size_t i = 0; i < 5 && rest; i++)
        fields[i] = strsep(&rest, "\n");
    for (size_t i = 0; i < 5 && fields[i]; i++) {
        check_range(fields[i], file_size);
        check_date(fields[i]);
        check_beneath(fields[i]);
    }
    const struct web_fields request = {fields[0], fields[1], fields[2], fields[3], NULL};
    const struct web_version version = {fields[4] ? fields[4] : "\"a-1\"", (int64_t)file_size >> 16};
    web_is_unmodified(&request, &version);
    check(request.if_range || web_may_range(&request, &version, 0));
    free(text);
    return 0;
}
