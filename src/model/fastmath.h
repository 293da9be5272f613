/* Elementary functions that compilers turn into vector code: no calls, no branches, no tables.
 * Relative error of gli_exp() below 2e-7 over its whole range; below -87 it returns 0, above 88 it stays finite. */
#pragma once
#include <stdint.h>
#include <string.h>

/* exp(x) = 2^n exp(r), r = x - n ln 2 in [-0.35, 0.35], by its Taylor polynomial of degree 7. Adding 1.5 * 2^23 rounds to
 * an integer and leaves it in the low mantissa bits. */
static inline __attribute__((always_inline)) float gli_exp(float x)
{
    const float clamped = x < -87.0f ? -87.0f : x > 88.0f ? 88.0f : x;
    const float shifted = clamped * 1.44269504f + 12582912.0f;
    const float n = shifted - 12582912.0f;
    const float r = (clamped - n * 0.693359375f) + n * 2.12194440e-4f; /* ln 2 in two parts, the first exact in products */
    float p = 1.0f / 5040.0f;
    p = p * r + 1.0f / 720.0f;
    p = p * r + 1.0f / 120.0f;
    p = p * r + 1.0f / 24.0f;
    p = p * r + 1.0f / 6.0f;
    p = p * r + 0.5f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    const int32_t bits = ((int32_t)n + 127) << 23;
    float power;
    memcpy(&power, &bits, sizeof power);
    return x < -87.0f ? 0.0f : p * power;
}

static inline __attribute__((always_inline)) float gli_sigmoid(float x) { return 1.0f / (1.0f + gli_exp(-x)); }

/* Near 0 the quotient form cancels. There an odd polynomial serves, (tanh(x) / x - 1) / x^2 interpolated at Chebyshev's nodes
 * in x^2 up to 0.65^2. Relative error below 2.5e-7 everywhere: soft-caps multiply it by the score. */
static inline __attribute__((always_inline)) float gli_tanh(float x)
{
    const float square = x * x;
    float p = 0.00221490273f;
    p = p * square - 0.00827245672f;
    p = p * square + 0.0217461871f;
    p = p * square - 0.0539563494f;
    p = p * square + 0.133332907f;
    p = p * square - 0.333333331f;
    const float near = x + x * square * p;
    const float far = 1.0f - 2.0f / (1.0f + gli_exp(2.0f * x));
    return square < 0.4225f ? near : far;
}

/* erfc(z) = t exp(P(t) - z^2) for z >= 0, t = 1 / (1 + z / 2); P is the Chebyshev fit of degree 9 to log(erfcx(z) / t) on (0, 1].
 * Within 4e-7 of erfc everywhere, and within 4e-6 of it relative to its own size while that is above 1e-16. */
static inline __attribute__((always_inline)) float gli_erfc(float x)
{
    const float z = x < 0 ? -x : x, t = 1.0f / (1.0f + 0.5f * z);
    float p = 0.17087278f;
    p = p * t - 0.82215226f;
    p = p * t + 1.48851585f;
    p = p * t - 1.13520396f;
    p = p * t + 0.27886808f;
    p = p * t - 0.18628806f;
    p = p * t + 0.09678419f;
    p = p * t + 0.37409195f;
    p = p * t + 1.00002372f;
    p = p * t - 1.26551223f;
    const float tail = t * gli_exp(p - z * z);
    return x < 0 ? 2.0f - tail : tail;
}
