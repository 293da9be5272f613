/* Matrix products by oneDNN on the CPU: devices, primitives, packed weights. The running is in dnn_run.c. Written against
 * 2.6 (Debian 12); what 3.x spells differently is in dnn_private.h.
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
#include "model/dnn_private.h"
#include "model/thin.h"
#include <omp.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { HUGE_PAGE = 2 << 20 };

static const char *status_text(dnnl_status_t status)
{
    return status == dnnl_out_of_memory ? "out of memory" : status == dnnl_unimplemented ? "not implemented for this processor" : "invalid arguments";
}

gboolean gli_dnn_failed(dnnl_status_t status, const char *doing, GError **error)
{
    if (status == dnnl_success)
        return FALSE;
    glint_fail(error, status == dnnl_unimplemented ? GLINT_ERROR_UNSUPPORTED : GLINT_ERROR_FAILED, "oneDNN %s: %s", doing, status_text(status));
    return TRUE;
}

gboolean gli_dnn_reserve(void **memory, gsize *have, gsize bytes, GError **error)
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
    for (int w = 0; w < kernel->n_workers; w++) {
        dnnl_memory_t owned[] = {kernel->handles[w].tile[0], kernel->handles[w].tile[1], kernel->handles[w].scratch};
        for (gsize i = 0; i < G_N_ELEMENTS(owned); i++)
            if (owned[i])
                dnnl_memory_destroy(owned[i]);
    }
    g_free(kernel->handles);
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
    kernel->n_workers = device->n_workers;
    kernel->handles = g_new0(Handles, device->n_workers);
    for (int w = 0; w < device->n_workers; w++)
        for (int t = 0; t < 2 && status == dnnl_success; t++)
            status = dnnl_memory_create(&kernel->handles[w].tile[t], VIEW(kernel->y), device->engine, device->workers[w].tile[t]);
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
    if (gli_dnn_failed(status, "cannot prepare a matrix product", error)) {
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
        free(device->workers[w].tile[0]);
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
    gboolean good = !gli_dnn_failed(dnnl_engine_create(&device->engine, dnnl_cpu, 0), "cannot start", error);
    for (int w = 0; good && w < threads; w++) {
        Worker *worker = &device->workers[w];
        worker->tile[0] = aligned_alloc(ALIGN, 2 * TILE * SLAB * sizeof(float));
        worker->tile[1] = worker->tile[0] + TILE * SLAB;
        good = !gli_dnn_failed(worker->tile[0] ? dnnl_stream_create(&device->workers[w].stream, device->engine, dnnl_stream_default_flags) : dnnl_out_of_memory,
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
    g_autofree char *name = gli_dnn_kernel_name(TRUE);
    return name && !g_str_has_prefix(name, "ref");
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

/* The kernel of a part for `rows` rows, at most TILE. The first strip of a slab brings the bias, the others add to it. */
Kernel *gli_dnn_kernel(GliLinear *linear, gsize slab, gsize strip, gsize rows, GError **error)
{
    Part *part = &linear->parts[slab * linear->n_strips + strip];
    const gsize bucket = bucket_of(rows);
    if (!part->kernels[bucket]) {
        const Kernel wanted = {.rows = (bucket + 1) * ROW_STEP, .in = strip_width(linear, strip), .out = slab_width(linear, slab), .adds = strip > 0,
                               .biased = strip == 0 && linear->bias};
        const Kernel *full = part->kernels[BUCKETS - 1];
        part->kernels[bucket] = find_kernel(linear->device, wanted, full ? VIEW(full->weight) : NULL, error);
    }
    return part->kernels[bucket];
}

/* Reorders a part of W, seen as [in, out] through its strides, into its place. */
static dnnl_status_t pack_part(GliLinear *linear, const Worker *worker, gsize slab, gsize strip, gboolean in_out, const char *weight)
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
        status = dnnl_primitive_execute(reorder, worker->stream, 2, args);
    }
    if (status == dnnl_success)
        status = dnnl_stream_wait(worker->stream);
    if (reorder)
        dnnl_primitive_destroy(reorder);
    if (pd)
        dnnl_primitive_desc_destroy(pd);
    if (from)
        dnnl_memory_destroy(from);
    layout_clear(&plain);
    return status;
}

static gboolean pack_bias(GliLinear *linear, GError **error)
{
    linear->biases = g_new0(dnnl_memory_t, linear->n_slabs);
    for (gsize s = 0; s < linear->n_slabs; s++) {
        const Kernel *kernel = linear->parts[s * linear->n_strips].kernels[BUCKETS - 1];
        if (gli_dnn_failed(dnnl_memory_create(&linear->biases[s], VIEW(kernel->bias), linear->device->engine, linear->bias + s * linear->slab), "cannot pack a bias", error))
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
    if (posix_memalign(&linear->memory, large ? HUGE_PAGE : ALIGN, MAX(total, ALIGN)) != 0) /* aligned_alloc wants whole multiples */
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
        if (!gli_dnn_kernel(linear, i / linear->n_strips, i % linear->n_strips, TILE, error))
            return FALSE;
    if (!take_memory(linear, error))
        return FALSE;
    int worst = dnnl_success;
#pragma omp parallel for schedule(static) num_threads(linear->device->n_workers) reduction(max : worst)
    for (gsize i = 0; i < n; i++) { /* by all threads: most of the time goes into memory's first touch, and it spreads over NUMA nodes */
        const Worker *worker = &linear->device->workers[omp_get_thread_num()];
        const dnnl_status_t status = pack_part(linear, worker, i / linear->n_strips, i % linear->n_strips, in_out, weight);
        worst = MAX(worst, (int)status);
    }
    if (gli_dnn_failed((dnnl_status_t)worst, "cannot pack a weight", error))
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

const GliMatrixOps gli_dnn = {dnn_open, dnn_close, dnn_has_fast_bf16, dnn_pack, dnn_release, gli_dnn_input_bytes, gli_dnn_put, gli_dnn_run, gli_dnn_run_activated};

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

char *gli_dnn_kernel_name(gboolean bf16)
{
    GliDevice *device = dnn_open(bf16, 1, NULL);
    const Kernel *kernel = device ? find_kernel(device, (Kernel){.rows = TILE, .in = STRIP, .out = SLAB}, NULL, NULL) : NULL;
    const_dnnl_primitive_desc_t view = NULL;
    const char *name = NULL;
    if (kernel && dnnl_primitive_get_primitive_desc(kernel->primitive, &view) == dnnl_success)
        dnnl_primitive_desc_query(view, dnnl_query_impl_info_str, 0, &name);
    char *copy = g_strdup(name);
    dnn_close(device);
    return copy;
}
