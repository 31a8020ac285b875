#include "core/zones/polygon.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#define LEAST_AREA 1e-6         /* of the picture */
/* An overlap of less than this share of a sample's width does not count, because coordinates are floats. */
#define SLACK 1e-3

/* Returns twice the area of the triangle a, b, c; > 0 if it turns right on the screen. */
static double turn(struct point a, struct point b, struct point c)
{
    return ((double)b.x - (double)a.x) * ((double)c.y - (double)a.y) - ((double)b.y - (double)a.y) * ((double)c.x - (double)a.x);
}

static int sign(double x)
{
    return (x > 0) - (x < 0);
}

/* p lies on the line through a and b. Returns true if it lies between them, or on one of them. */
static bool is_between(struct point a, struct point b, struct point p)
{
    return p.x >= fminf(a.x, b.x) && p.x <= fmaxf(a.x, b.x) && p.y >= fminf(a.y, b.y) && p.y <= fmaxf(a.y, b.y);
}

static bool sides_meet(struct point a, struct point b, struct point c, struct point d)
{
    int c_of = sign(turn(a, b, c)), d_of = sign(turn(a, b, d)), a_of = sign(turn(c, d, a)), b_of = sign(turn(c, d, b));
    if (c_of * d_of < 0 && a_of * b_of < 0)
        return true;
    return (c_of == 0 && is_between(a, b, c)) || (d_of == 0 && is_between(a, b, d)) ||
           (a_of == 0 && is_between(c, d, a)) || (b_of == 0 && is_between(c, d, b));
}

/* Returns true if the sides ab and bc go back over each other. */
static bool turns_back(struct point a, struct point b, struct point c)
{
    double along = ((double)a.x - (double)b.x) * ((double)c.x - (double)b.x) +
                   ((double)a.y - (double)b.y) * ((double)c.y - (double)b.y);
    return turn(a, b, c) == 0 && along > 0;
}

static double area(const double (*points)[2], int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++) {
        const double *a = points[i], *b = points[(i + 1) % n];
        sum += a[0] * b[1] - b[0] * a[1];
    }
    return fabs(sum) / 2;
}

static int check_points(const struct polygon *p, struct error *err)
{
    if (p->n < POLYGON_POINTS_LEAST || p->n > POLYGON_POINTS_MOST)
        return error_set(err, -EINVAL, "expected %d to %d points, got %d", POLYGON_POINTS_LEAST, POLYGON_POINTS_MOST, p->n);
    for (int i = 0; i < p->n; i++) {
        struct point at = p->points[i];
        if (!(at.x >= 0 && at.x <= 1 && at.y >= 0 && at.y <= 1))
            return error_set(err, -EINVAL, "expected coordinates from 0 to 1, got [%g, %g] as point %d", (double)at.x,
                             (double)at.y, i + 1);
        for (int j = 0; j < i; j++)
            if (at.x == p->points[j].x && at.y == p->points[j].y)
                return error_set(err, -EINVAL, "expected points that differ, got [%g, %g] as points %d and %d", (double)at.x,
                                 (double)at.y, j + 1, i + 1);
    }
    return 0;
}

int polygon_check(const struct polygon *p, struct error *err)
{
    int r = check_points(p, err), n = p->n;
    if (r < 0)
        return r;
    double points[POLYGON_POINTS_MOST][2];
    for (int i = 0; i < n; i++) {
        points[i][0] = (double)p->points[i].x;
        points[i][1] = (double)p->points[i].y;
    }
    bool no_area = area(points, n) < LEAST_AREA;
    if (no_area && n == POLYGON_POINTS_LEAST)
        return error_set(err, -EINVAL, "expected an area, got points on one line");
    for (int i = 0; i < n; i++) {
        if (turns_back(p->points[i], p->points[(i + 1) % n], p->points[(i + 2) % n]))
            return error_set(err, -EINVAL, "expected sides that do not cross or touch, got side %d, which goes back over side %d",
                             (i + 1) % n + 1, i + 1);
        for (int j = i + 2; j < n; j++)
            if ((j + 1) % n != i && sides_meet(p->points[i], p->points[i + 1], p->points[j], p->points[(j + 1) % n]))
                return error_set(err, -EINVAL, "expected sides that do not cross or touch, got sides %d and %d, which do", i + 1,
                                 j + 1);
    }
    return no_area ? error_set(err, -EINVAL, "expected an area, got next to none") : 0;
}

bool polygon_contains(const struct polygon *p, float x, float y)
{
    bool inside = false;
    for (int i = 0; i < p->n; i++) {
        struct point a = p->points[i], b = p->points[(i + 1) % p->n];
        if ((a.y > y) == (b.y > y))
            continue;
        double at = (double)a.x + ((double)y - (double)a.y) * ((double)b.x - (double)a.x) / ((double)b.y - (double)a.y);
        inside ^= (double)x < at;
    }
    return inside;
}

/* Cuts off what is beyond `limit` on an axis (Sutherland and Hodgman, CACM 1974). `side` 1 keeps what is above the limit, -1
 * what is below. A concave polygon keeps sides that run to and fro on the limit, which add no area. Returns the number of
 * points, at most n + n / 2. More appear only where sides cross the limit, and each two of those cut a point off. */
static int cut(double (*to)[2], const double (*from)[2], int n, int axis, double limit, int side)
{
    int m = 0;
    for (int i = 0; i < n; i++) {
        const double *a = from[i], *b = from[(i + 1) % n];
        bool a_in = side * (a[axis] - limit) >= 0, b_in = side * (b[axis] - limit) >= 0;
        if (a_in)
            memcpy(to[m++], a, sizeof to[0]);
        if (a_in != b_in) {
            double t = (limit - a[axis]) / (b[axis] - a[axis]);
            to[m][axis] = limit;
            to[m][!axis] = a[!axis] + t * (b[!axis] - a[!axis]);
            m++;
        }
    }
    return m;
}

double polygon_share(const struct polygon *p, double x, double y, double width, double height)
{
    /* A cut makes at most half as many points more: 32 become 162. */
    double one[6 * POLYGON_POINTS_MOST][2], other[6 * POLYGON_POINTS_MOST][2];
    int n = p->n;
    for (int i = 0; i < n; i++) {
        one[i][0] = (double)p->points[i].x;
        one[i][1] = (double)p->points[i].y;
    }
    n = cut(other, one, n, 0, x, 1);
    n = cut(one, other, n, 0, x + width, -1);
    n = cut(other, one, n, 1, y, 1);
    n = cut(one, other, n, 1, y + height, -1);
    return fmin(area(one, n) / (width * height), 1);
}

/* Writes value to the samples of a row that overlap `from` … `to`, in samples. */
static void fill_between(uint8_t *row, int columns, double from, double to, uint8_t value)
{
    int first = (int)fmax(floor(from + SLACK), 0), end = (int)fmin(ceil(to - SLACK), columns);
    if (first < end)
        memset(row + first, value, (size_t)(end - first));
}

/* Fills what lies between sides on the line through the middle of row r. */
static void fill_inside(const double (*points)[2], int n, uint8_t *row, int columns, int r, uint8_t value)
{
    double at[POLYGON_POINTS_MOST], y = r + 0.5;
    int m = 0;
    for (int i = 0; i < n; i++) {
        const double *a = points[i], *b = points[(i + 1) % n];
        if ((a[1] > y) == (b[1] > y))
            continue;
        double x = a[0] + (y - a[1]) * (b[0] - a[0]) / (b[1] - a[1]);
        int k = m++;
        for (; k > 0 && at[k - 1] > x; k--)
            at[k] = at[k - 1];
        at[k] = x;
    }
    for (int i = 0; i + 1 < m; i += 2)
        fill_between(row, columns, at[i], at[i + 1], value);
}

/* Fills the samples that a side passes through in row r. */
static void fill_side(const double *a, const double *b, uint8_t *row, int columns, int r, uint8_t value)
{
    if (a[1] > b[1]) {
        const double *swap = a;
        a = b;
        b = swap;
    }
    double top = fmax(a[1], r), bottom = fmin(b[1], r + 1), slope = b[1] > a[1] ? (b[0] - a[0]) / (b[1] - a[1]) : 0;
    if (bottom < top || fmin(b[1] - r, r + 1 - a[1]) <= SLACK)
        return;                 /* the side passes the row by, or only touches it */
    double from = b[1] > a[1] ? a[0] + (top - a[1]) * slope : a[0], to = b[1] > a[1] ? a[0] + (bottom - a[1]) * slope : b[0];
    fill_between(row, columns, fmin(from, to), fmax(from, to), value);
}

void polygon_fill(const struct polygon *p, const struct polygon_plane *plane, uint8_t value)
{
    double points[POLYGON_POINTS_MOST][2], least = INFINITY, most = -INFINITY;
    int columns = (plane->width + plane->step_x - 1) / plane->step_x, rows = (plane->height + plane->step_y - 1) / plane->step_y;
    for (int i = 0; i < p->n; i++) {
        points[i][0] = (double)p->points[i].x * plane->width / plane->step_x;
        points[i][1] = (double)p->points[i].y * plane->height / plane->step_y;
        least = fmin(least, points[i][1]);
        most = fmax(most, points[i][1]);
    }
    for (int r = (int)least; r < rows && r < most; r++) {
        uint8_t *row = plane->samples + r * plane->stride;
        fill_inside(points, p->n, row, columns, r, value);
        for (int i = 0; i < p->n; i++)
            fill_side(points[i], points[(i + 1) % p->n], row, columns, r, value);
    }
}
