/* Colour scales, computed instead of tabulated: a handful of (lightness, chroma) knots in OKLab give a diverging scale
 * whose two arms are equally dark and equally colourful at the same |t|, so neither sign is favoured, and which still
 * sorts by darkness in greyscale print. Blue against red (hues 255 and 27) is the pair that all common kinds of
 * colour blindness keep apart.
 *
 * The module colours were searched at development time: 12 colours whose smallest distance in OKLab, over normal sight
 * and the deuteranope and protanope simulations of Machado, Oliveira & Fernandes (2009), is largest; then ordered so that
 * every prefix is as far apart as possible. They are written down in graph/palette.c, because DOT and GraphML use them too.
 *
 * OKLab: https://bottosson.github.io/posts/oklab/ */
#include "draw/colour.h"
#include "graph/palette.h"
#include <math.h>

enum { N_KNOTS = 5 };

static const double knot_lightness[N_KNOTS] = {1.0, 0.875, 0.735, 0.555, 0.37};
static const double knot_chroma[N_KNOTS] = {0.0, 0.062, 0.118, 0.158, 0.125};
static const double hue_positive = 255, hue_negative = 27;
/* Where the scale starts for the smallest nonzero value, as a share of its length. */
static const double onset = 0.14;

static double srgb_of_linear(double u)
{
    u = CLAMP(u, 0.0, 1.0);
    return u <= 0.0031308 ? 12.92 * u : 1.055 * pow(u, 1 / 2.4) - 0.055;
}

static GlintColour colour_of_lch(double lightness, double chroma, double hue_degrees)
{
    const double h = hue_degrees * G_PI / 180, a = chroma * cos(h), b = chroma * sin(h);
    const double l = lightness + 0.3963377774 * a + 0.2158037573 * b;
    const double m = lightness - 0.1055613458 * a - 0.0638541728 * b;
    const double s = lightness - 0.0894841775 * a - 1.2914855480 * b;
    const double l3 = l * l * l, m3 = m * m * m, s3 = s * s * s;
    return (GlintColour){
        srgb_of_linear(4.0767416621 * l3 - 3.3077115913 * m3 + 0.2309699292 * s3),
        srgb_of_linear(-1.2684380046 * l3 + 2.6097574011 * m3 - 0.3413193965 * s3),
        srgb_of_linear(-0.0041960863 * l3 - 0.7034186147 * m3 + 1.7076147010 * s3),
    };
}

GlintColour glint_colour_diverging(double t)
{
    if (isnan(t) || t == 0)
        return GLINT_WHITE;
    const double u = onset + (1 - onset) * MIN(fabs(t), 1.0);
    const double at = u * (N_KNOTS - 1);
    const int k = MIN((int)at, N_KNOTS - 2);
    const double part = at - k;
    const double lightness = knot_lightness[k] + part * (knot_lightness[k + 1] - knot_lightness[k]);
    const double chroma = knot_chroma[k] + part * (knot_chroma[k + 1] - knot_chroma[k]);
    return colour_of_lch(lightness, chroma, t > 0 ? hue_positive : hue_negative);
}

GlintColour glint_colour_mix(GlintColour a, GlintColour b, double share)
{
    return (GlintColour){a.r + share * (b.r - a.r), a.g + share * (b.g - a.g), a.b + share * (b.b - a.b)};
}

GlintColour glint_colour_module(int module)
{
    const guint32 rgb = glint_module_rgb(module);
    return (GlintColour){(rgb >> 16 & 255) / 255.0, (rgb >> 8 & 255) / 255.0, (rgb & 255) / 255.0};
}

void glint_colour_set(cairo_t *cr, GlintColour colour, double alpha)
{
    cairo_set_source_rgba(cr, colour.r, colour.g, colour.b, alpha);
}

guint32 glint_colour_argb(GlintColour colour)
{
    const guint32 r = (guint32)(colour.r * 255 + 0.5), g = (guint32)(colour.g * 255 + 0.5), b = (guint32)(colour.b * 255 + 0.5);
    return 0xff000000u | r << 16 | g << 8 | b;
}
