# Compiler flags shared by every target: link `glint_flags`.
# No -march=native: hot loops are compiled for several instruction sets and chosen at run time (src/base/simd.h).
add_library(glint_flags INTERFACE)
target_compile_options(glint_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wwrite-strings -Wpointer-arith
  -fno-math-errno -ffp-contract=fast)
target_compile_definitions(glint_flags INTERFACE _GNU_SOURCE GLINT_VERSION="${PROJECT_VERSION}")
target_include_directories(glint_flags INTERFACE ${CMAKE_SOURCE_DIR}/src)
if(GLINT_WERROR)
  target_compile_options(glint_flags INTERFACE -Werror)
endif()
if(GLINT_FUZZ)
  set(GLINT_SANITIZE ON)
  target_compile_options(glint_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
if(GLINT_TSAN)
  target_compile_options(glint_flags INTERFACE -fsanitize=thread -fno-omit-frame-pointer)
  target_link_options(glint_flags INTERFACE -fsanitize=thread)
endif()
if(GLINT_SANITIZE)
  target_compile_options(glint_flags INTERFACE -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
  target_link_options(glint_flags INTERFACE -fsanitize=address,undefined)
  if(CMAKE_C_COMPILER_ID MATCHES Clang)
    # the checks inside a loop keep it from being vectorised, which `omp simd` would otherwise complain of
    target_compile_options(glint_flags INTERFACE -Wno-pass-failed)
  endif()
endif()

# glint_stage(NAME SOURCES... LINK libs...): one pipeline stage as a static library.
function(glint_stage name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_link_libraries(${name} PUBLIC glint_flags ${ARG_LINK})
endfunction()
