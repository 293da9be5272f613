/* The precision in which a block's S and W are kept while its columns are solved. Sources that include this are compiled twice: as
 * they are for double, and through <name>32.c, which defines GGM_SINGLE, for float. Names that exist twice are written REAL(name). */
#pragma once
#ifdef GGM_SINGLE
typedef float real;
#define REAL(name) name##32
#define S_OF(block) ((block)->s32)
#define W_OF(block) ((block)->w32)
#else
typedef double real;
#define REAL(name) name##64
#define S_OF(block) ((block)->s)
#define W_OF(block) ((block)->w)
#endif
