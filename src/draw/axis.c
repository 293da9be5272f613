/* Ticks at round numbers: 1, 2 or 5 times a power of ten on a linear axis; powers of ten, or also 2 and 5 times them where there is
 * room, on logarithmic ones. */
#include "draw/axis.h"
#include "draw/lettering.h"
#include <math.h>

gboolean glint_axis_shows(const GlintAxis *self, double value)
{
    return isfinite(value) && (self->kind == GLINT_AXIS_LINEAR || value > 0 || (self->kind == GLINT_AXIS_LOG_COUNT && value == 0));
}

/* Where a value stands before it is scaled to the page. */
static double inner(GlintAxisKind kind, double value)
{
    return kind == GLINT_AXIS_LINEAR ? value : kind == GLINT_AXIS_LOG ? log10(value) : log10(1 + value);
}

static double outer(GlintAxisKind kind, double at)
{
    return kind == GLINT_AXIS_LINEAR ? at : kind == GLINT_AXIS_LOG ? pow(10, at) : pow(10, at) - 1;
}

GlintAxis glint_axis_of(GlintAxisKind kind, const double *values, gsize n_values, double margin)
{
    GlintAxis self = {.kind = kind, .low = NAN, .high = NAN};
    for (gsize k = 0; k < n_values; k++)
        if (glint_axis_shows(&self, values[k])) {
            self.low = fmin(self.low, values[k]);
            self.high = fmax(self.high, values[k]);
        }
    if (isnan(self.low)) {
        self.low = kind == GLINT_AXIS_LOG ? 0.1 : 0;
        self.high = 1;
        return self;
    }
    double low = inner(kind, self.low), high = inner(kind, self.high), length = high - low;
    if (length <= 1e-12 * fmax(fabs(low), fabs(high)) || length == 0)
        length = kind == GLINT_AXIS_LINEAR && low != 0 ? fabs(low) * 0.1 : 1;
    self.low = outer(kind, low - margin * length);
    self.high = outer(kind, high + margin * length);
    if (kind == GLINT_AXIS_LOG_COUNT)
        self.low = 0;
    return self;
}

double glint_axis_at(const GlintAxis *self, double value)
{
    const double low = inner(self->kind, self->low), high = inner(self->kind, self->high);
    return self->from + (self->to - self->from) * (inner(self->kind, value) - low) / (high - low);
}

static void add_linear_ticks(const GlintAxis *self, guint n_most, GArray *ticks)
{
    const double rough = (self->high - self->low) / (double)MAX(n_most, 1), power = pow(10, floor(log10(rough)));
    const double lead = rough / power, step = power * (lead <= 1 ? 1 : lead <= 2 ? 2 : lead <= 5 ? 5 : 10);
    for (double k = ceil(self->low / step); k * step <= self->high; k++) {
        const double tick = k == 0 ? 0 : k * step;
        g_array_append_val(ticks, tick);
        if (ticks->len > 100)
            break; /* low and high so near each other that k no longer counts */
    }
}

/* Every `stride`-th power of ten, and `per_decade` numbers in each decade when stride is 1. */
static void add_log_ticks(const GlintAxis *self, int stride, int per_decade, GArray *ticks)
{
    static const double leads[3][7] = {{1}, {1, 2, 5}, {1, 1.5, 2, 3, 4, 5, 7}};
    const int count[3] = {1, 3, 7};
    if (self->kind == GLINT_AXIS_LOG_COUNT) {
        const double zero = 0;
        g_array_append_val(ticks, zero);
    }
    const double floor_value = self->kind == GLINT_AXIS_LOG_COUNT ? 1 : self->low;
    for (int power = (int)floor(log10(floor_value)); power <= (int)ceil(log10(self->high)); power++) {
        for (int k = 0; k < count[per_decade] && (power % stride == 0); k++) {
            const double tick = leads[per_decade][k] * pow(10, power);
            if (tick >= self->low * (1 - 1e-12) && tick <= self->high * (1 + 1e-12))
                g_array_append_val(ticks, tick);
        }
    }
}

GArray *glint_axis_ticks(const GlintAxis *self, guint n_most)
{
    GArray *ticks = g_array_new(FALSE, FALSE, sizeof(double));
    if (self->kind == GLINT_AXIS_LINEAR) {
        add_linear_ticks(self, n_most, ticks);
        return ticks;
    }
    for (int per_decade = 2; per_decade >= 0; per_decade--) {
        g_array_set_size(ticks, 0);
        add_log_ticks(self, 1, per_decade, ticks);
        if (ticks->len <= n_most)
            return ticks;
    }
    for (int stride = 2; ticks->len > n_most && stride < 400; stride++) {
        g_array_set_size(ticks, 0);
        add_log_ticks(self, stride, 0, ticks);
    }
    return ticks;
}

int glint_axis_power(const GlintAxis *self)
{
    const double most = fmax(fabs(self->low), fabs(self->high));
    return self->kind == GLINT_AXIS_LINEAR && most >= 1e5 ? (int)(log10(most) / 3) : 0;
}

/* "250,000" */
static char *with_commas(double value)
{
    g_autofree char *digits = glint_format_count((gsize)llround(fabs(value)));
    return g_strconcat(value < 0 ? "−" : "", digits, NULL);
}

char *glint_axis_label(const GlintAxis *self, const GArray *ticks, guint k)
{
    const double scale = pow(1000, glint_axis_power(self)), value = g_array_index(ticks, double, k) / scale;
    if (self->kind != GLINT_AXIS_LINEAR)
        return value >= 1 && value < 1e6 && value == floor(value) ? with_commas(value) : glint_format_short(value, 3);
    const double step = ticks->len > 1 ? (g_array_index(ticks, double, 1) - g_array_index(ticks, double, 0)) / scale : fabs(value);
    if (step > 0 && step < 1e-6)
        return glint_format_short(value, 3);
    const int digits = step > 0 ? MAX(0, (int)ceil(-log10(step) - 1e-9)) : 0;
    return digits == 0 && fabs(value) >= 1000 ? with_commas(value) : glint_format_real(value, digits);
}
