/* Run-time dispatch for hot loops: GLINT_CLONES before a function compiles it for several x86-64 levels and lets the
 * loader pick (GCC and clang ifunc clones); elsewhere it does nothing. Keep such functions leaf-like and plain C. */
#pragma once
#if defined(__x86_64__) && defined(__gnu_linux__) && !defined(__SANITIZE_ADDRESS__) && defined(__has_attribute)
#if __has_attribute(target_clones)
#define GLINT_CLONES __attribute__((target_clones("default", "arch=haswell", "arch=skylake-avx512")))
#endif
#endif
#ifndef GLINT_CLONES
#define GLINT_CLONES
#endif
