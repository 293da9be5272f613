/* The colours of modules, for the interchange files and for src/draw, so that a module has one colour everywhere. */
#pragma once
#include <glib.h>

/* sRGB as 0xrrggbb: 12 colours, then the same lighter, then darker, then again from the start; -1 (isolated) is grey. */
guint32 glint_module_rgb(int module);
