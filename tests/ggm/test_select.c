/* The choice of lambda: EBIC against plain loops, extension of the grid, density; threads, memory, interrupt, degenerate input; planted graphs. What
 * needs resamples is in test_resampled.c. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "ggm/select_case.h"

#include <math.h>
#include <stdlib.h>
#include <time.h>

/* ---- EBIC ---- */
static void test_ebic(void **state)
{
    (void)state;
    double *x = sample_rows(310, P, N, NULL), mean[P], s[P * P];
    size_t *rows = all_rows(N);
    plain_covariance(x, P, rows, N, NULL, mean, s);
    ggm_problem problem = {.p = P, .s = s, .scale = true};
    ggm_select_settings select = defaults(GGM_CRITERION_EBIC);
    select.path.keep = true;
    select.path.n = N;
    ggm_selection selection;
    assert_int_equal(ggm_select(&problem, NULL, &select, &selection), GGM_OK);
    assert_int_equal(selection.outcome, GGM_CONVERGED);
    assert_int_equal(selection.count, selection.path.count);
    assert_false(selection.at_end);
    for (size_t k = 0; k < selection.count; k++) {
        const ggm_sparse *t = &selection.path.points[k].precision;
        double dense[P * P], trace = 0, edges = 0;
        ggm_sparse_to_dense(t, dense);
        for (int i = 0; i < P; i++)
            for (int j = 0; j < P; j++) {
                trace += s[i * P + j] * dense[i * P + j];
                edges += j > i && dense[i * P + j] != 0;
            }
        double ebic = -N * (plain_logdet(dense, P) - trace) + edges * log(N) + 4 * 0.5 * edges * log(P);
        assert_true(fabs(ebic - selection.points[k].score) <= 1e-7 * fabs(ebic));
        assert_true(selection.points[k].edges == edges);
        assert_true(selection.points[selection.chosen].score <= selection.points[k].score);
    }
    assert_choice(&problem, &selection);
    /* the same from samples, which know n, and without keeping the path */
    ggm_samples samples = {.n = N, .p = P, .x = x};
    ggm_problem sampled = {.p = P, .samples = &samples, .scale = true};
    select.path.n = 0;
    select.path.keep = false;
    ggm_selection other;
    assert_int_equal(ggm_select(&sampled, NULL, &select, &other), GGM_OK);
    assert_int_equal(other.chosen, selection.chosen);
    assert_true(fabs(other.lambda - selection.lambda) <= 1e-12);
    assert_int_equal(other.path.points[1].precision.nnz, 0);
    ggm_selection_release(&other);
    ggm_selection_release(&selection);
    assert_int_equal(ggm_select(&problem, NULL, &select, &selection), GGM_ERROR_ARGUMENT); /* n is not known */
    free(x);
    free(rows);
}

/* The optimum beyond the grid is found, and said when it is not looked for */
static void test_extension(void **state)
{
    (void)state;
    double *x = sample_rows(311, P, N, NULL);
    ggm_samples samples = {.n = N, .p = P, .x = x};
    ggm_problem problem = {.p = P, .samples = &samples, .scale = true};
    static const ggm_criterion criteria[] = {GGM_CRITERION_EBIC, GGM_CRITERION_CV, GGM_CRITERION_STARS};
    for (int c = 0; c < 3; c++) {
        ggm_select_settings select = defaults(criteria[c]);
        select.path.count = 12;
        select.path.ratio = 0.05;
        select.instability = 0.1;
        ggm_selection wide, low, high, none;
        assert_int_equal(ggm_select(&problem, NULL, &select, &wide), GGM_OK);
        assert_false(wide.at_end);
        assert_true(wide.chosen >= 3 && wide.chosen <= wide.count - 2);
        double lambdas[40];
        for (size_t k = 0; k < wide.count; k++)
            lambdas[k] = wide.points[k].lambda;
        select.path.lambdas = lambdas; /* the upper end only */
        select.path.count = wide.chosen - 1; /* not two: EBIC's first edges can be a dent of their own */
        assert_int_equal(ggm_select(&problem, NULL, &select, &high), GGM_OK);
        assert_false(high.at_end);
        assert_true(fabs(high.lambda / wide.lambda - 1) < 1e-9);
        select.path.lambdas = lambdas + wide.chosen + 1; /* the lower end only */
        select.path.count = wide.count - wide.chosen - 1 < 2 ? 1 : 2;
        if (select.path.count == 2) {
            assert_int_equal(ggm_select(&problem, NULL, &select, &low), GGM_OK);
            assert_false(low.at_end);
            assert_true(fabs(low.lambda / wide.lambda - 1) < 1e-9);
            ggm_selection_release(&low);
        }
        select.extensions = 0;
        assert_int_equal(ggm_select(&problem, NULL, &select, &none), GGM_OK);
        assert_true(none.at_end);
        assert_true(none.lambda == select.path.lambdas[0]);
        print_message("%s: %zu lambdas, from above %zu; without more it ends at %.3f instead of %.3f\n", ggm_criterion_text(criteria[c]), wide.count, high.count,
                      none.lambda, wide.lambda);
        ggm_selection_release(&wide);
        ggm_selection_release(&high);
        ggm_selection_release(&none);
    }
    free(x);
}

/* ---- density ---- */
static void test_density(void **state)
{
    (void)state;
    double *x = sample_rows(316, P, N, NULL);
    ggm_samples samples = {.n = N, .p = P, .x = x};
    ggm_problem problem = {.p = P, .samples = &samples, .scale = true};
    ggm_select_settings select = defaults(GGM_CRITERION_DENSITY);
    select.density = 0.1;
    ggm_selection selection;
    assert_int_equal(ggm_select(&problem, NULL, &select, &selection), GGM_OK);
    assert_true(fabs(selection.points[0].score - 0.1) <= 0.02);
    assert_false(selection.at_end);
    assert_choice(&problem, &selection);
    ggm_selection_release(&selection);
    double diagonal[4] = {1, 0, 0, 1};
    assert_int_equal(ggm_select(&(ggm_problem){.p = 2, .s = diagonal}, NULL, &select, &selection), GGM_OK);
    assert_true(selection.at_end && selection.points[0].score == 0);
    ggm_selection_release(&selection);
    free(x);
}

/* ---- all of them ---- */
static void assert_same_bits(const ggm_selection *a, const ggm_selection *b)
{
    assert_int_equal(a->count, b->count);
    assert_int_equal(a->chosen, b->chosen);
    for (size_t k = 0; k < a->count; k++) {
        assert_memory_equal(&a->points[k].lambda, &b->points[k].lambda, sizeof(double));
        assert_memory_equal(&a->points[k].spread, &b->points[k].spread, sizeof(double));
        assert_memory_equal(&a->points[k].edges, &b->points[k].edges, sizeof(double));
        assert_int_equal(a->points[k].solves, b->points[k].solves);
        assert_true(a->points[k].score == b->points[k].score || (isnan(a->points[k].score) && isnan(b->points[k].score)));
    }
    assert_int_equal(a->result.precision.nnz, b->result.precision.nnz);
    assert_memory_equal(a->result.precision.value, b->result.precision.value, a->result.precision.nnz * sizeof(double));
    assert_memory_equal(a->result.precision.index, b->result.precision.index, a->result.precision.nnz * sizeof(int));
    assert_int_equal(a->stability.nnz, b->stability.nnz);
    if (a->stability.nnz > 0)
        assert_memory_equal(a->stability.value, b->stability.value, a->stability.nnz * sizeof(double));
}

static void test_threads_and_memory(void **state)
{
    (void)state;
    double *x = sample_rows(317, P, N, NULL);
    ggm_samples samples = {.n = N, .p = P, .x = x};
    ggm_problem problem = {.p = P, .samples = &samples, .scale = true};
    for (int c = GGM_CRITERION_EBIC; c <= GGM_CRITERION_DENSITY; c++) {
        ggm_select_settings select = defaults((ggm_criterion)c);
        ggm_settings settings;
        ggm_default_settings(&settings);
        settings.threads = 1;
        ggm_selection one;
        assert_int_equal(ggm_select(&problem, &settings, &select, &one), GGM_OK);
        for (int threads = 2; threads <= 3; threads++) {
            settings.threads = threads;
            select.memory = threads == 3 ? 2 * ggm_select_job_bytes(P) + 5 : 0; /* two at a time on three threads */
            ggm_selection more;
            assert_int_equal(ggm_select(&problem, &settings, &select, &more), GGM_OK);
            assert_same_bits(&one, &more);
            ggm_selection_release(&more);
        }
        ggm_selection_release(&one);
    }
    free(x);
}

typedef struct {
    size_t calls, done, planned, stop_at;
} watcher;

static void note(size_t done, size_t planned, void *data)
{
    watcher *w = data;
    assert_true(done <= planned && done >= w->done && planned >= w->planned);
    w->calls++;
    w->done = done;
    w->planned = planned;
    if (w->stop_at > 0 && done >= w->stop_at)
        nanosleep(&(struct timespec){.tv_nsec = 25000000}, NULL); /* longer than the polling interval */
}

static bool stop(void *data)
{
    const watcher *w = data;
    return w->stop_at > 0 && w->done >= w->stop_at;
}

static void test_progress_and_interrupt(void **state)
{
    (void)state;
    double *x = sample_rows(318, P, N, NULL);
    ggm_samples samples = {.n = N, .p = P, .x = x};
    ggm_problem problem = {.p = P, .samples = &samples, .scale = true};
    for (int c = GGM_CRITERION_EBIC; c <= GGM_CRITERION_RIC; c++)
        for (int threads = 1; threads <= 2; threads++) {
            ggm_select_settings select = defaults((ggm_criterion)c);
            ggm_settings settings;
            ggm_default_settings(&settings);
            settings.threads = threads;
            settings.interrupt = stop;
            watcher w = {0};
            settings.user_data = select.user_data = &w;
            select.progress = note;
            select.subsamples = 6;
            ggm_selection selection;
            assert_int_equal(ggm_select(&problem, &settings, &select, &selection), GGM_OK);
            assert_true(w.calls > 0 && w.done == w.planned);
            assert_int_equal(selection.outcome, GGM_CONVERGED);
            const size_t all = w.done, answers = solves_of(&selection);
            ggm_selection_release(&selection);
            w = (watcher){.stop_at = all / 2};
            assert_int_equal(ggm_select(&problem, &settings, &select, &selection), GGM_OK);
            assert_int_equal(selection.outcome, GGM_INTERRUPTED);
            assert_true(threads > 1 || (w.done < all && solves_of(&selection) < answers)); /* a second thread goes on while the first sleeps */
            assert_true(solves_of(&selection) > 0);
            assert_false(isnan(selection.lambda)); /* half is enough for a choice, with a true certificate */
            problem.lambda = selection.lambda;
            ggm_certificate certificate;
            assert_int_equal(ggm_certify(&problem, &selection.result.precision, 1, &certificate), GGM_OK);
            assert_true(certificate.positive_definite);
            ggm_selection_release(&selection);
            w = (watcher){.stop_at = 0};
            settings.time_limit = 1e-9;
            assert_int_equal(ggm_select(&problem, &settings, &select, &selection), GGM_OK);
            assert_int_equal(selection.outcome, GGM_TIME_LIMIT);
            assert_true(isnan(selection.lambda) && selection.result.precision.p == 0);
            ggm_selection_release(&selection);
        }
    free(x);
}

/* A variable that varies in a few samples only is constant in most resamples */
static void test_rare_variables(void **state)
{
    (void)state;
    double *x = sample_rows(319, P, N, NULL);
    for (int i = 0; i < N; i++) {
        x[i * P + 3] = i == 17 ? 1 : 0.1;
        x[i * P + 4] = i == 17 || i == 18 ? 2 : -1;
        x[i * P + 6] = x[i * P + 5]; /* and twins */
    }
    ggm_samples samples = {.n = N, .p = P, .x = x};
    ggm_problem problem = {.p = P, .samples = &samples, .scale = true};
    for (int c = GGM_CRITERION_EBIC; c <= GGM_CRITERION_RIC; c++) {
        ggm_select_settings select = defaults((ggm_criterion)c);
        ggm_selection selection;
        assert_int_equal(ggm_select(&problem, NULL, &select, &selection), GGM_OK);
        for (size_t k = 0; k < selection.count; k++)
            assert_int_equal(selection.points[k].status, GGM_OK);
        assert_choice(&problem, &selection);
        ggm_selection_release(&selection);
    }
    free(x);
}

static void test_degenerate(void **state)
{
    (void)state;
    double *x = sample_rows(330, P, N, NULL);
    for (int c = GGM_CRITERION_EBIC; c <= GGM_CRITERION_DENSITY; c++) {
        ggm_select_settings select = defaults((ggm_criterion)c);
        ggm_selection selection;
        for (size_t p = 1; p <= 2; p++) {
            ggm_samples samples = {.n = 30, .p = p, .x = x};
            assert_int_equal(ggm_select(&(ggm_problem){.p = p, .samples = &samples, .scale = true}, NULL, &select, &selection), GGM_OK);
            assert_int_equal(selection.result.precision.p, p);
            ggm_selection_release(&selection);
        }
        ggm_samples few = {.n = 12, .p = P, .x = x}; /* n < p */
        ggm_problem problem = {.p = P, .samples = &few, .scale = true};
        assert_int_equal(ggm_select(&problem, NULL, &select, &selection), GGM_OK);
        assert_choice(&problem, &selection);
        ggm_selection_release(&selection);
        x[5] = NAN;
        assert_int_equal(ggm_select(&problem, NULL, &select, &selection), GGM_ERROR_NOT_FINITE);
        assert_null(selection.points);
        x[5] = 1;
        ggm_settings bad;
        ggm_default_settings(&bad);
        bad.tolerance = -1;
        assert_int_equal(ggm_select(&problem, &bad, &select, &selection), GGM_ERROR_ARGUMENT);
        assert_int_equal(ggm_select(NULL, NULL, &select, &selection), GGM_ERROR_ARGUMENT);
        assert_int_equal(ggm_select(&problem, NULL, &select, NULL), GGM_ERROR_ARGUMENT);
        double s[4] = {1, 0.5, 0.5, 1};
        bool resampled = c == GGM_CRITERION_CV || c == GGM_CRITERION_STARS || c == GGM_CRITERION_RIC;
        select.path.n = 10;
        assert_int_equal(ggm_select(&(ggm_problem){.p = 2, .s = s}, NULL, &select, &selection), resampled ? GGM_ERROR_ARGUMENT : GGM_OK);
        ggm_selection_release(&selection);
    }
    ggm_samples samples = {.n = 12, .p = P, .x = x};
    ggm_problem problem = {.p = P, .samples = &samples, .scale = true};
    ggm_selection selection;
    ggm_select_settings select = defaults(GGM_CRITERION_CV);
    select.folds = 13;
    assert_int_equal(ggm_select(&problem, NULL, &select, &selection), GGM_ERROR_ARGUMENT);
    select.folds = 12; /* one left out at a time */
    assert_int_equal(ggm_select(&problem, NULL, &select, &selection), GGM_OK);
    ggm_selection_release(&selection);
    select = defaults(GGM_CRITERION_STARS);
    select.subsample_size = 13;
    assert_int_equal(ggm_select(&problem, NULL, &select, &selection), GGM_ERROR_ARGUMENT);
    ggm_selection_release(NULL);
    free(x);
}

/* ---- do they find what was planted? ---- */
static void test_planted_graph(void **state)
{
    (void)state;
    enum { p = 60, n = 600 };
    double *truth, *x = sample_rows(340, p, n, &truth);
    ggm_samples samples = {.n = n, .p = p, .x = x};
    ggm_problem problem = {.p = p, .samples = &samples, .scale = true};
    /* CV is known to keep too many edges; the others are for finding the graph */
    static const double floors[] = {0.75, 0.3, 0.6, 0.6, 0.6};
    double planted = 0;
    for (int i = 0; i < p; i++)
        for (int j = i + 1; j < p; j++)
            planted += truth[i * p + j] != 0;
    for (int c = GGM_CRITERION_EBIC; c <= GGM_CRITERION_DENSITY; c++) {
        ggm_select_settings select;
        ggm_default_select_settings(&select);
        select.criterion = (ggm_criterion)c;
        select.density = planted / (0.5 * p * (p - 1));
        ggm_selection selection;
        assert_int_equal(ggm_select(&problem, NULL, &select, &selection), GGM_OK);
        assert_false(selection.at_end);
        double found = 0, right = 0;
        const ggm_sparse *t = &selection.result.precision;
        for (size_t i = 0; i < p; i++)
            for (size_t k = t->start[i]; k < t->start[i + 1]; k++)
                if ((size_t)t->index[k] > i) {
                    found++;
                    right += truth[i * p + (size_t)t->index[k]] != 0;
                }
        double f1 = 2 * right / (found + planted);
        print_message("%-8s lambda %.3f, %3.0f edges of %.0f planted, F1 %.2f, %.3f s\n", ggm_criterion_text(select.criterion), selection.lambda, found, planted, f1,
                      selection.seconds);
        assert_true(f1 >= floors[c]);
        ggm_selection_release(&selection);
    }
    free(truth);
    free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_ebic),
                                       cmocka_unit_test(test_extension),
                                       cmocka_unit_test(test_density),
                                       cmocka_unit_test(test_threads_and_memory),
                                       cmocka_unit_test(test_progress_and_interrupt),
                                       cmocka_unit_test(test_rare_variables),
                                       cmocka_unit_test(test_degenerate),
                                       cmocka_unit_test(test_planted_graph)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
