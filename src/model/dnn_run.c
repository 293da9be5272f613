/* Products by oneDNN: inputs, tiles, and what becomes of them. See dnn.c for why it is done this way. */
#include "base/error.h"
#include "model/dnn_private.h"
#include "model/ops.h"
#include "model/thin.h"
#include <omp.h>
#include <stdlib.h>

/* Multiplications below which one thread does all: some 20 microseconds of work. The thin path is bound by memory. */
enum { WORTH_THREADS = 1000000, WORTH_THREADS_THIN = 100000 };

enum { THIN_ROWS = 8 };

/* ---- x as products read it: strip by strip, [strip][rows][its width] in the device's type ---- */

/* Behind the last row a kernel may read up to ROW_STEP - 1 rows more. What they hold goes into rows of a tile that nobody looks at. */
gsize gli_dnn_input_bytes(const GliDevice *device, gsize rows, gsize width)
{
    return (rows * width + ROW_STEP * strip_of(width)) * device->type_bytes;
}

void gli_dnn_put(const GliDevice *device, gsize rows, gsize width, gsize row, gsize first, gsize count, const float *x, void *input)
{
    const gsize strip = strip_of(width);
    for (gsize end = first + count; first < end;) {
        const gsize start = first / strip * strip, wide = MIN(strip, width - start), n = MIN(end, start + wide) - first;
        const gsize at = start * rows + row * wide + first - start;
        if (device->type == dnnl_bf16)
            gli_to_bf16(x, n, (guint16 *)input + at);
        else
            memcpy((float *)input + at, x, n * sizeof *x);
        first += n;
        x += n;
    }
}

/* ---- running ---- */

/* Calls `act` for every kernel that a product of `rows` rows will use. */
typedef gboolean (*OnKernel)(GliDevice *device, Kernel *kernel, GError **error);
static gboolean each_kernel(GliLinear *linear, gsize rows, OnKernel act, GError **error)
{
    const gsize counts[] = {rows >= TILE ? TILE : 0, rows % TILE}, n = linear->n_slabs * linear->n_strips;
    for (gsize i = 0; i < 2 * n; i++) {
        Kernel *kernel = counts[i / n] ? gli_dnn_kernel(linear, i % n / linear->n_strips, i % linear->n_strips, counts[i / n], error) : NULL;
        if (counts[i / n] && (!kernel || !act(linear->device, kernel, error)))
            return FALSE;
    }
    return TRUE;
}

static gboolean reserve_scratch(GliDevice *device, Kernel *kernel, GError **error)
{
    for (int w = 0; w < device->n_workers; w++)
        if (!gli_dnn_reserve(&device->workers[w].scratch, &device->workers[w].scratch_bytes, MAX(kernel->scratch_bytes, 1), error))
            return FALSE;
    return TRUE;
}

/* The workers' scratch memory may have moved since. */
static gboolean open_scratch(GliDevice *device, Kernel *kernel, GError **error)
{
    for (int w = 0; w < device->n_workers; w++) {
        Handles *handles = &kernel->handles[w];
        if (handles->scratch && handles->scratch_at == device->workers[w].scratch)
            continue;
        if (handles->scratch)
            dnnl_memory_destroy(handles->scratch);
        handles->scratch = NULL;
        handles->scratch_at = device->workers[w].scratch;
        if (gli_dnn_failed(dnnl_memory_create(&handles->scratch, VIEW(kernel->scratch), device->engine, handles->scratch_at), "cannot prepare a matrix product", error))
            return FALSE;
    }
    return TRUE;
}

/* Kernels and their scratch memory, before threads start. `up` may be NULL. */
static gboolean prepare(GliLinear *linear, GliLinear *up, gsize rows, GError **error)
{
    return each_kernel(linear, rows, reserve_scratch, error) && (!up || each_kernel(up, rows, reserve_scratch, error)) &&
           each_kernel(linear, rows, open_scratch, error) && (!up || each_kernel(up, rows, open_scratch, error));
}

/* What becomes of a product: y, or the activation function of it (times `up` of the same x) to y and, as an input, to `next`. */
typedef struct {
    GliLinear *linear, *up;
    gsize rows;
    const void *x;
    float *y;
    void *next;
    GliActivation activation;
    gboolean activates;
    dnnl_memory_t *inputs; /* [tiles][strips]: oneDNN's handles on x */
} Job;

static gsize count_tiles(gsize rows) { return (rows + TILE - 1) / TILE; }
static gsize tile_rows(gsize rows, gsize tile) { return MIN((gsize)TILE, rows - tile * TILE); }

static dnnl_status_t open_inputs(Job *job)
{
    const GliLinear *linear = job->linear;
    const gsize tiles = count_tiles(job->rows), strips = linear->n_strips;
    dnnl_status_t status = dnnl_success;
    job->inputs = g_new0(dnnl_memory_t, tiles * strips);
    for (gsize i = 0; i < tiles * strips && status == dnnl_success; i++) {
        const gsize tile = i / strips, strip = i % strips, at = strip * linear->strip * job->rows + tile * TILE * strip_width(linear, strip);
        const Kernel *kernel = linear->parts[strip].kernels[bucket_of(tile_rows(job->rows, tile))];
        status = dnnl_memory_create(&job->inputs[i], VIEW(kernel->x), linear->device->engine, (char *)(uintptr_t)job->x + at * linear->device->type_bytes);
    }
    return status;
}

static void close_inputs(Job *job)
{
    for (gsize i = 0; i < count_tiles(job->rows) * job->linear->n_strips; i++)
        if (job->inputs[i])
            dnnl_memory_destroy(job->inputs[i]);
    g_free(job->inputs);
}

/* worker's tile `which` [its rows, slab's width] = a tile's rows of x times a slab. */
static dnnl_status_t run_pair(const Job *job, const GliLinear *linear, int worker, int which, gsize slab, gsize tile)
{
    dnnl_status_t status = dnnl_success;
    for (gsize s = 0; s < linear->n_strips && status == dnnl_success; s++) {
        const Part *part = &linear->parts[slab * linear->n_strips + s];
        const Kernel *kernel = part->kernels[bucket_of(tile_rows(job->rows, tile))];
        const Handles *handles = &kernel->handles[worker];
        const dnnl_exec_arg_t args[] = {{DNNL_ARG_SRC, job->inputs[tile * linear->n_strips + s]}, {DNNL_ARG_WEIGHTS, part->weight},
                                        {DNNL_ARG_DST, handles->tile[which]}, {DNNL_ARG_SCRATCHPAD, handles->scratch},
                                        {DNNL_ARG_BIAS, linear->biases ? linear->biases[slab] : NULL}};
        status = dnnl_primitive_execute(kernel->primitive, linear->device->workers[worker].stream, kernel->biased ? 5 : 4, args);
    }
    return status == dnnl_success ? dnnl_stream_wait(linear->device->workers[worker].stream) : status;
}

static dnnl_status_t run_job_pair(const Job *job, int worker, gsize slab, gsize tile)
{
    const GliLinear *linear = job->linear;
    const gsize width = slab_width(linear, slab), column = slab * linear->slab;
    float *const *tiles = linear->device->workers[worker].tile;
    dnnl_status_t status = run_pair(job, linear, worker, 0, slab, tile);
    if (status == dnnl_success && job->up)
        status = run_pair(job, job->up, worker, 1, slab, tile);
    for (gsize r = 0; r < tile_rows(job->rows, tile) && status == dnnl_success; r++) {
        float *row = tiles[0] + r * width;
        if (job->activates)
            gli_activate_run(job->activation, row, job->up ? tiles[1] + r * width : NULL, width);
        if (job->y)
            memcpy(job->y + (tile * TILE + r) * linear->out + column, row, width * sizeof *row);
        if (job->next)
            gli_dnn_put(linear->device, job->rows, linear->out, tile * TILE + r, column, width, row, job->next);
    }
    return status;
}

/* Rows of x as f32, a zero behind each of odd length. */
static void widen(const GliDevice *device, gsize rows, gsize in, const void *x, float *wide)
{
    const gsize width = in + in % 2, strip = strip_of(in);
    for (gsize r = 0; r < rows; r++) {
        float *to = wide + r * width;
        to[width - 1] = 0;
        for (gsize start = 0; start < in; start += strip) {
            const gsize n = MIN(strip, in - start), at = start * rows + r * n;
            if (device->type == dnnl_f32)
                memcpy(to + start, (const float *)x + at, n * sizeof *to);
            else
                for (gsize k = 0; k < n; k++) {
                    const guint32 bits = (guint32)((const guint16 *)x)[at + k] << 16;
                    memcpy(&to[start + k], &bits, sizeof bits);
                }
        }
    }
}

/* y = x (as widen gives it) times a weight whose layout thin.c can read. */
static void multiply_thin(const GliLinear *linear, gsize rows, const float *wide, float *y)
{
    const gsize per_slab = (linear->slab + GLI_PANEL - 1) / GLI_PANEL, panels = (linear->out + GLI_PANEL - 1) / GLI_PANEL, stride = linear->in + linear->in % 2;
    const gboolean worth = panels > 1 && linear->device->n_workers > 1 && linear->in * linear->out > WORTH_THREADS_THIN;
#pragma omp parallel for schedule(dynamic) num_threads(worth ? linear->device->n_workers : 1)
    for (gsize p = 0; p < panels; p++) {
        const gsize first = p * GLI_PANEL;
        for (gsize s = 0; s < linear->n_strips; s++) {
            const Part *part = &linear->parts[p / per_slab * linear->n_strips + s];
            const GliPanel panel = {part->bytes + p % per_slab * part->panel_bytes, part->panel_step, strip_width(linear, s), linear->device->type == dnnl_bf16, s > 0};
            gli_thin_panel(&panel, rows, wide + s * linear->strip, stride, s == 0 && linear->bias ? linear->bias + first : NULL,
                           MIN((gsize)GLI_PANEL, linear->out - first), y + first, linear->out);
        }
    }
}

static gboolean run_thin(const Job *job, GError **error)
{
    const GliLinear *linear = job->linear;
    GliDevice *device = linear->device;
    const gsize rows = job->rows, width = linear->in + linear->in % 2, out = linear->out;
    if (!gli_dnn_reserve(&device->wide, &device->wide_bytes, (width + 2 * out) * rows * sizeof(float), error))
        return FALSE;
    float *wide = device->wide, *up = wide + rows * width, *y = job->y ? job->y : up + rows * out;
    widen(device, rows, linear->in, job->x, wide);
    multiply_thin(linear, rows, wide, y);
    if (job->up)
        multiply_thin(job->up, rows, wide, up);
    if (job->activates)
        gli_activate(job->activation, y, job->up ? up : NULL, rows, out);
    for (gsize r = 0; r < rows && job->next; r++)
        gli_dnn_put(device, rows, out, r, 0, out, y + r * out, job->next);
    return TRUE;
}

static gboolean run_job(Job *job, GError **error)
{
    GliDevice *device = job->linear->device;
    if (job->rows <= THIN_ROWS && job->linear->thin && (!job->up || job->up->thin))
        return run_thin(job, error);
    const gsize rows = job->rows, tiles = count_tiles(rows), pairs = tiles * job->linear->n_slabs;
    if (!prepare(job->linear, job->up, rows, error))
        return FALSE;
    const gboolean worth = pairs > 1 && device->n_workers > 1 && round_up(rows, ROW_STEP) * job->linear->in * job->linear->out > WORTH_THREADS;
    const int threads = omp_get_max_threads();
    if (!worth) /* outside a parallel region oneDNN would take threads of its own */
        omp_set_num_threads(1);
    const dnnl_status_t opened = open_inputs(job);
    int worst = opened;
#pragma omp parallel for schedule(dynamic) num_threads(worth ? device->n_workers : 1) reduction(max : worst)
    for (gsize pair = 0; pair < pairs; pair++) { /* slabs outermost: threads on the same weights share the cache */
        const dnnl_status_t status = opened == dnnl_success ? run_job_pair(job, omp_get_thread_num(), pair / tiles, pair % tiles) : opened;
        worst = MAX(worst, (int)status);
    }
    omp_set_num_threads(threads);
    close_inputs(job);
    return !gli_dnn_failed((dnnl_status_t)worst, "failed in a matrix product", error);
}

gboolean gli_dnn_run(GliLinear *linear, gsize rows, const void *x, float *y, GError **error)
{
    Job job = {.linear = linear, .rows = rows, .x = x, .y = y};
    return run_job(&job, error);
}

gboolean gli_dnn_run_activated(GliLinear *gate, GliLinear *up, GliActivation activation, gsize rows, const void *x, float *y, void *next, GError **error)
{
    Job job = {.linear = gate, .up = up, .rows = rows, .x = x, .y = y, .next = next, .activation = activation, .activates = TRUE};
    g_assert(!up || (up->device == gate->device && up->out == gate->out && up->in == gate->in));
    return run_job(&job, error);
}
