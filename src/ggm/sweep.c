/* One sweep over a block's columns, in batches of columns that do not touch each other: bcd.c says why that is exact.
 *
 * A column's new row of W replaces the old one as soon as it is known, while other members of its batch are still being solved: none of them
 * reads it, for they have no member in their active sets. The entries between members are then corrected, and the rows are
 * copied to the columns, both triangles being kept so that rows are contiguous. */
#include "ggm/internal.h"
#include "ggm/real.h"
#include "ggm/simd.h"

#include <math.h>

#define TILE 16 /* rows whose entries in a batch's columns are written while the batch's rows are at hand */

static bool independent(const ggm_descent *d, int j)
{
    const ggm_column *column = &d->block->columns[j];
    if (d->neighbour_of[j] == d->id)
        return false;
    for (int a = 0; a < column->count; a++)
        if (d->batch_of[column->index[a]] == d->id)
            return false;
    return true;
}

/* Takes the first columns still to do in this sweep that are independent of each other; none: the sweep is over */
static void fill_batch(ggm_descent *d)
{
    const int m = d->block->m;
    d->count = 0;
    d->id++;
    while (d->cursor < m && d->batch_of[d->cursor] >= d->first_id)
        d->cursor++;
    const int end = m - d->cursor > 6 * d->width ? d->cursor + 6 * d->width : m;
    for (int j = d->cursor; j < end && d->count < d->width; j++) {
        if (d->batch_of[j] >= d->first_id || !independent(d, j))
            continue;
        const ggm_column *column = &d->block->columns[j];
        d->batch_of[j] = d->id;
        for (int a = 0; a < column->count; a++)
            d->neighbour_of[column->index[a]] = d->id;
        d->member[d->count++] = j;
    }
}

/* old = fresh, and the energy of the change: sum of weight times its square */
GGM_CLONES static double REAL(replace_row)(real *restrict old, const real *restrict fresh, const real *restrict weight, size_t m)
{
    real sum[16] = {0};
    size_t k = 0;
    for (; k + 16 <= m; k += 16)
        for (size_t x = 0; x < 16; x++) {
            real change = fresh[k + x] - old[k + x];
            sum[x] += change * change * weight[k + x];
            old[k + x] = fresh[k + x];
        }
    for (; k < m; k++) {
        sum[0] += (fresh[k] - old[k]) * (fresh[k] - old[k]) * weight[k];
        old[k] = fresh[k];
    }
    double total = 0;
    for (size_t x = 0; x < 16; x++)
        total += (double)sum[x];
    return total;
}

static void solve_member(void *context, int task, int thread)
{
    ggm_descent *d = context;
    const size_t m = (size_t)d->block->m;
    const int j = d->member[task];
    ggm_status status = REAL(ggm_column_solve)(d->block, j, &d->rules, &d->scratch[thread]);
    if (status == GGM_OK) {
        d->energy[j] = d->theta[j] * REAL(replace_row)(W_OF(d->block) + (size_t)j * m, d->scratch[thread].row, d->weight, m);
        return;
    }
    int fine = GGM_OK;
    atomic_compare_exchange_strong(&d->column_status, &fine, (int)status);
}

/* Entries of W between member `second` and those before it: as if they had been replaced before it was solved */
static void correct_member(ggm_descent *d, int second)
{
    const size_t m = (size_t)d->block->m, j2 = (size_t)d->member[second];
    const ggm_column *column = &d->block->columns[j2];
    real *w = W_OF(d->block);
    for (int first = 0; first < second; first++) {
        const size_t j1 = (size_t)d->member[first];
        const real *row = w + j1 * m;
        double sum = 0;
        for (int a = 0; a < column->count; a++)
            if (column->beta[a] != 0) /* members that are to join the active set are in it already, and being corrected just now */
                sum += column->beta[a] * (double)row[column->index[a]];
        w[j1 * m + j2] = w[j2 * m + j1] = (real)sum;
    }
}

/* Rows [from, to) of W take their entries in the batch's columns from the members' rows */
static void copy_columns(const ggm_descent *d, size_t from, size_t to)
{
    const size_t m = (size_t)d->block->m;
    real *w = W_OF(d->block);
    for (size_t k0 = from; k0 < to; k0 += TILE)
        for (size_t k = k0; k < to && k < k0 + TILE; k++) {
            if (d->batch_of[k] == d->id)
                continue;
            real *row = w + k * m;
            for (int x = 0; x < d->count; x++)
                row[d->member[x]] = w[(size_t)d->member[x] * m + k];
        }
}

static void write_back(void *context, int task, int thread)
{
    (void)thread;
    ggm_descent *d = context;
    if (task < d->count) {
        correct_member(d, task);
        return;
    }
    int from, to;
    ggm_slice(d->block->m, task - d->count, &from, &to);
    copy_columns(d, (size_t)from, (size_t)to);
}

double REAL(ggm_sweep)(ggm_descent *d)
{
    const int m = d->block->m;
    real *weight = d->weight;
    d->first_id = d->id + 1;
    d->cursor = 0;
    for (int j = 0; j < m; j++) {
        d->theta[j] = d->block->columns[j].diagonal;
        weight[j] = (real)d->theta[j];
        d->energy[j] = 0;
    }
    for (;;) {
        fill_batch(d);
        if (d->count == 0 || atomic_load(&d->column_status) != GGM_OK || ggm_control_poll(d->control, d->calling))
            break;
        d->rules.member_count = d->count;
        ggm_crew_run(&d->crew, solve_member, d, d->count);
        ggm_crew_run(&d->crew, write_back, d, d->count + ggm_slices(m));
    }
    double energy = 0;
    for (int j = 0; j < m; j++)
        energy += d->energy[j];
    d->block->sweeps++;
    return energy;
}
