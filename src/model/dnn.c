/* Matrix products by oneDNN on the CPU: the only file that calls it. Written against 2.6 (Debian 12); what 3.x spells
 * differently is behind DNNL_VERSION_MAJOR at the top.
 *
 * A weight [out, in] is cut into slabs of at most SLAB outputs, and each slab into strips of at most STRIP inputs, packed once into
 * the layout oneDNN asks for. A product is cut into tiles of TILE rows. A (tile, slab) pair is one thread's work: a oneDNN call for
 * each strip, summed up in a tile of the thread's own, then one pass over that tile, still in the cache, to where it is wanted. So
 * nothing inside a product depends on the number of threads, and few primitives are ever created: row counts are rounded up to a
 * multiple of ROW_STEP, so a linear needs a handful of them, shared by all layers of one shape.
 *
 * Measured on a Sapphire Rapids core with AMX, bf16: oneDNN 2.6 reaches 600 GFLOP/s where x or y has a stride (it leaves its AMX
 * kernels then), 640 at 6,912 inputs, 1,000 at 1,152 inputs and as many outputs, 1,900 to 2,100 where x, y and the weight are
 * dense and small enough for the L2 cache, as here. Hence strips, for which x too is cut (gli_dnn.put), and dense tiles.
 *
 * Products of up to THIN_ROWS rows, which decoding is made of, are memory's business and not oneDNN's: thin.c does them on the
 * same packed weights, where it can read their layout (panels of 64 columns, which is what oneDNN's kernels for AVX-512 and AMX ask for).
 * A weight's parts are one block of memory, in huge pages where the system gives them: reading them is up to twice as fast.
 *
 * On a Zen 4 core tiles of 128 rows reach its rate too (114 GFLOP/s f32). Creating a primitive takes 0.05 to 0.5 ms.
 *
 * Primitives are created while OpenMP is set to one thread, for oneDNN plans for the threads it sees then, and run inside a
 * parallel region, where it stays on the calling thread. Scratch memory is ours, one per thread. */
#include "model/dnn.h"
#include "base/error.h"
#include "model/ops.h"
#include "model/thin.h"
#include <omp.h>
#include <oneapi/dnnl/dnnl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { TILE = 128, ROW_STEP = 16, BUCKETS = TILE / ROW_STEP, SLAB = 384, STRIP = 576, STEP = 64 /* of slabs and strips */, ALIGN = 64 };

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
static dnnl_status_t append_sum(dnnl_post_ops_t post) { return dnnl_post_ops_append_sum(post, 1.0f, 0, dnnl_data_type_undef); }
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
static dnnl_status_t append_sum(dnnl_post_ops_t post) { return dnnl_post_ops_append_sum(post, 1.0f); }
#endif

/* A product of one shape, all matrices dense: y (+)= x [rows, in] times w [in, out]. `weight` is the packed layout. */
typedef struct {
    gsize rows, in, out;
    gboolean adds, biased;
    dnnl_primitive_t primitive;
    Layout x, weight, bias, y;
    gsize scratch_bytes;
    Layout scratch;
} Kernel;

typedef struct {
    dnnl_stream_t stream;
    void *scratch;
    float *tile, *tile_up; /* [TILE, SLAB]: what a pair adds up */
    gsize scratch_bytes;
} Worker;

struct GliDevice {
    dnnl_engine_t engine;
    dnnl_data_type_t type;
    gsize type_bytes;
    int n_workers;
    Worker *workers;
    GPtrArray *kernels; /* of Kernel, owned */
    void *wide; /* of a thin product: x as f32, rows of even length, then what it gives before the activation function */
    gsize wide_bytes;
};

/* One slab's outputs times one strip's inputs. Kernels by (rows + ROW_STEP - 1) / ROW_STEP - 1, found when first needed, owned by
 * the device; the last one's layout is the weight's. */
typedef struct {
    dnnl_memory_t weight;
    char *bytes;                   /* in the linear's memory */
    gsize panel_bytes, panel_step; /* from panel to panel, and thin.h's step; if the linear is thin */
    Kernel *kernels[BUCKETS];
} Part;

struct GliLinear {
    GliDevice *device;
    gsize out, in, slab, strip, n_slabs, n_strips;
    Part *parts;        /* [n_slabs][n_strips] */
    dnnl_memory_t *biases; /* [n_slabs], NULL when the linear has none */
    float *bias;
    void *memory;       /* of all parts, in order */
    gboolean thin;      /* thin.c can read the layout */
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

/* n cut into pieces of about one size, multiples of STEP, of at most `most`. */
static gsize even_piece(gsize n, gsize most)
{
    const gsize pieces = (n + most - 1) / most;
    return MIN(round_up((n + pieces - 1) / pieces, STEP), n);
}
static gsize strip_of(gsize in) { return even_piece(in, STRIP); }

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
static dnnl_status_t make_attributes(dnnl_primitive_attr_t *attr, gboolean adds)
{
    dnnl_post_ops_t post = NULL;
    dnnl_status_t status = dnnl_primitive_attr_create(attr);
    if (status == dnnl_success)
        status = dnnl_primitive_attr_set_scratchpad_mode(*attr, dnnl_scratchpad_mode_user);
    if (status == dnnl_success)
        status = dnnl_primitive_attr_set_fpmath_mode(*attr, dnnl_fpmath_mode_strict);
    if (status == dnnl_success && adds)
        status = dnnl_post_ops_create(&post);
    if (status == dnnl_success && adds)
        status = append_sum(post);
    if (status == dnnl_success && adds)
        status = dnnl_primitive_attr_set_post_ops(*attr, post);
    if (post)
        dnnl_post_ops_destroy(post);
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
        status = plain_matrix(&kernel->y, kernel->rows, kernel->out, dnnl_f32, kernel->out, 1);
    if (status == dnnl_success)
        status = plain_matrix(&kernel->bias, 1, kernel->out, dnnl_f32, kernel->out, 1);
    if (status == dnnl_success)
        status = packed ? layout_copy(&any, packed) : layout_any(&any, 2, weight_dims, device->type);
    if (status == dnnl_success)
        status = make_attributes(&attr, kernel->adds);
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
static Kernel *find_kernel(GliDevice *device, Kernel wanted, LayoutView packed, GError **error)
{
    for (guint i = 0; i < device->kernels->len; i++) {
        Kernel *kernel = g_ptr_array_index(device->kernels, i);
        if (kernel->rows == wanted.rows && kernel->in == wanted.in && kernel->out == wanted.out && kernel->adds == wanted.adds &&
            kernel->biased == wanted.biased && (!packed || dnnl_memory_desc_equal(VIEW(kernel->weight), packed)))
            return kernel;
    }
    Kernel *kernel = g_memdup2(&wanted, sizeof wanted);
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
        free(device->workers[w].tile);
    }
    if (device->engine)
        dnnl_engine_destroy(device->engine);
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
        Worker *worker = &device->workers[w];
        worker->tile = aligned_alloc(ALIGN, 2 * TILE * SLAB * sizeof(float));
        worker->tile_up = worker->tile + TILE * SLAB;
        good = !failed(worker->tile ? dnnl_stream_create(&device->workers[w].stream, device->engine, dnnl_stream_default_flags) : dnnl_out_of_memory,
                       "cannot start", error);
    }
    if (good && bf16) { /* try a product now: better refused here than in the middle of a run */
        GError *reason = NULL;
        if (!find_kernel(device, (Kernel){.rows = TILE, .in = STEP, .out = STEP}, NULL, &reason)) {
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
    for (gsize i = 0; i < linear->n_slabs * linear->n_strips; i++)
        if (linear->parts[i].weight)
            dnnl_memory_destroy(linear->parts[i].weight);
    for (gsize s = 0; linear->biases && s < linear->n_slabs; s++)
        if (linear->biases[s])
            dnnl_memory_destroy(linear->biases[s]);
    free(linear->memory);
    g_free(linear->parts);
    g_free(linear->biases);
    g_free(linear->bias);
    g_free(linear);
}

static gsize slab_width(const GliLinear *linear, gsize slab) { return MIN(linear->slab, linear->out - slab * linear->slab); }
static gsize strip_width(const GliLinear *linear, gsize strip) { return MIN(linear->strip, linear->in - strip * linear->strip); }

/* The kernel of a part for `rows` rows, at most TILE. The first strip of a slab brings the bias, the others add to it. */
static Kernel *part_kernel(GliLinear *linear, gsize slab, gsize strip, gsize rows, GError **error)
{
    Part *part = &linear->parts[slab * linear->n_strips + strip];
    const gsize bucket = (rows + ROW_STEP - 1) / ROW_STEP - 1;
    if (!part->kernels[bucket]) {
        const Kernel wanted = {.rows = (bucket + 1) * ROW_STEP, .in = strip_width(linear, strip), .out = slab_width(linear, slab), .adds = strip > 0,
                               .biased = strip == 0 && linear->bias};
        const Kernel *full = part->kernels[BUCKETS - 1];
        part->kernels[bucket] = find_kernel(linear->device, wanted, full ? VIEW(full->weight) : NULL, error);
    }
    return part->kernels[bucket];
}

/* Reorders a part of W, seen as [in, out] through its strides, into `to`. */
static gboolean pack_part(GliLinear *linear, gsize slab, gsize strip, gboolean in_out, const char *weight, GError **error)
{
    GliDevice *device = linear->device;
    Part *part = &linear->parts[slab * linear->n_strips + strip];
    const Kernel *kernel = part->kernels[BUCKETS - 1];
    const gsize row = strip * linear->strip, column = slab * linear->slab;
    const gsize row_stride = in_out ? linear->out : 1, column_stride = in_out ? 1 : linear->in;
    const char *start = weight + (row * row_stride + column * column_stride) * device->type_bytes;
    Layout plain;
    memset(&plain, 0, sizeof plain);
    dnnl_memory_t from = NULL;
    dnnl_primitive_desc_t pd = NULL;
    dnnl_primitive_t reorder = NULL;
    dnnl_status_t status = plain_matrix(&plain, kernel->in, kernel->out, device->type, row_stride, column_stride);
    if (status == dnnl_success)
        status = dnnl_memory_create(&from, VIEW(plain), device->engine, (void *)start);
    if (status == dnnl_success)
        status = dnnl_memory_create(&part->weight, VIEW(kernel->weight), device->engine, part->bytes);
    if (status == dnnl_success)
        status = reorder_create(&pd, VIEW(plain), VIEW(kernel->weight), device->engine);
    if (status == dnnl_success)
        status = dnnl_primitive_create(&reorder, pd);
    if (status == dnnl_success) {
        const dnnl_exec_arg_t args[] = {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, part->weight}};
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

static gboolean pack_bias(GliLinear *linear, GError **error)
{
    linear->biases = g_new0(dnnl_memory_t, linear->n_slabs);
    for (gsize s = 0; s < linear->n_slabs; s++) {
        const Kernel *kernel = linear->parts[s * linear->n_strips].kernels[BUCKETS - 1];
        if (failed(dnnl_memory_create(&linear->biases[s], VIEW(kernel->bias), linear->device->engine, linear->bias + s * linear->slab), "cannot pack a bias", error))
            return FALSE;
    }
    return TRUE;
}

/* Is every part in panels of GLI_PANEL columns, as thin.h wants them? Either blocks [K][64] or [K][64][2] with a panel's blocks
 * one behind the other, or plain rows of a width that panels fill. */
static void look_at_layout(GliLinear *linear)
{
    const gboolean bf16 = linear->device->type == dnnl_bf16;
    const gsize group = bf16 ? 2 : 1, size = linear->device->type_bytes;
    for (gsize i = 0; i < linear->n_slabs * linear->n_strips; i++) {
        Part *part = &linear->parts[i];
        Blocks b;
        if (!layout_blocks(VIEW(part->kernels[BUCKETS - 1]->weight), &b))
            return;
        const gboolean blocked = b.n == (bf16 ? 3 : 2) && b.dim[0] == 0 && b.dim[1] == 1 && b.size[1] == GLI_PANEL && (!bf16 || (b.dim[2] == 0 && b.size[2] == 2)) &&
                                 b.stride[0] == b.size[0] * GLI_PANEL * (dnnl_dim_t)group;
        const gboolean plain = b.n == 0 && !bf16 && b.stride[1] == 1 && slab_width(linear, i / linear->n_strips) % GLI_PANEL == 0;
        if (!blocked && !plain)
            return;
        part->panel_bytes = blocked ? (gsize)b.stride[1] * size : GLI_PANEL * size;
        part->panel_step = blocked ? GLI_PANEL * group : (gsize)b.stride[0];
    }
    linear->thin = TRUE;
}

/* One block for all parts. What is left of the last huge page stays small pages, so nothing is wasted. */
static gboolean take_memory(GliLinear *linear, GError **error)
{
    gsize total = 0;
    for (gsize i = 0; i < linear->n_slabs * linear->n_strips; i++)
        total += round_up(dnnl_memory_desc_get_size(VIEW(linear->parts[i].kernels[BUCKETS - 1]->weight)), ALIGN);
    const gboolean large = total >= 2 * HUGE_PAGE;
    linear->memory = aligned_alloc(large ? HUGE_PAGE : ALIGN, MAX(total, ALIGN));
    if (!linear->memory)
        return glint_fail(error, GLINT_ERROR_FAILED, "not enough memory: %zu MB more were needed", total >> 20);
#ifdef MADV_HUGEPAGE
    if (large)
        (void)madvise(linear->memory, total, MADV_HUGEPAGE); /* only a hint: refused, all works as well, slower */
#endif
    char *at = linear->memory;
    for (gsize i = 0; i < linear->n_slabs * linear->n_strips; i++) {
        linear->parts[i].bytes = at;
        at += round_up(dnnl_memory_desc_get_size(VIEW(linear->parts[i].kernels[BUCKETS - 1]->weight)), ALIGN);
    }
    return TRUE;
}

static gboolean pack_parts(GliLinear *linear, gboolean in_out, const void *weight, GError **error)
{
    const gsize n = linear->n_slabs * linear->n_strips;
    for (gsize i = 0; i < n; i++)
        if (!part_kernel(linear, i / linear->n_strips, i % linear->n_strips, TILE, error))
            return FALSE;
    if (!take_memory(linear, error))
        return FALSE;
    for (gsize i = 0; i < n; i++)
        if (!pack_part(linear, i / linear->n_strips, i % linear->n_strips, in_out, weight, error))
            return FALSE;
    look_at_layout(linear);
    return !linear->bias || pack_bias(linear, error);
}

static GliLinear *dnn_pack(GliDevice *device, gsize out, gsize in, gboolean in_out, const void *weight, const float *bias, GError **error)
{
    GliLinear *linear = g_new0(GliLinear, 1);
    *linear = (GliLinear){.device = device, .out = out, .in = in, .slab = even_piece(out, SLAB), .strip = strip_of(in)};
    linear->n_slabs = (out + linear->slab - 1) / linear->slab;
    linear->n_strips = (in + linear->strip - 1) / linear->strip;
    linear->parts = g_new0(Part, linear->n_slabs * linear->n_strips);
    linear->bias = bias ? g_memdup2(bias, out * sizeof *bias) : NULL;
    if (!pack_parts(linear, in_out, weight, error))
        g_clear_pointer(&linear, dnn_release);
    return linear;
}

/* ---- x as products read it: strip by strip, [strip][rows][its width] in the device's type ---- */

/* Behind the last row a kernel may read up to ROW_STEP - 1 rows more. What they hold goes into rows of a tile that nobody looks at. */
static gsize dnn_input_bytes(const GliDevice *device, gsize rows, gsize width)
{
    return (rows * width + ROW_STEP * strip_of(width)) * device->type_bytes;
}

static void dnn_put(const GliDevice *device, gsize rows, gsize width, gsize row, gsize first, gsize count, const float *x, void *input)
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

/* The kernels and the scratch memory that a product of `rows` rows will use, before threads start. */
static gboolean prepare(GliLinear *linear, gsize rows, GError **error)
{
    GliDevice *device = linear->device;
    const gsize counts[] = {rows >= TILE ? TILE : 0, rows % TILE};
    gsize scratch = 1;
    for (gsize i = 0; i < linear->n_slabs * linear->n_strips; i++)
        for (int c = 0; c < 2; c++) {
            const Kernel *kernel = counts[c] ? part_kernel(linear, i / linear->n_strips, i % linear->n_strips, counts[c], error) : NULL;
            if (counts[c] && !kernel)
                return FALSE;
            scratch = MAX(scratch, kernel ? kernel->scratch_bytes : 0);
        }
    for (int w = 0; w < device->n_workers; w++)
        if (!reserve(&device->workers[w].scratch, &device->workers[w].scratch_bytes, scratch, error))
            return FALSE;
    return TRUE;
}

static dnnl_status_t run_kernel(const GliDevice *device, const Worker *worker, const Kernel *kernel, dnnl_memory_t weight, dnnl_memory_t bias,
                                const void *x, float *y)
{
    dnnl_memory_t in = NULL, out = NULL, scratch = NULL;
    dnnl_status_t status = dnnl_memory_create(&in, VIEW(kernel->x), device->engine, (void *)x);
    if (status == dnnl_success)
        status = dnnl_memory_create(&out, VIEW(kernel->y), device->engine, y);
    if (status == dnnl_success)
        status = dnnl_memory_create(&scratch, VIEW(kernel->scratch), device->engine, worker->scratch);
    if (status == dnnl_success) {
        const dnnl_exec_arg_t args[] = {{DNNL_ARG_SRC, in}, {DNNL_ARG_WEIGHTS, weight}, {DNNL_ARG_DST, out}, {DNNL_ARG_SCRATCHPAD, scratch},
                                        {DNNL_ARG_BIAS, bias}};
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

/* tile [count, slab's width] = rows [first, first + count) of x times a slab. */
static dnnl_status_t run_pair(const GliLinear *linear, const Worker *worker, gsize slab, gsize first, gsize count, gsize rows, const void *x, float *tile)
{
    dnnl_status_t status = dnnl_success;
    for (gsize p = 0; p < linear->n_strips && status == dnnl_success; p++) {
        const Part *part = &linear->parts[slab * linear->n_strips + p];
        const Kernel *kernel = part->kernels[(count + ROW_STEP - 1) / ROW_STEP - 1];
        const gsize at = p * linear->strip * rows + first * kernel->in;
        status = run_kernel(linear->device, worker, kernel, part->weight, linear->biases ? linear->biases[slab] : NULL,
                            (const char *)x + at * linear->device->type_bytes, tile);
    }
    return status;
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
} Job;

static dnnl_status_t run_job_pair(const Job *job, const Worker *worker, gsize slab, gsize first, gsize count)
{
    const GliLinear *linear = job->linear;
    const gsize width = slab_width(linear, slab), column = slab * linear->slab;
    dnnl_status_t status = run_pair(linear, worker, slab, first, count, job->rows, job->x, worker->tile);
    if (status == dnnl_success && job->up)
        status = run_pair(job->up, worker, slab, first, count, job->rows, job->x, worker->tile_up);
    for (gsize r = 0; r < count && status == dnnl_success; r++) {
        float *row = worker->tile + r * width;
        if (job->activates)
            gli_activate_run(job->activation, row, job->up ? worker->tile_up + r * width : NULL, width);
        if (job->y)
            memcpy(job->y + (first + r) * linear->out + column, row, width * sizeof *row);
        if (job->next)
            dnn_put(linear->device, job->rows, linear->out, first + r, column, width, row, job->next);
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
    if (!reserve(&device->wide, &device->wide_bytes, (width + 2 * out) * rows * sizeof(float), error))
        return FALSE;
    float *wide = device->wide, *up = wide + rows * width, *y = job->y ? job->y : up + rows * out;
    widen(device, rows, linear->in, job->x, wide);
    multiply_thin(linear, rows, wide, y);
    if (job->up)
        multiply_thin(job->up, rows, wide, up);
    if (job->activates)
        gli_activate(job->activation, y, job->up ? up : NULL, rows, out);
    for (gsize r = 0; r < rows && job->next; r++)
        dnn_put(device, rows, out, r, 0, out, y + r * out, job->next);
    return TRUE;
}

static gboolean run_job(const Job *job, GError **error)
{
    GliDevice *device = job->linear->device;
    if (job->rows <= THIN_ROWS && job->linear->thin && (!job->up || job->up->thin))
        return run_thin(job, error);
    const gsize rows = job->rows, tiles = (rows + TILE - 1) / TILE, pairs = tiles * job->linear->n_slabs;
    if (!prepare(job->linear, rows, error) || (job->up && !prepare(job->up, rows, error)))
        return FALSE;
    const gboolean worth = pairs > 1 && device->n_workers > 1 && round_up(rows, ROW_STEP) * job->linear->in * job->linear->out > WORTH_THREADS;
    const int threads = omp_get_max_threads();
    if (!worth) /* outside a parallel region oneDNN would take threads of its own */
        omp_set_num_threads(1);
    int worst = dnnl_success;
#pragma omp parallel for schedule(dynamic) num_threads(worth ? device->n_workers : 1) reduction(max : worst)
    for (gsize pair = 0; pair < pairs; pair++) { /* slabs outermost: threads on the same weights share the cache */
        const gsize first = pair % tiles * TILE;
        const dnnl_status_t status = run_job_pair(job, &device->workers[omp_get_thread_num()], pair / tiles, first, MIN((gsize)TILE, rows - first));
        worst = MAX(worst, (int)status);
    }
    omp_set_num_threads(threads);
    return !failed((dnnl_status_t)worst, "failed in a matrix product", error);
}

static gboolean dnn_run(GliLinear *linear, gsize rows, const void *x, float *y, GError **error)
{
    const Job job = {.linear = linear, .rows = rows, .x = x, .y = y};
    return run_job(&job, error);
}

static gboolean dnn_run_activated(GliLinear *gate, GliLinear *up, GliActivation activation, gsize rows, const void *x, float *y, void *next, GError **error)
{
    const Job job = {.linear = gate, .up = up, .rows = rows, .x = x, .y = y, .next = next, .activation = activation, .activates = TRUE};
    g_assert(!up || (up->device == gate->device && up->out == gate->out && up->in == gate->in));
    return run_job(&job, error);
}

const GliMatrixOps gli_dnn = {dnn_open, dnn_close, dnn_has_fast_bf16, dnn_pack, dnn_release, dnn_input_bytes, dnn_put, dnn_run, dnn_run_activated};
