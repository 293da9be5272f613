/* See support.h. Plain loops, no libggm. */
#include "ggm/support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

double *read_square_npy(const char *path, size_t *p)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return NULL;
    unsigned char head[10];
    char text[4096];
    double *a = NULL;
    if (fread(head, 1, 10, file) == 10 && memcmp(head, "\x93NUMPY\x01", 7) == 0) {
        size_t length = head[8] + 256u * head[9], rows = 0, columns = 0;
        const char *shape = NULL;
        if (length < sizeof text && fread(text, 1, length, file) == length) {
            text[length] = 0;
            shape = strstr(text, "'shape': (");
        }
        if (shape && strstr(text, "'<f8'") && strstr(text, "'fortran_order': False") && sscanf(shape, "'shape': (%zu, %zu)", &rows, &columns) == 2 && rows == columns) {
            a = malloc(rows * rows * sizeof *a);
            if (a && fread(a, sizeof *a, rows * rows, file) != rows * rows) {
                free(a);
                a = NULL;
            }
            *p = rows;
        }
    }
    fclose(file);
    return a;
}

rng rng_seeded(uint64_t seed)
{
    return (rng){seed * 0x9E3779B97F4A7C15u + 0x1234567u};
}

static uint64_t next(rng *r)
{
    r->state ^= r->state >> 12;
    r->state ^= r->state << 25;
    r->state ^= r->state >> 27;
    return r->state * 0x2545F4914F6CDD1Du;
}

double rng_uniform(rng *r)
{
    return ((double)(next(r) >> 11) + 0.5) / 9007199254740992.0;
}

double rng_normal(rng *r)
{
    double u = rng_uniform(r), v = rng_uniform(r);
    return sqrt(-2 * log(u)) * cos(6.283185307179586 * v);
}

int rng_below(rng *r, int n)
{
    return (int)(rng_uniform(r) * n);
}

/* Lower Cholesky factor L of a, a = L L', row-major in place */
static void factor(double *a, int p)
{
    for (int i = 0; i < p; i++)
        for (int j = 0; j <= i; j++) {
            double sum = a[i * p + j];
            for (int k = 0; k < j; k++)
                sum -= a[i * p + k] * a[j * p + k];
            a[i * p + j] = i == j ? sqrt(sum) : sum / a[j * p + j];
        }
}

double *draw_samples(rng *r, const double *truth, int p, int n)
{
    double *l = malloc((size_t)p * (size_t)p * sizeof *l), *x = malloc((size_t)p * (size_t)n * sizeof *x);
    memcpy(l, truth, (size_t)p * (size_t)p * sizeof *l);
    factor(l, p);
    for (int k = 0; k < n; k++) /* x = L'^-1 z has covariance (L L')^-1 */
        for (int i = p - 1; i >= 0; i--) {
            double sum = rng_normal(r);
            for (int j = i + 1; j < p; j++)
                sum -= l[j * p + i] * x[k * p + j];
            x[k * p + i] = sum / l[i * p + i];
        }
    free(l);
    return x;
}

double *sample_covariance(rng *r, const double *truth, int p, int n)
{
    double *x = draw_samples(r, truth, p, n), *s = calloc((size_t)p * (size_t)p, sizeof *s);
    for (int i = 0; i < p; i++) {
        double mean = 0;
        for (int k = 0; k < n; k++)
            mean += x[k * p + i] / n;
        for (int k = 0; k < n; k++)
            x[k * p + i] -= mean;
    }
    for (int i = 0; i < p; i++)
        for (int j = 0; j <= i; j++) {
            double sum = 0;
            for (int k = 0; k < n; k++)
                sum += x[k * p + i] * x[k * p + j];
            s[i * p + j] = s[j * p + i] = sum / n;
        }
    free(x);
    return s;
}

double *sparse_truth(rng *r, int p, double degree)
{
    double *t = calloc((size_t)p * (size_t)p, sizeof *t);
    int edges = (int)(degree * p / 2);
    for (int e = 0; e < edges; e++) {
        int i = rng_below(r, p), j = rng_below(r, p);
        if (i == j)
            continue;
        t[i * p + j] = t[j * p + i] = (rng_uniform(r) < 0.5 ? -1 : 1) * (0.6 + 0.4 * rng_uniform(r));
    }
    for (int i = 0; i < p; i++) {
        double sum = 0;
        for (int j = 0; j < p; j++)
            sum += fabs(t[i * p + j]);
        t[i * p + i] = 1.1 * sum + 0.3; /* diagonally dominant */
    }
    for (int i = 0; i < p; i++)
        for (int j = 0; j < p; j++)
            if (i != j)
                t[i * p + j] /= sqrt(t[i * p + i] * t[j * p + j]);
    for (int i = 0; i < p; i++)
        t[i * p + i] = 1;
    return t;
}

static void make_special(rng *r, double *s, int p, int kind)
{
    int a = rng_below(r, p), b = rng_below(r, p);
    if (kind == 0 && a != b) { /* b is a copy of a */
        for (int i = 0; i < p; i++)
            s[b * p + i] = s[i * p + b] = s[a * p + i];
        s[b * p + b] = s[a * p + b] = s[b * p + a] = s[a * p + a];
    } else if (kind == 1) { /* two halves that know nothing of each other */
        for (int i = 0; i < p; i++)
            for (int j = 0; j < p; j++)
                if ((i < p / 2) != (j < p / 2))
                    s[i * p + j] = 0;
    } else if (kind == 2) { /* units far apart */
        for (int i = 0; i < p; i++) {
            double unit = pow(10, 3 * rng_uniform(r) - 1.5);
            for (int j = 0; j < p; j++) {
                s[i * p + j] *= unit;
                s[j * p + i] *= unit;
            }
        }
    }
}

static double *random_weights(rng *r, int p, bool zeros)
{
    double *weights = malloc((size_t)p * (size_t)p * sizeof *weights);
    for (int i = 0; i < p; i++)
        for (int j = 0; j <= i; j++) {
            double u = rng_uniform(r), weight = 0.3 + 2 * u;
            if (i != j && u < 0.2) /* forced to zero, or free */
                weight = u < 0.1 || !zeros ? (double)INFINITY : 0;
            weights[i * p + j] = weights[j * p + i] = weight;
        }
    return weights;
}

instance random_instance(rng *r, int number)
{
    int p = 1 + rng_below(r, number % 10 == 0 ? 90 : 30), n = 2 + rng_below(r, 2 * p + 4);
    double *truth = sparse_truth(r, p, 4 * rng_uniform(r));
    instance x = {.s = sample_covariance(r, truth, p, n)};
    free(truth);
    make_special(r, x.s, p, rng_below(r, 8));
    if (number % 5 == 4)
        x.weights = random_weights(r, p, number % 2); /* free entries of a singular S need the diagonal's penalty */
    x.problem = (ggm_problem){.p = (size_t)p, .s = x.s, .weights = x.weights, .penalize_diagonal = number % 2, .scale = number % 3 != 0};
    double unit = 0;
    for (int i = 0; i < p; i++)
        unit += x.problem.scale ? 1.0 / p : x.s[i * p + i] / p;
    x.problem.lambda = unit * pow(10, -2.0 * rng_uniform(r));
    return x;
}

void instance_release(instance *x)
{
    free(x->s);
    free(x->weights);
}

double plain_logdet(const double *a, int p)
{
    double *l = malloc((size_t)p * (size_t)p * sizeof *l), sum = 0;
    memcpy(l, a, (size_t)p * (size_t)p * sizeof *l);
    factor(l, p);
    for (int i = 0; i < p; i++)
        sum += 2 * log(l[i * p + i]);
    free(l);
    return sum;
}
