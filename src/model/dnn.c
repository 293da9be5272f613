/* Matrix products by oneDNN on the CPU: the only file that calls it. Written against 2.6 (Debian 12); what 3.x spells
 * differently is behind DNNL_VERSION_MAJOR at the top.
 *
 * A weight [out, in] is cut into slabs of at most SLAB outputs, each packed once into the layout oneDNN asks for. A product
 * is cut into tiles of TILE rows; every (tile, slab) pair is one oneDNN call on one thread, and the pairs are spread over
 * OpenMP threads. So nothing inside a product depends on the number of threads, and few primitives are ever created: row
 * counts are rounded up to a multiple of ROW_STEP (through a padded copy for the last tile), so a linear needs at most
 * TILE / ROW_STEP of them, shared by all layers of one shape. Measured on Zen 4: single-thread tiles of 128 rows reach the
 * rate of the core (114 GFLOP/s f32, 220 bf16), creating a primitive takes 0.05 to 0.5 ms.
 *
 * Primitives are created while OpenMP is set to one thread, for oneDNN plans for the threads it sees then, and run inside a
 * parallel region, where it stays on the calling thread. Scratch memory is ours, one per thread. */
#include "model/dnn.h"
#include "base/error.h"
#include <omp.h>
#include <oneapi/dnnl/dnnl.h>
#include <stdlib.h>
#include <string.h>

enum { TILE = 128, ROW_STEP = 16, BUCKETS = TILE / ROW_STEP, SLAB = 512, SLAB_STEP = 64, ALIGN = 64 };

/* Multiplications below which one thread does all: some 20 microseconds of work. */
enum { WORTH_THREADS = 1000000 };

#if DNNL_VERSION_MAJOR >= 3
typedef dnnl_memory_desc_t Layout; /* a pointer, to be destroyed */
typedef const_dnnl_memory_desc_t LayoutView;
#define VIEW(layout) (layout)
static dnnl_status_t layout_plain(Layout *layout, int n, const dnnl_dims_t dims, dnnl_data_type_t type, const dnnl_dims_t strides)
{
    return dnnl_memory_desc_create_with_strides(layout, n, dims, type, strides);
}
static dnnl_status_t layout_any(Layout *layout, int n, const dnnl_dims_t dims, dnnl_data_type_t type)
{
    return dnnl_memory_desc_create_with_tag(layout, n, dims, type, dnnl_format_tag_any);
}
static dnnl_status_t layout_copy(Layout *to, LayoutView from) { return dnnl_memory_desc_clone(to, from); }
static void layout_clear(Layout *layout) { g_clear_pointer(layout, dnnl_memory_desc_destroy); }
static dnnl_status_t matmul_create(dnnl_primitive_desc_t *pd, LayoutView x, LayoutView w, LayoutView b, LayoutView y,
                                   const_dnnl_primitive_attr_t attr, dnnl_engine_t engine)
{
    return dnnl_matmul_primitive_desc_create(pd, engine, x, w, b, y, attr);
}
static dnnl_status_t reorder_create(dnnl_primitive_desc_t *pd, LayoutView from, LayoutView to, dnnl_engine_t engine)
{
    return dnnl_reorder_primitive_desc_create(pd, from, engine, to, engine, NULL);
}
#else
typedef dnnl_memory_desc_t Layout; /* a plain structure */
typedef const dnnl_memory_desc_t *LayoutView;
#define VIEW(layout) (&(layout))
static dnnl_status_t layout_plain(Layout *layout, int n, const dnnl_dims_t dims, dnnl_data_type_t type, const dnnl_dims_t strides)
{
    return dnnl_memory_desc_init_by_strides(layout, n, dims, type, strides);
}
static dnnl_status_t layout_any(Layout *layout, int n, const dnnl_dims_t dims, dnnl_data_type_t type)
{
    return dnnl_memory_desc_init_by_tag(layout, n, dims, type, dnnl_format_tag_any);
}
static dnnl_status_t layout_copy(Layout *to, LayoutView from)
{
    *to = *from;
    return dnnl_success;
}
static void layout_clear(Layout *layout) { memset(layout, 0, sizeof *layout); }
static dnnl_status_t matmul_create(dnnl_primitive_desc_t *pd, LayoutView x, LayoutView w, LayoutView b, LayoutView y,
                                   const_dnnl_primitive_attr_t attr, dnnl_engine_t engine)
{
    dnnl_matmul_desc_t matmul;
    const dnnl_status_t status = dnnl_matmul_desc_init(&matmul, x, w, b, y);
    return status != dnnl_success ? status : dnnl_primitive_desc_create(pd, &matmul, attr, engine, NULL);
}
static dnnl_status_t reorder_create(dnnl_primitive_desc_t *pd, LayoutView from, LayoutView to, dnnl_engine_t engine)
{
    return dnnl_reorder_primitive_desc_create(pd, from, engine, to, engine, NULL);
}
#endif

/* A product of one shape: rows x in by in x out, rows of y `stride` apart. `weight` is the packed layout. */
typedef struct {
    gsize rows, in, out, stride;
    gboolean biased;
    dnnl_primitive_t primitive;
    Layout x, weight, bias, y;
    gsize scratch_bytes;
    Layout scratch;
} Kernel;

typedef struct {
    dnnl_stream_t stream;
    void *scratch, *tail; /* tail: y of a padded tile before its real rows are copied out */
    gsize scratch_bytes;
} Worker;

struct GliDevice {
    dnnl_engine_t engine;
    dnnl_data_type_t type;
    gsize type_bytes;
    int n_workers;
    Worker *workers;
    GPtrArray *kernels; /* of Kernel, owned */
    void *padded;       /* the last tile of x, filled up with zero rows */
    gsize padded_bytes;
};

typedef struct {
    gsize first, width;
    dnnl_memory_t weight, bias; /* bias NULL when the linear has none */
    void *weight_bytes;
    Kernel *direct[BUCKETS], *tail[BUCKETS]; /* by rows / ROW_STEP - 1, found when first needed; owned by the device */
} Slab;

struct GliLinear {
    GliDevice *device;
    gsize out, in, n_slabs;
    Slab *slabs;
    float *bias;
};

static const char *status_text(dnnl_status_t status)
{
    return status == dnnl_out_of_memory ? "out of memory" : status == dnnl_unimplemented ? "not implemented for this processor" : "invalid arguments";
}

static gboolean failed(dnnl_status_t status, const char *doing, GError **error)
{
    if (status == dnnl_success)
        return FALSE;
    glint_fail(error, status == dnnl_unimplemented ? GLINT_ERROR_UNSUPPORTED : GLINT_ERROR_FAILED, "oneDNN %s: %s", doing, status_text(status));
    return TRUE;
}

static gsize round_up(gsize n, gsize step) { return (n + step - 1) / step * step; }

static gboolean reserve(void **memory, gsize *have, gsize bytes, GError **error)
{
    if (*memory && *have >= bytes)
        return TRUE;
    free(*memory);
    *have = round_up(MAX(bytes, 1), ALIGN);
    *memory = aligned_alloc(ALIGN, *have);
    if (*memory)
        return TRUE;
    *have = 0;
    return glint_fail(error, GLINT_ERROR_FAILED, "not enough memory: %zu MB more were needed", bytes >> 20);
}

static void kernel_free(gpointer data)
{
    Kernel *kernel = data;
    if (kernel->primitive)
        dnnl_primitive_destroy(kernel->primitive);
    layout_clear(&kernel->x);
    layout_clear(&kernel->weight);
    layout_clear(&kernel->bias);
    layout_clear(&kernel->y);
    layout_clear(&kernel->scratch);
    g_free(kernel);
}

/* Attributes of every product: our scratch memory, and no silent bf16 inside f32 (ONEDNN_DEFAULT_FPMATH_MODE could ask for it). */
static dnnl_status_t make_attributes(dnnl_primitive_attr_t *attr)
{
    dnnl_status_t status = dnnl_primitive_attr_create(attr);
    if (status == dnnl_success)
        status = dnnl_primitive_attr_set_scratchpad_mode(*attr, dnnl_scratchpad_mode_user);
    if (status == dnnl_success)
        status = dnnl_primitive_attr_set_fpmath_mode(*attr, dnnl_fpmath_mode_strict);
    return status;
}

static dnnl_status_t plain_matrix(Layout *layout, gsize rows, gsize columns, dnnl_data_type_t type, gsize row_stride, gsize column_stride)
{
    const dnnl_dims_t dims = {(dnnl_dim_t)rows, (dnnl_dim_t)columns}, strides = {(dnnl_dim_t)row_stride, (dnnl_dim_t)column_stride};
    return layout_plain(layout, 2, dims, type, strides);
}

/* Fills kernel->primitive; `packed` is the weight's layout, or NULL to let oneDNN choose it. */
static dnnl_status_t build_kernel(const GliDevice *device, Kernel *kernel, LayoutView packed)
{
    dnnl_primitive_attr_t attr = NULL;
    dnnl_primitive_desc_t pd = NULL;
    Layout any;
    memset(&any, 0, sizeof any);
    const dnnl_dims_t weight_dims = {(dnnl_dim_t)kernel->in, (dnnl_dim_t)kernel->out};
    dnnl_status_t status = plain_matrix(&kernel->x, kernel->rows, kernel->in, device->type, kernel->in, 1);
    if (status == dnnl_success)
        status = plain_matrix(&kernel->y, kernel->rows, kernel->out, dnnl_f32, kernel->stride, 1);
    if (status == dnnl_success)
        status = plain_matrix(&kernel->bias, 1, kernel->out, dnnl_f32, kernel->out, 1);
    if (status == dnnl_success)
        status = packed ? layout_copy(&any, packed) : layout_any(&any, 2, weight_dims, device->type);
    if (status == dnnl_success)
        status = make_attributes(&attr);
    if (status == dnnl_success)
        status = matmul_create(&pd, VIEW(kernel->x), VIEW(any), kernel->biased ? VIEW(kernel->bias) : NULL, VIEW(kernel->y), attr, device->engine);
    if (status == dnnl_success)
        status = dnnl_primitive_create(&kernel->primitive, pd);
    if (status == dnnl_success)
        status = layout_copy(&kernel->weight, dnnl_primitive_desc_query_md(pd, dnnl_query_weights_md, 0));
    if (status == dnnl_success)
        status = layout_copy(&kernel->scratch, dnnl_primitive_desc_query_md(pd, dnnl_query_scratchpad_md, 0));
    if (status == dnnl_success)
        kernel->scratch_bytes = dnnl_memory_desc_get_size(VIEW(kernel->scratch));
    if (pd)
        dnnl_primitive_desc_destroy(pd);
    if (attr)
        dnnl_primitive_attr_destroy(attr);
    layout_clear(&any);
    return status;
}

/* The kernel of a shape, created when first asked for. The weight's layout is the one chosen for full tiles of that shape. */
static Kernel *find_kernel(GliDevice *device, gsize rows, gsize in, gsize out, gsize stride, gboolean biased, LayoutView packed, GError **error)
{
    for (guint i = 0; i < device->kernels->len; i++) {
        Kernel *kernel = g_ptr_array_index(device->kernels, i);
        if (kernel->rows == rows && kernel->in == in && kernel->out == out && kernel->stride == stride && kernel->biased == biased &&
            (!packed || dnnl_memory_desc_equal(VIEW(kernel->weight), packed)))
            return kernel;
    }
    Kernel *kernel = g_new0(Kernel, 1);
    *kernel = (Kernel){.rows = rows, .in = in, .out = out, .stride = stride, .biased = biased};
    const int threads = omp_get_max_threads();
    omp_set_num_threads(1);
    const dnnl_status_t status = build_kernel(device, kernel, packed);
    omp_set_num_threads(threads);
    if (failed(status, "cannot prepare a matrix product", error)) {
        kernel_free(kernel);
        return NULL;
    }
    g_ptr_array_add(device->kernels, kernel);
    return kernel;
}

static void dnn_close(GliDevice *device)
{
    if (!device)
        return;
    g_ptr_array_unref(device->kernels);
    for (int w = 0; w < device->n_workers; w++) {
        if (device->workers[w].stream)
            dnnl_stream_destroy(device->workers[w].stream);
        free(device->workers[w].scratch);
        free(device->workers[w].tail);
    }
    if (device->engine)
        dnnl_engine_destroy(device->engine);
    free(device->padded);
    g_free(device->workers);
    g_free(device);
}

static GliDevice *dnn_open(gboolean bf16, int threads, GError **error)
{
    GliDevice *device = g_new0(GliDevice, 1);
    device->type = bf16 ? dnnl_bf16 : dnnl_f32;
    device->type_bytes = bf16 ? 2 : 4;
    device->kernels = g_ptr_array_new_with_free_func(kernel_free);
    device->n_workers = threads;
    device->workers = g_new0(Worker, threads);
    gboolean good = !failed(dnnl_engine_create(&device->engine, dnnl_cpu, 0), "cannot start", error);
    for (int w = 0; good && w < threads; w++) {
        device->workers[w].tail = aligned_alloc(ALIGN, TILE * SLAB * sizeof(float));
        good = !failed(device->workers[w].tail ? dnnl_stream_create(&device->workers[w].stream, device->engine, dnnl_stream_default_flags) : dnnl_out_of_memory,
                       "cannot start", error);
    }
    if (good && bf16) { /* try a product now: better refused here than in the middle of a run */
        GError *reason = NULL;
        if (!find_kernel(device, TILE, SLAB_STEP, SLAB_STEP, SLAB_STEP, FALSE, NULL, &reason)) {
            good = glint_fail(error, GLINT_ERROR_UNSUPPORTED, "this processor cannot compute in bf16 (%s); use --dtype f32", reason->message);
            g_error_free(reason);
        }
    }
    if (!good)
        g_clear_pointer(&device, dnn_close);
    return device;
}

/* x86: AVX-512 with bf16 products (2.6 also emulates them, slower than f32). Elsewhere: whatever takes a bf16 product and
 * does not fall back to the reference loop. */
static gboolean dnn_has_fast_bf16(void)
{
#if defined(__x86_64__)
    const dnnl_cpu_isa_t isa = dnnl_get_effective_cpu_isa();
    return isa == dnnl_cpu_isa_avx512_core_bf16 || ((int)isa & (int)dnnl_cpu_isa_avx512_core_bf16) == (int)dnnl_cpu_isa_avx512_core_bf16;
#else
    GliDevice *device = dnn_open(TRUE, 1, NULL);
    dnnl_primitive_desc_t pd = NULL;
    const char *name = "ref";
    if (device) {
        const Kernel *kernel = g_ptr_array_index(device->kernels, 0);
        const_dnnl_primitive_desc_t view = NULL;
        if (dnnl_primitive_get_primitive_desc(kernel->primitive, &view) == dnnl_success)
            dnnl_primitive_desc_query(view, dnnl_query_impl_info_str, 0, &name);
    }
    (void)pd;
    const gboolean fast = !g_str_has_prefix(name, "ref");
    dnn_close(device);
    return fast;
#endif
}

static void dnn_release(GliLinear *linear)
{
    if (!linear)
        return;
    for (gsize s = 0; s < linear->n_slabs; s++) {
        if (linear->slabs[s].weight)
            dnnl_memory_destroy(linear->slabs[s].weight);
        if (linear->slabs[s].bias)
            dnnl_memory_destroy(linear->slabs[s].bias);
        free(linear->slabs[s].weight_bytes);
    }
    g_free(linear->slabs);
    g_free(linear->bias);
    g_free(linear);
}

/* Reorders outputs [first, first + width) of W into slab->weight_bytes. W is seen as [in, out] through its strides. */
static gboolean pack_slab(GliLinear *linear, Slab *slab, gboolean in_out, const void *weight, GError **error)
{
    GliDevice *device = linear->device;
    const Kernel *kernel = slab->direct[BUCKETS - 1];
    const gsize bytes = dnnl_memory_desc_get_size(VIEW(kernel->weight));
    gsize have = 0;
    if (!reserve(&slab->weight_bytes, &have, bytes, error))
        return FALSE;
    const char *start = (const char *)weight + slab->first * (in_out ? 1 : linear->in) * device->type_bytes;
    Layout plain;
    memset(&plain, 0, sizeof plain);
    dnnl_memory_t from = NULL;
    dnnl_primitive_desc_t pd = NULL;
    dnnl_primitive_t reorder = NULL;
    dnnl_status_t status = plain_matrix(&plain, linear->in, slab->width, device->type, in_out ? linear->out : 1, in_out ? 1 : linear->in);
    if (status == dnnl_success)
        status = dnnl_memory_create(&from, VIEW(plain), device->engine, (void *)start);
    if (status == dnnl_success)
        status = dnnl_memory_create(&slab->weight, VIEW(kernel->weight), device->engine, slab->weight_bytes);
    if (status == dnnl_success)
        status = reorder_create(&pd, VIEW(plain), VIEW(kernel->weight), device->engine);
    if (status == dnnl_success)
        status = dnnl_primitive_create(&reorder, pd);
    if (status == dnnl_success) {
        const dnnl_exec_arg_t args[] = {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, slab->weight}};
        status = dnnl_primitive_execute(reorder, device->workers[0].stream, 2, args);
    }
    if (status == dnnl_success)
        status = dnnl_stream_wait(device->workers[0].stream);
    if (reorder)
        dnnl_primitive_destroy(reorder);
    if (pd)
        dnnl_primitive_desc_destroy(pd);
    if (from)
        dnnl_memory_destroy(from);
    layout_clear(&plain);
    return !failed(status, "cannot pack a weight", error);
}

static GliLinear *dnn_pack(GliDevice *device, gsize out, gsize in, gboolean in_out, const void *weight, const float *bias, GError **error)
{
    GliLinear *linear = g_new0(GliLinear, 1);
    const gsize wanted = (out + SLAB - 1) / SLAB, width = MIN(round_up((out + wanted - 1) / wanted, SLAB_STEP), (gsize)SLAB);
    *linear = (GliLinear){.device = device, .out = out, .in = in, .n_slabs = (out + width - 1) / width};
    linear->slabs = g_new0(Slab, linear->n_slabs);
    linear->bias = bias ? g_memdup2(bias, out * sizeof *bias) : NULL;
    gboolean good = TRUE;
    for (gsize s = 0; good && s < linear->n_slabs; s++) {
        Slab *slab = &linear->slabs[s];
        slab->first = s * width;
        slab->width = MIN(width, out - slab->first);
        Kernel *kernel = find_kernel(device, TILE, in, slab->width, out, bias != NULL, NULL, error);
        slab->direct[BUCKETS - 1] = kernel;
        good = kernel && pack_slab(linear, slab, in_out, weight, error);
        if (good && bias)
            good = !failed(dnnl_memory_create(&slab->bias, VIEW(kernel->bias), device->engine, linear->bias + slab->first), "cannot pack a bias", error);
    }
    if (!good)
        g_clear_pointer(&linear, dnn_release);
    return linear;
}

/* The kernels a product of `rows` rows will use, created before threads start. */
static gboolean prepare(GliLinear *linear, gsize full_tiles, gsize tail_rows, GError **error)
{
    GliDevice *device = linear->device;
    const gsize bucket = tail_rows ? (tail_rows + ROW_STEP - 1) / ROW_STEP - 1 : 0;
    gsize scratch = 0;
    for (gsize s = 0; s < linear->n_slabs; s++) {
        Slab *slab = &linear->slabs[s];
        const Kernel *full = slab->direct[BUCKETS - 1];
        if (tail_rows && !slab->tail[bucket]) {
            slab->tail[bucket] = find_kernel(device, (bucket + 1) * ROW_STEP, linear->in, slab->width, slab->width, linear->bias != NULL, VIEW(full->weight), error);
            if (!slab->tail[bucket])
                return FALSE;
        }
        scratch = MAX(scratch, MAX(full_tiles ? full->scratch_bytes : 0, tail_rows ? slab->tail[bucket]->scratch_bytes : 0));
    }
    for (int w = 0; w < device->n_workers; w++)
        if (!reserve(&device->workers[w].scratch, &device->workers[w].scratch_bytes, MAX(scratch, 1), error))
            return FALSE;
    return TRUE;
}

static dnnl_status_t run_kernel(const GliDevice *device, const Worker *worker, const Kernel *kernel, const Slab *slab, const void *x, float *y)
{
    dnnl_memory_t in = NULL, out = NULL, scratch = NULL;
    dnnl_status_t status = dnnl_memory_create(&in, VIEW(kernel->x), device->engine, (void *)x);
    if (status == dnnl_success)
        status = dnnl_memory_create(&out, VIEW(kernel->y), device->engine, y);
    if (status == dnnl_success)
        status = dnnl_memory_create(&scratch, VIEW(kernel->scratch), device->engine, worker->scratch);
    if (status == dnnl_success) {
        const dnnl_exec_arg_t args[] = {{DNNL_ARG_SRC, in}, {DNNL_ARG_WEIGHTS, slab->weight}, {DNNL_ARG_DST, out}, {DNNL_ARG_SCRATCHPAD, scratch},
                                        {DNNL_ARG_BIAS, slab->bias}};
        status = dnnl_primitive_execute(kernel->primitive, worker->stream, kernel->biased ? 5 : 4, args);
    }
    if (status == dnnl_success)
        status = dnnl_stream_wait(worker->stream);
    if (in)
        dnnl_memory_destroy(in);
    if (out)
        dnnl_memory_destroy(out);
    if (scratch)
        dnnl_memory_destroy(scratch);
    return status;
}

/* One (tile, slab) pair. */
static dnnl_status_t run_pair(const GliLinear *linear, const Worker *worker, const Slab *slab, gsize tile, gsize rows, const void *x, float *y)
{
    const GliDevice *device = linear->device;
    const gsize first = tile * TILE, count = MIN((gsize)TILE, rows - first);
    float *to = y + first * linear->out + slab->first;
    if (count == TILE)
        return run_kernel(device, worker, slab->direct[BUCKETS - 1], slab, (const char *)x + first * linear->in * device->type_bytes, to);
    float *tail = worker->tail;
    const dnnl_status_t status = run_kernel(device, worker, slab->tail[(count + ROW_STEP - 1) / ROW_STEP - 1], slab, device->padded, tail);
    for (gsize r = 0; status == dnnl_success && r < count; r++)
        memcpy(to + r * linear->out, tail + r * slab->width, slab->width * sizeof *tail);
    return status;
}

static gboolean dnn_run(GliLinear *linear, gsize rows, const void *x, float *y, GError **error)
{
    GliDevice *device = linear->device;
    const gsize full = rows / TILE, tail = rows % TILE, tiles = full + (tail ? 1 : 0), pairs = tiles * linear->n_slabs;
    if (!prepare(linear, full, tail, error))
        return FALSE;
    if (tail) {
        const gsize bytes = tail * linear->in * device->type_bytes, padded = round_up(tail, ROW_STEP) * linear->in * device->type_bytes;
        if (!reserve(&device->padded, &device->padded_bytes, padded, error))
            return FALSE;
        memcpy(device->padded, (const char *)x + full * TILE * linear->in * device->type_bytes, bytes);
        memset((char *)device->padded + bytes, 0, padded - bytes);
    }
    const gboolean worth = pairs > 1 && device->n_workers > 1 && round_up(rows, ROW_STEP) * linear->in * linear->out > WORTH_THREADS;
    const int threads = omp_get_max_threads();
    if (!worth) /* outside a parallel region oneDNN would take threads of its own */
        omp_set_num_threads(1);
    int worst = dnnl_success;
#pragma omp parallel for schedule(dynamic) num_threads(worth ? device->n_workers : 1) reduction(max : worst)
    for (gsize pair = 0; pair < pairs; pair++) { /* slabs outermost: threads on the same weights share the cache */
        const gsize slab = pair / tiles, tile = pair % tiles;
        const dnnl_status_t status = run_pair(linear, &device->workers[omp_get_thread_num()], &linear->slabs[slab], tile, rows, x, y);
        worst = MAX(worst, (int)status);
    }
    omp_set_num_threads(threads);
    return !failed((dnnl_status_t)worst, "failed in a matrix product", error);
}

const GliMatrixOps gli_dnn = {dnn_open, dnn_close, dnn_has_fast_bf16, dnn_pack, dnn_release, dnn_run};

char *gli_dnn_version(void)
{
    const dnnl_version_t *version = dnnl_version();
    return g_strdup_printf("%d.%d.%d", version->major, version->minor, version->patch);
}

const char *gli_dnn_instructions(void)
{
#if defined(__x86_64__)
    static const struct { dnnl_cpu_isa_t isa; const char *name; } sets[] = {
        {dnnl_cpu_isa_avx512_core_amx, "AVX-512 with AMX"}, {dnnl_cpu_isa_avx512_core_bf16, "AVX-512 with bf16"},
        {dnnl_cpu_isa_avx512_core_vnni, "AVX-512 with VNNI"}, {dnnl_cpu_isa_avx512_core, "AVX-512"}, {dnnl_cpu_isa_avx2, "AVX2"},
        {dnnl_cpu_isa_avx, "AVX"}, {dnnl_cpu_isa_sse41, "SSE4.1"},
    };
    const int isa = (int)dnnl_get_effective_cpu_isa();
    for (gsize i = 0; i < G_N_ELEMENTS(sets); i++)
        if ((isa & (int)sets[i].isa) == (int)sets[i].isa)
            return sets[i].name;
    return "baseline";
#else
    return "not x86-64";
#endif
}

char *gli_dnn_kernel(gboolean bf16)
{
    GliDevice *device = dnn_open(bf16, 1, NULL);
    const Kernel *kernel = device ? find_kernel(device, TILE, SLAB, SLAB, SLAB, FALSE, NULL, NULL) : NULL;
    const_dnnl_primitive_desc_t view = NULL;
    const char *name = NULL;
    if (kernel && dnnl_primitive_get_primitive_desc(kernel->primitive, &view) == dnnl_success)
        dnnl_primitive_desc_query(view, dnnl_query_impl_info_str, 0, &name);
    char *copy = g_strdup(name);
    dnn_close(device);
    return copy;
}
