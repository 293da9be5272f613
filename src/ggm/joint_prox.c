/* The penalty of one pair of variables: a K-vector x with P(x) = lambda1 |x|_1 + lambda2 |x|_2 (group) or + lambda2 sum_{k<l} |x_k - x_l| (fused).
 *
 * Group. With y_k = b_k pulled towards 0 by lambda1, the minimiser of sum a x^2/2 - b x + P(x) is 0 if |y| <= lambda2, and otherwise x_k =
 * y_k / (a_k + lambda2 / r) with r = |x| the root of sum_k y_k^2 / (a_k r + lambda2)^2 = 1. The left side to the power -1/2 is concave and
 * increasing in r (it is the secular equation of trust regions), so Newton's method on it climbs to the root from the left without ever
 * overshooting; a good guess is at hand in coordinate descent.
 *
 * Fused over all pairs, by level sets. P is a sum over levels: sum_{k<l} |x_k - x_l| is the integral over t of |A_t| (K - |A_t|), A_t = {x_k > t},
 * and lambda1 |x|_1 is that of lambda1 |A_t| over t > 0, likewise below. So the set {x > t} minimises
 *     sum_{k in A} (a_k t - b_k + lambda1 sign t) + lambda2 |A| (K - |A|)
 * over A, and for each size the best A is that of the smallest terms: sorting and prefix sums find it (Hochbaum's argument for total
 * variation on a graph; for the complete graph its minimum cuts are that simple). At t = 0 this splits the classes into positive, zero and
 * negative ones. A group with no more known sides is tried at t = its common mean: if the best A is trivial, the group is one value, equal to
 * the last bit; otherwise the classes in A are above t and the others below, each side a smaller group with the other's pull added. At most K
 * splits: O(K^2 log K), and exact for unequal curvatures a_k, where the order of x is not that of b / a (with equal ones the method is
 * pooling of adjacent violators).
 *
 * The dual ball is {v: prox_P(v) = 0}: the same prefix sums at t = 0. */
#include "ggm/joint_internal.h"

#include <math.h>
#include <string.h>

#define NEWTON_STEPS 60
#define TIE 1e-12       /* entries nearer than this, relative to the largest, are one value: scaling there and back rounds */
#define NO_SPLIT 1e-13  /* rounding of prefix sums, relative to their terms */

static double pull(double b, double limit)
{
    return b > limit ? b - limit : b < -limit ? b + limit : 0;
}

double ggm_joint_value(const ggm_joint_norm *norm, const double *x)
{
    double size = 0, square = 0, apart = 0;
    for (int k = 0; k < norm->classes; k++) {
        size += fabs(x[k]);
        square += x[k] * x[k];
        for (int l = 0; norm->penalty == GGM_JOINT_FUSED && l < k; l++)
            apart += fabs(x[k] - x[l]);
    }
    return norm->lambda1 * size + norm->lambda2 * (norm->penalty == GGM_JOINT_FUSED ? apart : sqrt(square));
}

static bool all_within(const double *v, int classes, double limit)
{
    bool within = true;
    for (int k = 0; k < classes; k++)
        within = within && fabs(v[k]) <= limit;
    return within;
}

/* ---- group ---- */
static double excess_square(const ggm_joint_norm *norm, const double *v)
{
    double square = 0;
    for (int k = 0; k < norm->classes; k++) {
        double y = pull(v[k], norm->lambda1);
        square += y * y;
    }
    return square;
}

/* The root r, from any guess: one step from the right of it may go too far to the left, no step from the left goes past it */
static double group_size(const double *a, const double *y, int classes, double lambda2, double least, double guess)
{
    double r = guess > least ? guess : least;
    for (int step = 0; step < NEWTON_STEPS; step++) {
        double f = 0, slope = 0; /* f = sum y^2 / (a r + lambda2)^2, slope = -f' / 2 */
        for (int k = 0; k < classes; k++) {
            const double inverse = 1 / (a[k] * r + lambda2), q = y[k] * inverse * (y[k] * inverse);
            f += q;
            slope += q * a[k] * inverse;
        }
        const double move = f * (sqrt(f) - 1) / slope;
        r = r + move > least ? r + move : least;
        if (fabs(move) <= 1e-6 * r) /* quadratic convergence: what is left is near rounding */
            break;
    }
    return r;
}

static void group_prox(const ggm_joint_norm *norm, const double *a, const double *b, double *x)
{
    const int classes = norm->classes;
    const double lambda2 = norm->lambda2;
    double y[GGM_K], square = 0, largest = 0, guess = 0;
    for (int k = 0; k < classes; k++) {
        y[k] = pull(b[k], norm->lambda1);
        square += y[k] * y[k];
        largest = a[k] > largest ? a[k] : largest;
        guess += x[k] * x[k];
    }
    if (square <= lambda2 * lambda2) {
        memset(x, 0, (size_t)classes * sizeof *x);
        return;
    }
    const double r = lambda2 > 0 ? group_size(a, y, classes, lambda2, (sqrt(square) - lambda2) / largest, sqrt(guess)) : 1;
    for (int k = 0; k < classes; k++)
        x[k] = y[k] * r / (a[k] * r + lambda2);
}

static void group_nearest(const ggm_joint_norm *norm, const double *x, const double *v, double *u)
{
    double square = 0;
    for (int k = 0; k < norm->classes; k++)
        square += x[k] * x[k];
    const double size = sqrt(square), excess = square > 0 ? 0 : sqrt(excess_square(norm, v));
    for (int k = 0; k < norm->classes; k++) {
        const double inside = fmax(-norm->lambda1, fmin(norm->lambda1, v[k]));
        if (x[k] != 0)
            u[k] = copysign(norm->lambda1, x[k]) + norm->lambda2 * (x[k] / size);
        else if (excess > norm->lambda2)
            u[k] = inside + (v[k] - inside) * (norm->lambda2 / excess);
        else
            u[k] = square > 0 ? inside : v[k];
    }
}

/* ---- fused ---- */
static void sort_ascending(const double *key, int *order, int n)
{
    for (int i = 1; i < n; i++) {
        const int moved = order[i];
        int j = i;
        for (; j > 0 && key[order[j - 1]] > key[moved]; j--)
            order[j] = order[j - 1];
        order[j] = moved;
    }
}

/* Number of classes that are positive (sign 1) or negative (-1) in the minimiser: order sorts b ascending by sign * b, its last ones are they */
static int beyond_zero(const ggm_joint_norm *norm, const double *b, const int *order, int sign)
{
    const int classes = norm->classes;
    double sum = 0, best = 0;
    int count = 0;
    for (int n = 1; n <= classes; n++) {
        sum += norm->lambda1 - sign * b[order[sign > 0 ? classes - n : n - 1]];
        const double cut = sum + norm->lambda2 * n * (classes - n);
        if (cut < best) {
            best = cut;
            count = n;
        }
    }
    return count;
}

/* The values of a group, all of one sign, with linear terms c that hold every pull from outside. order[0 .. n): its classes, reordered. */
static void solve_group(double lambda2, const double *a, double *c, int *order, int n, double *x)
{
    if (n == 1) {
        x[order[0]] = c[order[0]] / a[order[0]];
        return;
    }
    double h[GGM_K] = {0}, linear = 0, quadratic = 0, scale = 0;
    for (int i = 0; i < n; i++) {
        linear += c[order[i]];
        quadratic += a[order[i]];
        scale += fabs(c[order[i]]);
    }
    const double t = linear / quadratic;
    for (int i = 0; i < n; i++)
        h[order[i]] = a[order[i]] * t - c[order[i]];
    sort_ascending(h, order, n);
    double sum = 0, best = -NO_SPLIT * (scale + lambda2 * n);
    int above = 0;
    for (int i = 1; i < n; i++) {
        sum += h[order[i - 1]];
        const double cut = sum + lambda2 * i * (n - i);
        if (cut < best) {
            best = cut;
            above = i;
        }
    }
    if (above == 0) {
        for (int i = 0; i < n; i++)
            x[order[i]] = t;
        return;
    }
    for (int i = 0; i < n; i++)
        c[order[i]] += i < above ? -lambda2 * (n - above) : lambda2 * above;
    solve_group(lambda2, a, c, order, above, x);
    solve_group(lambda2, a, c, order + above, n - above, x);
}

static void fused_prox(const ggm_joint_norm *norm, const double *a, const double *b, double *x)
{
    const int classes = norm->classes;
    int order[GGM_K];
    double c[GGM_K];
    memset(x, 0, (size_t)classes * sizeof *x);
    if (all_within(b, classes, norm->lambda1))
        return;
    for (int k = 0; k < classes; k++)
        order[k] = k;
    sort_ascending(b, order, classes);
    const int positive = beyond_zero(norm, b, order, 1);
    int negative = beyond_zero(norm, b, order, -1);
    negative = negative > classes - positive ? classes - positive : negative; /* they cannot overlap but by rounding */
    for (int i = 0; i < negative; i++)
        c[order[i]] = b[order[i]] + norm->lambda1 + norm->lambda2 * (classes - negative);
    for (int i = classes - positive; i < classes; i++)
        c[order[i]] = b[order[i]] - norm->lambda1 - norm->lambda2 * (classes - positive);
    if (negative > 0)
        solve_group(norm->lambda2, a, c, order, negative, x);
    if (positive > 0)
        solve_group(norm->lambda2, a, c, order + classes - positive, positive, x);
}

static bool fused_in_ball(const ggm_joint_norm *norm, const double *v)
{
    int order[GGM_K];
    for (int k = 0; k < norm->classes; k++)
        order[k] = k;
    sort_ascending(v, order, norm->classes);
    return beyond_zero(norm, v, order, 1) == 0 && beyond_zero(norm, v, order, -1) == 0;
}

/* Tied classes order[0 .. n) of value x with `less` classes below and `greater` above: outside pulls are fixed, what they exchange among
 * themselves is free */
static void nearest_in_tie(const ggm_joint_norm *norm, double x, int less, int greater, const int *order, int n, const double *v, double *u)
{
    static const double ones[GGM_K] = {
        1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
        1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    const double sign = x > 0 ? 1 : x < 0 ? -1 : 0, fixed = norm->lambda1 * sign + norm->lambda2 * (less - greater);
    const ggm_joint_norm inner = {.penalty = GGM_JOINT_FUSED, .classes = n, .lambda1 = sign == 0 ? norm->lambda1 : 0, .lambda2 = norm->lambda2};
    double rest[GGM_K], outside[GGM_K] = {0};
    for (int i = 0; i < n; i++)
        rest[i] = v[order[i]] - fixed;
    ggm_joint_prox(&inner, ones, rest, outside);
    for (int i = 0; i < n; i++)
        u[order[i]] = fixed + (rest[i] - outside[i]);
}

static void fused_nearest(const ggm_joint_norm *norm, const double *x, const double *v, double *u)
{
    const int classes = norm->classes;
    int order[GGM_K];
    double largest = 0, nearest[GGM_K];
    for (int k = 0; k < classes; k++) {
        order[k] = k;
        largest = fmax(largest, fabs(x[k]));
    }
    sort_ascending(x, order, classes);
    for (int from = 0, to; from < classes; from = to) {
        const double value = x[order[from]];
        for (to = from + 1; to < classes && x[order[to]] - value <= TIE * largest && (x[order[to]] == 0) == (value == 0); to++)
            continue;
        nearest_in_tie(norm, value, from, classes - to, order + from, to - from, v, nearest);
    }
    memcpy(u, nearest, (size_t)classes * sizeof *u);
}

/* ---- either ---- */
bool ggm_joint_in_ball(const ggm_joint_norm *norm, const double *v)
{
    if (all_within(v, norm->classes, norm->lambda1))
        return true;
    return norm->penalty == GGM_JOINT_FUSED ? fused_in_ball(norm, v) : excess_square(norm, v) <= norm->lambda2 * norm->lambda2;
}

void ggm_joint_prox(const ggm_joint_norm *norm, const double *a, const double *b, double *x)
{
    if (norm->penalty == GGM_JOINT_FUSED)
        fused_prox(norm, a, b, x);
    else
        group_prox(norm, a, b, x);
}

void ggm_joint_nearest(const ggm_joint_norm *norm, const double *x, const double *v, double *u)
{
    bool zero = true;
    for (int k = 0; k < norm->classes; k++)
        zero = zero && x[k] == 0;
    if (zero && ggm_joint_in_ball(norm, v))
        memmove(u, v, (size_t)norm->classes * sizeof *u);
    else if (norm->penalty == GGM_JOINT_FUSED)
        fused_nearest(norm, x, v, u);
    else
        group_nearest(norm, x, v, u);
}
