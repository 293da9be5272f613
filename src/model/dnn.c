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
 * Products of up to THIN_ROWS rows, which decoding is made of, are memory's business and not oneDNN's: thin.c does them on the
 * same packed weights, where it can read their layout (panels of 64 columns, which is what oneDNN's kernels for AVX-512 and AMX ask for).
 * A weight's slabs are one block of memory, in huge pages where the system gives them: reading them is up to twice as fast.
 *
 * Primitives are created while OpenMP is set to one thread, for oneDNN plans for the threads it sees then, and run inside a
 * parallel region, where it stays on the calling thread. Scratch memory is ours, one per thread. */
#include "model/dnn.h"
#include "base/error.h"
#include "model/thin.h"
#include <omp.h>
#include <oneapi/dnnl/dnnl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { TILE = 128, ROW_STEP = 16, BUCKETS = TILE / ROW_STEP, SLAB = 512, SLAB_STEP = 64, ALIGN = 64 };

/* Multiplications below which one thread does all: some 20 microseconds of work. The thin path is bound by memory. */
enum { WORTH_THREADS = 1000000, WORTH_THREADS_THIN = 100000 };

enum { THIN_ROWS = 8, HUGE_PAGE = 2 << 20 };

/* A blocked layout of a matrix: outer strides of its two dimensions, then inner blocks from the outermost. */
enum { BLOCK_LEVELS = 3 };
typedef struct {
    int n;
    dnnl_dim_t stride[2], size[BLOCK_LEVELS], dim[BLOCK_LEVELS];
} Blocks;

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
static gboolean layout_blocks(LayoutView layout, Blocks *blocks)
{
    dnnl_format_kind_t kind = dnnl_format_kind_undef;
    int n = 0;
    const dnnl_dims_t *strides = NULL, *sizes = NULL, *dims = NULL;
    if (dnnl_memory_desc_query(layout, dnnl_query_format_kind, &kind) != dnnl_success || kind != dnnl_blocked ||
        dnnl_memory_desc_query(layout, dnnl_query_inner_nblks_s32, &n) != dnnl_success || n > BLOCK_LEVELS ||
        dnnl_memory_desc_query(layout, dnnl_query_strides, &strides) != dnnl_success ||
        dnnl_memory_desc_query(layout, dnnl_query_inner_blks, &sizes) != dnnl_success ||
        dnnl_memory_desc_query(layout, dnnl_query_inner_idxs, &dims) != dnnl_success)
        return FALSE;
    *blocks = (Blocks){.n = n, .stride = {(*strides)[0], (*strides)[1]}};
    for (int i = 0; i < n; i++) {
        blocks->size[i] = (*sizes)[i];
        blocks->dim[i] = (*dims)[i];
    }
    return TRUE;
}
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
static gboolean layout_blocks(LayoutView layout, Blocks *blocks)
{
    const dnnl_blocking_desc_t *from = &layout->format_desc.blocking;
    if (layout->format_kind != dnnl_blocked || from->inner_nblks > BLOCK_LEVELS || layout->extra.flags)
        return FALSE;
    *blocks = (Blocks){.n = from->inner_nblks, .stride = {from->strides[0], from->strides[1]}};
    for (int i = 0; i < from->inner_nblks; i++) {
        blocks->size[i] = from->inner_blks[i];
        blocks->dim[i] = from->inner_idxs[i];
    }
    return TRUE;
}
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
    void *wide; /* x of a thin product as f32, rows of even length */
    gsize wide_bytes;
};

typedef struct {
    gsize first, width;
    dnnl_memory_t weight, bias; /* bias NULL when the linear has none */
    char *weight_bytes;         /* in the linear's memory */
    Kernel *direct[BUCKETS], *tail[BUCKETS]; /* by rows / ROW_STEP - 1, found when first needed; owned by the device */
} Slab;

struct GliLinear {
    GliDevice *device;
    gsize out, in, n_slabs;
    Slab *slabs;
    void *memory;                   /* of all slabs */
    gboolean thin;                  /* thin.c can read the layout: */
    gsize panel_bytes, panel_step;  /* from panel to panel, and thin.h's step */
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
    free(device->wide);
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
    }
    free(linear->memory);
    g_free(linear->slabs);
    g_free(linear->bias);
    g_free(linear);
}

/* Reorders outputs [first, first + width) of W into slab->weight_bytes. W is seen as [in, out] through its strides. */
static gboolean pack_slab(GliLinear *linear, Slab *slab, gboolean in_out, const void *weight, GError **error)
{
    GliDevice *device = linear->device;
    const Kernel *kernel = slab->direct[BUCKETS - 1];
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

/* Is every slab in panels of GLI_PANEL columns, as thin.h wants them? Either blocks [K][64] or [K][64][2] with a panel's blocks
 * one behind the other, or plain rows of a width that panels fill. */
static void look_at_layout(GliLinear *linear)
{
    const gboolean bf16 = linear->device->type == dnnl_bf16;
    const gsize group = bf16 ? 2 : 1, size = linear->device->type_bytes;
    for (gsize s = 0; s < linear->n_slabs; s++) {
        const Slab *slab = &linear->slabs[s];
        Blocks b;
        if (!layout_blocks(VIEW(slab->direct[BUCKETS - 1]->weight), &b))
            return;
        const gboolean blocked = b.n == (bf16 ? 3 : 2) && b.dim[0] == 0 && b.dim[1] == 1 && b.size[1] == GLI_PANEL && (!bf16 || (b.dim[2] == 0 && b.size[2] == 2)) &&
                                 b.stride[0] == b.size[0] * GLI_PANEL * (dnnl_dim_t)group;
        const gboolean plain = b.n == 0 && !bf16 && b.stride[1] == 1 && slab->width % GLI_PANEL == 0;
        const gsize panel = blocked ? (gsize)b.stride[1] * size : GLI_PANEL * size, step = blocked ? GLI_PANEL * group : (gsize)b.stride[0];
        if ((!blocked && !plain) || (s > 0 && (panel != linear->panel_bytes || step != linear->panel_step)))
            return;
        linear->panel_bytes = panel;
        linear->panel_step = step;
    }
    linear->thin = TRUE;
}

/* One block for all slabs. What is left of the last huge page stays small pages, so nothing is wasted. */
static gboolean take_memory(GliLinear *linear, GError **error)
{
    gsize total = 0;
    for (gsize s = 0; s < linear->n_slabs; s++)
        total += round_up(dnnl_memory_desc_get_size(VIEW(linear->slabs[s].direct[BUCKETS - 1]->weight)), ALIGN);
    const gboolean large = total >= 2 * HUGE_PAGE;
    linear->memory = aligned_alloc(large ? HUGE_PAGE : ALIGN, MAX(total, ALIGN));
    if (!linear->memory)
        return glint_fail(error, GLINT_ERROR_FAILED, "not enough memory: %zu MB more were needed", total >> 20);
#ifdef MADV_HUGEPAGE
    if (large)
        (void)madvise(linear->memory, total, MADV_HUGEPAGE); /* only a hint: refused, all works as well, slower */
#endif
    char *at = linear->memory;
    for (gsize s = 0; s < linear->n_slabs; s++) {
        linear->slabs[s].weight_bytes = at;
        at += round_up(dnnl_memory_desc_get_size(VIEW(linear->slabs[s].direct[BUCKETS - 1]->weight)), ALIGN);
    }
    return TRUE;
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
        slab->direct[BUCKETS - 1] = find_kernel(device, TILE, in, slab->width, out, bias != NULL, NULL, error);
        good = slab->direct[BUCKETS - 1] != NULL;
    }
    good = good && take_memory(linear, error);
    for (gsize s = 0; good && s < linear->n_slabs; s++) {
        Slab *slab = &linear->slabs[s];
        good = pack_slab(linear, slab, in_out, weight, error);
        if (good && bias)
            good = !failed(dnnl_memory_create(&slab->bias, VIEW(slab->direct[BUCKETS - 1]->bias), device->engine, linear->bias + slab->first), "cannot pack a bias", error);
    }
    if (good)
        look_at_layout(linear);
    else
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

/* Rows of x as f32, a zero behind each of odd length. */
static gboolean widen(GliDevice *device, gsize rows, gsize in, const void *x, GError **error)
{
    const gsize width = in + in % 2;
    if (!reserve(&device->wide, &device->wide_bytes, rows * width * sizeof(float), error))
        return FALSE;
    for (gsize r = 0; r < rows; r++) {
        float *to = (float *)device->wide + r * width;
        to[width - 1] = 0;
        if (device->type == dnnl_f32)
            memcpy(to, (const float *)x + r * in, in * sizeof *to);
        else
            for (gsize k = 0; k < in; k++) {
                const guint32 bits = (guint32)((const guint16 *)x)[r * in + k] << 16;
                memcpy(&to[k], &bits, sizeof bits);
            }
    }
    return TRUE;
}

static gboolean run_thin(GliLinear *linear, gsize rows, const void *x, float *y, GError **error)
{
    GliDevice *device = linear->device;
    if (!widen(device, rows, linear->in, x, error))
        return FALSE;
    const gsize per_slab = (linear->slabs[0].width + GLI_PANEL - 1) / GLI_PANEL, panels = (linear->out + GLI_PANEL - 1) / GLI_PANEL;
    const gboolean worth = panels > 1 && device->n_workers > 1 && linear->in * linear->out > WORTH_THREADS_THIN;
#pragma omp parallel for schedule(dynamic) num_threads(worth ? device->n_workers : 1)
    for (gsize p = 0; p < panels; p++) {
        const Slab *slab = &linear->slabs[p / per_slab];
        const gsize first = p * GLI_PANEL;
        const GliPanel panel = {slab->weight_bytes + p % per_slab * linear->panel_bytes, linear->panel_step, linear->in, device->type == dnnl_bf16};
        gli_thin_panel(&panel, rows, device->wide, linear->bias ? linear->bias + first : NULL, MIN((gsize)GLI_PANEL, linear->out - first), y + first, linear->out);
    }
    return TRUE;
}

static gboolean dnn_run(GliLinear *linear, gsize rows, const void *x, float *y, GError **error)
{
    if (linear->thin && rows <= THIN_ROWS)
        return run_thin(linear, rows, x, y, error);
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
