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
