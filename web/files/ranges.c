#include "web/files/ranges.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

/* Reads digits and moves *text behind them. A number that does not fit becomes UINT64_MAX. false: there is no digit (*ret is
 * untouched). */
static bool take_number(const char **text, uint64_t *ret)
{
    const char *begin = *text;
    uint64_t x = 0;
    for (; **text >= '0' && **text <= '9'; ++*text) {
        uint64_t digit = (uint64_t)(**text - '0');
        x = x > (UINT64_MAX - digit) / 10 ? UINT64_MAX : x * 10 + digit;
    }
    if (*text == begin)
        return false;
    *ret = x;
    return true;
}

enum web_range web_parse_range(const char *text, uint64_t file_size, struct web_part *ret)
{
    static const char unit[] = "bytes=";
    uint64_t first = 0, last = UINT64_MAX;
    if (strncasecmp(text, unit, sizeof unit - 1) != 0)
        return WEB_RANGE_WHOLE;
    text += sizeof unit - 1;
    text += strspn(text, " \t");
    bool has_first = take_number(&text, &first);
    if (*text++ != '-')
        return WEB_RANGE_WHOLE;
    bool has_last = take_number(&text, &last);
    if (text[strspn(text, " \t")] != '\0' || (!has_first && !has_last) || (has_first && last < first))
        return WEB_RANGE_WHOLE;
    if (!has_first) {                   /* "-100": the last 100 bytes */
        if (last == 0)
            return WEB_RANGE_OUTSIDE;
        if (file_size == 0)
            return WEB_RANGE_WHOLE;     /* an empty file has no last byte, but is sent whole */
        first = last < file_size ? file_size - last : 0;
        last = file_size - 1;
    }
    if (first >= file_size)
        return WEB_RANGE_OUTSIDE;
    if (last >= file_size)
        last = file_size - 1;
    *ret = (struct web_part){first, last - first + 1};
    return WEB_RANGE_PART;
}
