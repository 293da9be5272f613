/* Run-time dispatch for libggm's hot loops: GGM_CLONES before a function compiles it for several x86-64 levels and lets the
 * loader pick; elsewhere it does nothing. libggm includes nothing of glint, hence a macro of its own. */
#pragma once
#if defined(__x86_64__) && defined(__gnu_linux__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && defined(__has_attribute)
#if __has_attribute(target_clones)
#define GGM_CLONES __attribute__((target_clones("default", "arch=haswell", "arch=skylake-avx512")))
#endif
#endif
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#undef GGM_CLONES
#endif
#endif
#ifndef GGM_CLONES
#define GGM_CLONES
#endif
