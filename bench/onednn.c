/* See onednn.h. */
#include "onednn.h"
#include "bench.h"
#include <oneapi/dnnl/dnnl.h>
#include <string.h>

#if DNNL_VERSION_MAJOR >= 3
typedef dnnl_memory_desc_t Layout;

static void plain(Layout *layout, gsize rows, gsize columns, dnnl_data_type_t type, dnnl_format_tag_t tag)
{
    const dnnl_dims_t dims = {(dnnl_dim_t)rows, (dnnl_dim_t)columns};
    bench_require(dnnl_memory_desc_create_with_tag(layout, 2, dims, type, tag) == dnnl_success, "oneDNN layout");
}
static void create(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, Layout *x, Layout *w, Layout *y)
{
    bench_require(dnnl_matmul_primitive_desc_create(pd, engine, *x, *w, NULL, *y, NULL) == dnnl_success, "oneDNN product");
}
#else
typedef dnnl_memory_desc_t Layout;

static void plain(Layout *layout, gsize rows, gsize columns, dnnl_data_type_t type, dnnl_format_tag_t tag)
{
    const dnnl_dims_t dims = {(dnnl_dim_t)rows, (dnnl_dim_t)columns};
    bench_require(dnnl_memory_desc_init_by_tag(layout, 2, dims, type, tag) == dnnl_success, "oneDNN layout");
}
static void create(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, Layout *x, Layout *w, Layout *y)
{
    dnnl_matmul_desc_t matmul;
    bench_require(dnnl_matmul_desc_init(&matmul, x, w, NULL, y) == dnnl_success && dnnl_primitive_desc_create(pd, &matmul, NULL, engine, NULL) == dnnl_success,
                  "oneDNN product");
}
#endif

static dnnl_memory_t filled(dnnl_engine_t engine, const_dnnl_primitive_desc_t pd, dnnl_query_t what, void **bytes)
{
    dnnl_memory_t memory = NULL;
    const gsize size = dnnl_memory_desc_get_size(dnnl_primitive_desc_query_md(pd, what, 0));
    *bytes = aligned_alloc(64, (size + 63) / 64 * 64);
    bench_require(*bytes != NULL, "no memory");
    memset(*bytes, 0, size);
    bench_require(dnnl_memory_create(&memory, dnnl_primitive_desc_query_md(pd, what, 0), engine, *bytes) == dnnl_success, "oneDNN memory");
    return memory;
}

void bench_onednn(gboolean bf16, gsize rows, gsize in, gsize out, double *wall, double *cpu)
{
    const dnnl_data_type_t type = bf16 ? dnnl_bf16 : dnnl_f32;
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    dnnl_primitive_desc_t pd;
    dnnl_primitive_t product;
    Layout x, w, y;
    bench_require(dnnl_engine_create(&engine, dnnl_cpu, 0) == dnnl_success && dnnl_stream_create(&stream, engine, dnnl_stream_default_flags) == dnnl_success, "oneDNN");
    plain(&x, rows, in, type, dnnl_ab);
    plain(&w, in, out, type, dnnl_format_tag_any);
    plain(&y, rows, out, dnnl_f32, dnnl_ab);
    create(&pd, engine, &x, &w, &y);
    bench_require(dnnl_primitive_create(&product, pd) == dnnl_success, "oneDNN primitive");
    void *bytes[3];
    dnnl_exec_arg_t args[] = {{DNNL_ARG_SRC, filled(engine, pd, dnnl_query_src_md, &bytes[0])},
                              {DNNL_ARG_WEIGHTS, filled(engine, pd, dnnl_query_weights_md, &bytes[1])},
                              {DNNL_ARG_DST, filled(engine, pd, dnnl_query_dst_md, &bytes[2])}};
    *wall = *cpu = 1e300;
    for (int k = 0; k < 6; k++) {
        const BenchTime start = bench_now();
        bench_require(dnnl_primitive_execute(product, stream, 3, args) == dnnl_success && dnnl_stream_wait(stream) == dnnl_success, "oneDNN run");
        const BenchTime took = bench_since(start);
        *wall = MIN(*wall, took.wall);
        *cpu = MIN(*cpu, took.cpu);
    }
    for (int i = 0; i < 3; i++) {
        dnnl_memory_destroy(args[i].memory);
        free(bytes[i]);
    }
    dnnl_primitive_destroy(product);
    dnnl_primitive_desc_destroy(pd);
    dnnl_stream_destroy(stream);
    dnnl_engine_destroy(engine);
}
