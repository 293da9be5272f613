/* Run-time dispatch for libggm's hot loops: GGM_CLONES before a static function compiles it for several x86-64 levels and lets
 * the loader pick; elsewhere it does nothing. libggm includes nothing of glint, hence a macro of its own.
 *
 * Names of such functions must differ between files, static or not: clang 14 makes their resolvers global. In sources that are compiled twice
 * (real.h) they are written REAL(name).
 *
 * Levels are chosen by features: "arch=haswell" asks whether the processor is a Haswell, and leaves every AMD one with
 * SSE2. clang 14 resolves x86-64-v3 wrongly, so it is given single features. Sanitizers' runtimes are not up when resolvers run. */
#pragma once
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define GGM_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define GGM_SANITIZED 1
#endif
#endif
#if defined(__x86_64__) && defined(__gnu_linux__) && !defined(GGM_SANITIZED) && defined(__has_attribute)
#if __has_attribute(target_clones)
#if !defined(__clang__) && __GNUC__ >= 12
#define GGM_CLONES __attribute__((target_clones("default", "arch=x86-64-v3", "arch=x86-64-v4")))
#else
#define GGM_CLONES __attribute__((target_clones("default", "avx2", "avx512f")))
#endif
#endif
#endif
#ifndef GGM_CLONES
#define GGM_CLONES
#endif
