#include "core/utc.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { DAY_MS = 86400000 };

static const int64_t first_day = -719528, last_day = 2932896;       /* 0000-01-01, 9999-12-31 */

static int64_t divide_down(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* Turns days since 1970 into a date of the Gregorian calendar. Years count from 1 March of year 0, so that the leap day is
 * the last day of its year; 146,097 days are 400 years. */
static void date_of(int64_t days, int *year, int *month, int *day)
{
    days += 719468;
    int64_t era = divide_down(days, 146097);
    int of_era = (int)(days - era * 146097);
    int y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int of_year = of_era - (365 * y + y / 4 - y / 100);
    int m = (5 * of_year + 2) / 153;        /* from March: five months of 31, 30, 31, 30, 31 days have 153 */
    *day = of_year - (153 * m + 2) / 5 + 1;
    *month = m < 10 ? m + 3 : m - 9;
    *year = (int)(era * 400) + y + (*month <= 2);
}

void utc_format(char out[UTC_SIZE], int64_t us)
{
    int64_t ms = divide_down(us, 1000);
    int64_t days = divide_down(ms, DAY_MS);
    int of_day = (int)(ms - days * DAY_MS);
    if (days < first_day) {
        days = first_day;
        of_day = 0;
    } else if (days > last_day) {
        days = last_day;
        of_day = DAY_MS - 1;
    }
    int year, month, day;
    date_of(days, &year, &month, &day);
    char text[96];      /* the compiler warns of a shorter one: it assumes that each int may have 11 characters */
    snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", year, month, day, of_day / 3600000,
             of_day / 60000 % 60, of_day / 1000 % 60, of_day % 1000);
    memcpy(out, text, UTC_SIZE - 1);
    out[UTC_SIZE - 1] = '\0';
}

/* The days since 1970 of a date; the reverse of date_of(). */
static int64_t days_of(int year, int month, int day)
{
    int64_t y = year - (month <= 2);
    int64_t era = divide_down(y, 400), of_era = y - era * 400;
    int64_t of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

/* Reads n digits that make a number from min to max, and moves *text behind them. Returns false if they are not there. */
static bool take_digits(const char **text, int n, int min, int max, int *ret)
{
    int x = 0;
    for (int i = 0; i < n; i++, ++*text) {
        if (**text < '0' || **text > '9')
            return false;
        x = x * 10 + (**text - '0');
    }
    *ret = x;
    return x >= min && x <= max;
}

static bool take(const char **text, const char *one_of)
{
    if (!**text || !strchr(one_of, **text))
        return false;
    ++*text;
    return true;
}

static bool take_fraction(const char **text, int *us)
{
    *us = 0;
    if (!take(text, "."))
        return true;
    if (**text < '0' || **text > '9')
        return false;
    for (int unit = 100000; **text >= '0' && **text <= '9'; ++*text, unit /= 10)
        *us += (**text - '0') * unit;
    return true;
}

static bool take_offset(const char **text, int *minutes)
{
    *minutes = 0;
    if (take(text, "Zz"))
        return true;
    int sign = **text == '-' ? -1 : 1, hour, minute;
    if (!take(text, "+-") || !take_digits(text, 2, 0, 23, &hour) || !take(text, ":") || !take_digits(text, 2, 0, 59, &minute))
        return false;
    *minutes = sign * (hour * 60 + minute);
    return true;
}

int utc_parse(const char *text, int64_t *ret)
{
    int year, month, day, hour, minute, second, us, offset;
    bool ok = take_digits(&text, 4, 0, 9999, &year) && take(&text, "-") && take_digits(&text, 2, 1, 12, &month) &&
              take(&text, "-") && take_digits(&text, 2, 1, 31, &day) && take(&text, "Tt") &&
              take_digits(&text, 2, 0, 23, &hour) && take(&text, ":") && take_digits(&text, 2, 0, 59, &minute) &&
              take(&text, ":") && take_digits(&text, 2, 0, 60, &second) && take_fraction(&text, &us) &&
              take_offset(&text, &offset);
    if (!ok || *text)
        return -EINVAL;
    int64_t days = days_of(year, month, day);
    int same_year, same_month, same_day;
    date_of(days, &same_year, &same_month, &same_day);
    if (same_month != month)            /* the month has fewer days */
        return -EINVAL;
    *ret = ((days * 24 + hour) * 60 + minute - offset) * INT64_C(60000000) + second * INT64_C(1000000) + us;
    return 0;
}
