#include "core/utc.h"

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

static int64_t days_of(int year, int month, int day)
{
    int64_t y = year - (month <= 2);
    int64_t era = divide_down(y, 400);
    int64_t of_era = y - era * 400;
    int m = month > 2 ? month - 3 : month + 9;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + (153 * m + 2) / 5 + day - 1 - 719468;
}

/* Reads n digits, and c behind them (0: any), at *at. -1: they are not there. */
static int digits(const char **at, int n, char c)
{
    int x = 0;
    for (; n > 0; n--, ++*at) {
        if (**at < '0' || **at > '9')
            return -1;
        x = 10 * x + **at - '0';
    }
    if (c && *(*at)++ != c)
        return -1;
    return x;
}

int utc_parse(const char *text, int64_t *ret)
{
    const struct { int n; char end; int least, most; } parts[] = {
        {4, '-', 0, 9999}, {2, '-', 1, 12}, {2, 'T', 1, 31}, {2, ':', 0, 23}, {2, ':', 0, 59}, {2, 0, 0, 60},
    };
    int value[6], year, month, day;
    for (int i = 0; i < 6; i++) {
        value[i] = digits(&text, parts[i].n, parts[i].end);
        if (value[i] < parts[i].least || value[i] > parts[i].most)
            return -1;
    }
    int64_t us = 0, unit = 1000000;
    if (*text == '.') {
        const char *first = ++text;
        for (; *text >= '0' && *text <= '9'; text++)
            us += (*text - '0') * (unit /= 10);
        if (text == first)
            return -1;
    }
    if (strcmp(text, "Z") != 0)
        return -1;
    int64_t days = days_of(value[0], value[1], value[2]);
    date_of(days, &year, &month, &day);
    if (day != value[2])                /* 30 February is a day of March */
        return -1;
    *ret = ((days * 24 + value[3]) * 60 + value[4]) * 60 * 1000000 + (int64_t)value[5] * 1000000 + us;
    return 0;
}
