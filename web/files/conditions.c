#include "web/files/conditions.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#define DATE "%a, %d %b %Y %H:%M:%S GMT"        /* in the C locale, which memaed never leaves */

void web_format_date(char out[WEB_DATE_SIZE], int64_t utc_s)
{
    const int64_t last = 253402300799;          /* of the year 9999 */
    time_t time = (time_t)(utc_s < 0 ? 0 : utc_s > last ? last : utc_s);
    struct tm tm;
    gmtime_r(&time, &tm);
    strftime(out, WEB_DATE_SIZE, DATE, &tm);
}

int web_parse_date(const char *text, int64_t *ret)
{
    struct tm tm = {0};
    if (strlen(text) != WEB_DATE_SIZE - 1 || !strptime(text, DATE, &tm))
        return -EINVAL;
    char again[WEB_DATE_SIZE];
    int64_t seconds = timegm(&tm);
    web_format_date(again, seconds);
    if (strcmp(again, text) != 0)
        return -EINVAL;
    *ret = seconds;
    return 0;
}

/* Returns true if a list of tags, `"a", W/"b"`, has this one, or is "*". Weak tags match like strong ones. */
static bool list_has(const char *list, const char *etag)
{
    size_t size = strlen(etag);
    if (strcmp(list, "*") == 0)
        return true;
    for (;;) {
        list += strspn(list, " \t,");
        if (strncmp(list, "W/", 2) == 0)
            list += 2;
        if (*list != '"')
            return false;
        const char *end = strchr(list + 1, '"');
        if (!end)
            return false;
        if ((size_t)(end + 1 - list) == size && memcmp(list, etag, size) == 0)
            return true;
        list = end + 1;
    }
}

bool web_is_unmodified(const struct web_fields *fields, const struct web_version *version)
{
    int64_t since_s;
    if (fields->if_none_match)
        return list_has(fields->if_none_match, version->etag);
    return fields->if_modified_since && web_parse_date(fields->if_modified_since, &since_s) == 0 &&
           version->modified_s <= since_s;
}

bool web_may_range(const struct web_fields *fields, const struct web_version *version, int64_t now_s)
{
    int64_t since_s;
    if (!fields->if_range)
        return true;
    if (web_parse_date(fields->if_range, &since_s) == 0)
        return version->modified_s == since_s && now_s > since_s;
    return strcmp(fields->if_range, version->etag) == 0;
}
