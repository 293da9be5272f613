/* Private to dnn.c (devices, primitives, packing) and dnn_run.c (products), the only files that call oneDNN. What oneDNN 2.6 and
 * 3.x spell differently is here. */
#pragma once
#include "model/dnn.h"
#include <oneapi/dnnl/dnnl.h>
#include <string.h>

enum { TILE = 128, ROW_STEP = 16, BUCKETS = TILE / ROW_STEP, SLAB = 384, STRIP = 576, STEP = 64 /* of slabs and strips */, ALIGN = 64 };

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
static inline dnnl_status_t layout_plain(Layout *layout, int n, const dnnl_dims_t dims, dnnl_data_type_t type, const dnnl_dims_t strides)
{
    return dnnl_memory_desc_create_with_strides(layout, n, dims, type, strides);
}
static inline dnnl_status_t layout_any(Layout *layout, int n, const dnnl_dims_t dims, dnnl_data_type_t type)
{
    return dnnl_memory_desc_create_with_tag(layout, n, dims, type, dnnl_format_tag_any);
}
static inline dnnl_status_t layout_copy(Layout *to, LayoutView from) { return dnnl_memory_desc_clone(to, from); }
static inline void layout_clear(Layout *layout) { g_clear_pointer(layout, dnnl_memory_desc_destroy); }
static inline gboolean layout_blocks(LayoutView layout, Blocks *blocks)
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
static inline dnnl_status_t matmul_create(dnnl_primitive_desc_t *pd, LayoutView x, LayoutView w, LayoutView b, LayoutView y,
                                   const_dnnl_primitive_attr_t attr, dnnl_engine_t engine)
{
    return dnnl_matmul_primitive_desc_create(pd, engine, x, w, b, y, attr);
}
static inline dnnl_status_t reorder_create(dnnl_primitive_desc_t *pd, LayoutView from, LayoutView to, dnnl_engine_t engine)
{
    return dnnl_reorder_primitive_desc_create(pd, from, engine, to, engine, NULL);
}
static inline dnnl_status_t append_sum(dnnl_post_ops_t post) { return dnnl_post_ops_append_sum(post, 1.0f, 0, dnnl_data_type_undef); }
#else
typedef dnnl_memory_desc_t Layout; /* a plain structure */
typedef const dnnl_memory_desc_t *LayoutView;
#define VIEW(layout) (&(layout))
static inline dnnl_status_t layout_plain(Layout *layout, int n, const dnnl_dims_t dims, dnnl_data_type_t type, const dnnl_dims_t strides)
{
    return dnnl_memory_desc_init_by_strides(layout, n, dims, type, strides);
}
static inline dnnl_status_t layout_any(Layout *layout, int n, const dnnl_dims_t dims, dnnl_data_type_t type)
{
    return dnnl_memory_desc_init_by_tag(layout, n, dims, type, dnnl_format_tag_any);
}
static inline dnnl_status_t layout_copy(Layout *to, LayoutView from)
{
    *to = *from;
    return dnnl_success;
}
static inline void layout_clear(Layout *layout) { memset(layout, 0, sizeof *layout); }
static inline gboolean layout_blocks(LayoutView layout, Blocks *blocks)
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
static inline dnnl_status_t matmul_create(dnnl_primitive_desc_t *pd, LayoutView x, LayoutView w, LayoutView b, LayoutView y,
                                   const_dnnl_primitive_attr_t attr, dnnl_engine_t engine)
{
    dnnl_matmul_desc_t matmul;
    const dnnl_status_t status = dnnl_matmul_desc_init(&matmul, x, w, b, y);
    return status != dnnl_success ? status : dnnl_primitive_desc_create(pd, &matmul, attr, engine, NULL);
}
static inline dnnl_status_t reorder_create(dnnl_primitive_desc_t *pd, LayoutView from, LayoutView to, dnnl_engine_t engine)
{
    return dnnl_reorder_primitive_desc_create(pd, from, engine, to, engine, NULL);
}
static inline dnnl_status_t append_sum(dnnl_post_ops_t post) { return dnnl_post_ops_append_sum(post, 1.0f); }
#endif

/* oneDNN's handles on a worker's memory, for one kernel. Making them takes longer than a small product, so they are kept. */
typedef struct {
    dnnl_memory_t tile[2], scratch;
    void *scratch_at;
} Handles;

/* A product of one shape, all matrices dense: y (+)= x [rows, in] times w [in, out]. `weight` is the packed layout. */
typedef struct {
    gsize rows, in, out;
    gboolean adds, biased;
    dnnl_primitive_t primitive;
    Layout x, weight, bias, y;
    gsize scratch_bytes;
    Layout scratch;
    int n_workers;
    Handles *handles; /* one per worker */
} Kernel;

typedef struct {
    dnnl_stream_t stream;
    void *scratch;
    float *tile[2]; /* [TILE, SLAB]: what a pair adds up, of the gate and of the up projection */
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

static inline gsize round_up(gsize n, gsize step) { return (n + step - 1) / step * step; }

/* n cut into pieces of about one size, multiples of STEP, of at most `most`. */
static inline gsize even_piece(gsize n, gsize most)
{
    const gsize pieces = (n + most - 1) / most;
    return MIN(round_up((n + pieces - 1) / pieces, STEP), n);
}
static inline gsize strip_of(gsize in) { return even_piece(in, STRIP); }

static inline gsize slab_width(const GliLinear *linear, gsize slab) { return MIN(linear->slab, linear->out - slab * linear->slab); }
static inline gsize strip_width(const GliLinear *linear, gsize strip) { return MIN(linear->strip, linear->in - strip * linear->strip); }


static inline gsize bucket_of(gsize rows) { return (rows + ROW_STEP - 1) / ROW_STEP - 1; }

/* TRUE, with an error, when `status` is one. */
gboolean gli_dnn_failed(dnnl_status_t status, const char *doing, GError **error);
/* At least `bytes` of memory, 64-byte aligned; the old content is lost. */
gboolean gli_dnn_reserve(void **memory, gsize *have, gsize bytes, GError **error);
/* The kernel of a part for `rows` rows, at most TILE; created when first asked for, which must not be inside a parallel region. */
Kernel *gli_dnn_kernel(GliLinear *linear, gsize slab, gsize strip, gsize rows, GError **error);

/* dnn_run.c; see dnn.h. */
gsize gli_dnn_input_bytes(const GliDevice *device, gsize rows, gsize width);
void gli_dnn_put(const GliDevice *device, gsize rows, gsize width, gsize row, gsize first, gsize count, const float *x, void *input);
gboolean gli_dnn_run(GliLinear *linear, gsize rows, const void *x, float *y, GError **error);
gboolean gli_dnn_run_activated(GliLinear *gate, GliLinear *up, GliActivation activation, gsize rows, const void *x, float *y, void *next, GError **error);
