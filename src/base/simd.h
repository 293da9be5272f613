/* Run-time dispatch for hot loops: GLINT_CLONES before a function compiles it for several x86-64 levels and lets the
 * loader pick (GCC and clang ifunc clones); elsewhere it does nothing. Keep such functions leaf-like and plain C. The
 * sanitizers are left out because their runtime is not yet up when the loader calls the resolvers.
 *
 * The levels are chosen by features: "arch=haswell" would ask whether the CPU *is* a Haswell, and leave every AMD CPU with
 * the SSE2 code. clang 14 resolves the x86-64-v3 names wrongly, so it gets single features (its "avx2" has no FMA), and it loses
 * the name of clones that other files call: mark static functions only. */
#pragma once
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define GLINT_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define GLINT_SANITIZED 1
#endif
#endif
#if defined(__x86_64__) && defined(__gnu_linux__) && !defined(GLINT_SANITIZED) && defined(__has_attribute)
#if __has_attribute(target_clones)
#if !defined(__clang__) && __GNUC__ >= 12
#define GLINT_CLONES __attribute__((target_clones("default", "arch=x86-64-v3", "arch=x86-64-v4")))
#else
#define GLINT_CLONES __attribute__((target_clones("default", "avx2", "avx512f")))
#endif
#endif
#endif
#ifndef GLINT_CLONES
#define GLINT_CLONES
#endif

/* The level whose clones run on this machine, asked in the words of the resolvers above. */
static inline const char *glint_simd_level(void)
{
#if defined(__x86_64__) && defined(__gnu_linux__) && !defined(GLINT_SANITIZED)
#if !defined(__clang__) && __GNUC__ >= 12
    __builtin_cpu_init();
    return __builtin_cpu_supports("x86-64-v4") ? "x86-64-v4 (AVX-512)" : __builtin_cpu_supports("x86-64-v3") ? "x86-64-v3 (AVX2)" : "x86-64 (SSE2)";
#else
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512f") ? "AVX-512" : __builtin_cpu_supports("avx2") ? "AVX2" : "SSE2";
#endif
#else
    return "one level, as compiled";
#endif
}
