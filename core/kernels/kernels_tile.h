/* The part of core/kernels/kernels_body.h that works on whole vector registers: the register tiles of row_products() and
 * outer_products(), and the transposition of add_columns(). Included by that file alone, once per instruction set. */

/* One vector register. */
typedef float vector __attribute__((vector_size(VECTOR * sizeof(float)), aligned(sizeof(float)), may_alias));
enum { PER_PANEL = KERNEL_PANEL / VECTOR };

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 16")

INLINE vector load(const float *p)
{
    return *(const vector *)p;
}

/* sum[r][panel] += Σ over i < count of rows[r][i*a_step] * b[i*b_step + panel]. next: rows whose `count` floats it prefetches
 * meanwhile, or NULL. Their addresses come from a table, so no hardware prefetcher predicts them. */
INLINE void add_products(vector (*restrict sum)[TILE_PANELS * PER_PANEL], const void *const *rows, const void *const *next,
                         size_t n_rows, size_t panels, size_t a_step, const float *b, size_t b_step, size_t panel_step,
                         size_t count)
{
    enum { LINE = 64 / sizeof(float) };
    const float *a[TILE_ROWS];
    UNROLL for (size_t r = 0; r < n_rows; r++)
        a[r] = rows[r];
    for (size_t i = 0, at = 0, end = count; i < count;) {
        if (next) {
            UNROLL for (size_t r = 0; r < n_rows; r++)
                __builtin_prefetch((const float *)next[r] + i);
            end = count - i < LINE ? count : i + LINE;
        }
        for (; i < end; i++, at += a_step, b += b_step) {
            vector w[TILE_PANELS * PER_PANEL];
            UNROLL for (size_t v = 0; v < panels * PER_PANEL; v++)
                w[v] = load(b + v / PER_PANEL * panel_step + v % PER_PANEL * VECTOR);
            UNROLL for (size_t r = 0; r < n_rows; r++) {
                float x = a[r][at];
                UNROLL for (size_t v = 0; v < panels * PER_PANEL; v++)
                    sum[r][v] += x * w[v];
            }
        }
    }
}

/* A tile's sums go from the registers to a buffer. Bias and activation are applied there: they cost little. In the tile's loop
 * they would take registers from the sums. */
enum { TILE_COLUMNS = TILE_PANELS * KERNEL_PANEL };

INLINE void store_sums(float *restrict to, const vector (*restrict sum)[TILE_PANELS * PER_PANEL], size_t n_rows, size_t panels)
{
    UNROLL for (size_t r = 0; r < n_rows; r++)
        UNROLL for (size_t v = 0; v < panels * PER_PANEL; v++)
            *(vector *)(to + r * TILE_COLUMNS + v * VECTOR) = sum[r][v];
}

INLINE void zero_sums(vector (*sum)[TILE_PANELS * PER_PANEL], size_t n_rows, size_t panels)
{
    UNROLL for (size_t r = 0; r < n_rows; r++)
        UNROLL for (size_t v = 0; v < panels * PER_PANEL; v++)
            sum[r][v] = (vector){0};
}

/* Computes the sums of a tile. Callers pass constants for n_rows and panels, so the sums stay in registers. next: the rows of
 * the next tile's first run. */
INLINE void row_tile(const struct row_products *p, const void *const *rows, const void *const *next, size_t j, float *to,
                     size_t n_rows, size_t panels)
{
    enum { WORTH = 16 };        /* the least floats of a run for prefetching to pay */
    vector sum[TILE_ROWS][TILE_PANELS * PER_PANEL];
    zero_sums(sum, n_rows, panels);
    const float *w = p->weight + j / KERNEL_PANEL * p->panel_step;
    for (size_t run = 0; run < p->runs; run++, rows += TILE_ROWS, w += p->k * KERNEL_PANEL)
        add_products(sum, rows, p->k < WORTH ? NULL : run + 1 < p->runs ? rows + TILE_ROWS : next, n_rows, panels, 1, w,
                     KERNEL_PANEL, p->panel_step, p->k);
    store_sums(to, sum, n_rows, panels);
}

/* Writes a tile's sums, width columns from j on, with bias and activation. */
static void finish_rows(const struct row_products *p, const float *sum, void *const *rows, size_t n_rows, size_t j,
                        size_t width)
{
    static const float zeros[TILE_COLUMNS];
    const float *bias = p->bias ? p->bias + j : zeros;
    /* u > 0 ? u : u * slope is every activation except tanh. */
    float slope = p->activation == ACTIVATION_LEAKY_RELU ? p->slope : p->activation == ACTIVATION_RELU ? 0 : 1;
    for (size_t r = 0; r < n_rows; r++, sum += TILE_COLUMNS) {
        float *out = (float *)rows[r] + j;
        const float *plus = p->add ? out : bias;
        size_t i = 0;
        for (; i + VECTOR <= width; i += VECTOR) {
            vector u = load(sum + i) + load(plus + i);
            float a[VECTOR];
            for (size_t l = 0; l < VECTOR; l++)
                a[l] = u[l] > 0 ? u[l] : u[l] * slope;
            *(vector *)(out + i) = load(a);
        }
        for (; i < width; i++) {
            float u = sum[i] + plus[i];
            out[i] = u > 0 ? u : u * slope;
        }
        for (i = 0; p->activation == ACTIVATION_TANH && i < width; i++)
            out[i] = tanhf(out[i]);
    }
}

/* The number of panels of the next tile. If TILE_PANELS + 1 are left, it is one less than it could be, so that the last tile has
 * two instead of one. */
static size_t tile_panels(size_t n, size_t j)
{
    size_t left = (n - j + KERNEL_PANEL - 1) / KERNEL_PANEL;
    return left == TILE_PANELS + 1 && TILE_PANELS > 2 ? TILE_PANELS - 1 : left < TILE_PANELS ? left : TILE_PANELS;
}

/* Multiplies all rows by the panels from j on; callers pass a constant for panels. The output of a tile is prefetched during the
 * tile before it: stores that miss the cache would fill the store queue and stall. */
INLINE void row_panels(const struct row_products *p, size_t j, size_t panels)
{
    float sum[TILE_ROWS * TILE_COLUMNS] __attribute__((aligned(64)));
    size_t left = p->n - j, width = left < panels * KERNEL_PANEL ? left : panels * KERNEL_PANEL, r = 0;
    for (; r + TILE_ROWS <= p->n_rows; r += TILE_ROWS) {
        const void *const *rows = p->rows + r * p->runs;
        for (size_t i = r + TILE_ROWS; i < r + 2 * TILE_ROWS && i < p->n_rows; i++)
            UNROLL for (size_t q = 0; q < panels; q++)
                __builtin_prefetch((const float *)p->out[i] + j + q * KERNEL_PANEL, 1);
        row_tile(p, rows, p->n_rows - r < 2 * TILE_ROWS ? p->rows : rows + p->runs * TILE_ROWS, j, sum, TILE_ROWS, panels);
        finish_rows(p, sum, p->out + r, TILE_ROWS, j, width);
    }
    for (size_t i = 0; r + i < p->n_rows; i++) {
        for (size_t q = 0; q < panels; q++)
            row_tile(p, p->rows + r * p->runs + i, NULL, j + q * KERNEL_PANEL, sum + q * KERNEL_PANEL, 1, 1);
        finish_rows(p, sum, p->out + r + i, 1, j, width);
    }
}

static void row_products(const struct row_products *p)
{
    announce_row_products(p, TILE_ROWS);
    for (size_t j = 0, panels; j < p->n; j += panels * KERNEL_PANEL) {
        panels = tile_panels(p->n, j);
        if (panels == 1)
            row_panels(p, j, 1);
#if TILE_PANELS > 1
        else if (panels == 2)
            row_panels(p, j, 2);
        else
            row_panels(p, j, TILE_PANELS);
#endif
    }
}

INLINE void outer_tile(const struct outer_products *p, const float *const *rows, size_t j, float *to, size_t panels)
{
    vector sum[TILE_ROWS][TILE_PANELS * PER_PANEL];
    const void *a[TILE_ROWS];
    zero_sums(sum, TILE_ROWS, panels);
    UNROLL for (size_t r = 0; r < TILE_ROWS; r++)
        a[r] = rows[r];
    for (size_t l = 0; l < p->lines; l++) {
        add_products(sum, a, NULL, TILE_ROWS, panels, p->a_step, p->b + l * p->b_line + j, p->b_step, KERNEL_PANEL, p->count);
        UNROLL for (size_t r = 0; r < TILE_ROWS; r++)
            a[r] = (const float *)a[r] + p->a_line;
    }
    store_sums(to, sum, TILE_ROWS, panels);
}

static void outer_products(const struct outer_products *p)
{
    announce_outer_products(p);
    float sum[TILE_ROWS * TILE_COLUMNS] __attribute__((aligned(64)));
    const float *rows[TILE_ROWS];
    for (size_t r = 0; r < TILE_ROWS; r++)
        rows[r] = p->rows[r < p->n_rows ? r : 0];
    for (size_t j = 0, panels; j < p->n; j += panels * KERNEL_PANEL) {
        panels = tile_panels(p->n, j);
        size_t width = p->n - j < panels * KERNEL_PANEL ? p->n - j : panels * KERNEL_PANEL;
        if (panels == 1)
            outer_tile(p, rows, j, sum, 1);
#if TILE_PANELS > 1
        else if (panels == 2)
            outer_tile(p, rows, j, sum, 2);
        else
            outer_tile(p, rows, j, sum, TILE_PANELS);
#endif
        for (size_t r = 0; r < p->n_rows; r++) {
            float *restrict c = p->c + r * p->ldc + j;
            const float *restrict s = sum + r * TILE_COLUMNS;
            for (size_t i = 0; i < width; i++)
                c[i] += s[i];
        }
    }
}

/* Transposes VECTOR rows of VECTOR floats in log2(VECTOR) steps, s = 1, 2, 4, …. In step s, lane l + s of row i and lane l of
 * row i + s are exchanged, for all i and l without bit s. FIRST and SECOND give the source of lane l. */
#define FIRST(l, s) ((l) & (s) ? VECTOR + (l) - (s) : (l))
#define SECOND(l, s) ((l) & (s) ? VECTOR + (l) : (l) + (s))
#define FOUR(OF, l, s) OF(l, s), OF(l + 1, s), OF(l + 2, s), OF(l + 3, s)
#if VECTOR == 16
#define EACH_LANE(OF, s) FOUR(OF, 0, s), FOUR(OF, 4, s), FOUR(OF, 8, s), FOUR(OF, 12, s)
#elif VECTOR == 8
#define EACH_LANE(OF, s) FOUR(OF, 0, s), FOUR(OF, 4, s)
#else
#define EACH_LANE(OF, s) FOUR(OF, 0, s)
#endif
#define EXCHANGE(s) \
    UNROLL for (size_t i = 0; i < VECTOR; i++) \
        if (!(i & s)) { \
            vector first = __builtin_shufflevector(x[i], x[i + s], EACH_LANE(FIRST, s)); \
            x[i + s] = __builtin_shufflevector(x[i], x[i + s], EACH_LANE(SECOND, s)); \
            x[i] = first; \
        }

static void add_columns(float *const *to, const float *rows, size_t n_rows, size_t n)
{
    announce_add_columns(to, rows, n_rows, n);
    size_t r = 0;
    for (; r + VECTOR <= n_rows; r += VECTOR)
        for (size_t j = 0; j < n; j += VECTOR) {
            vector x[VECTOR];
            UNROLL for (size_t i = 0; i < VECTOR; i++)
                x[i] = load(rows + (r + i) * n + j);
            EXCHANGE(1)
            EXCHANGE(2)
#if VECTOR > 4
            EXCHANGE(4)
#endif
#if VECTOR > 8
            EXCHANGE(8)
#endif
            UNROLL for (size_t i = 0; i < VECTOR; i++)
                if (to[j + i])
                    *(vector *)(to[j + i] + r) += x[i];
        }
    for (; r < n_rows; r++)
        for (size_t j = 0; j < n; j++)
            if (to[j])
                to[j][r] += rows[r * n + j];
}
