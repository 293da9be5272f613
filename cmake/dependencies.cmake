# Every library glint uses, with the reason for it, as an imported target. All are Debian 12 packages
# (tools/install-deps installs them); none is vendored.
find_package(PkgConfig REQUIRED)
find_package(OpenMP REQUIRED COMPONENTS C)

pkg_check_modules(GLIB REQUIRED IMPORTED_TARGET glib-2.0>=2.74 gio-2.0) # containers, errors, options, file writes
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson)            # strict JSON
pkg_check_modules(PCRE2 REQUIRED IMPORTED_TARGET libpcre2-8)           # pre-tokenizers' patterns
pkg_check_modules(UTF8PROC REQUIRED IMPORTED_TARGET libutf8proc)       # Unicode normal forms
pkg_check_modules(CAIRO REQUIRED IMPORTED_TARGET cairo>=1.16)          # pictures
pkg_check_modules(IGRAPH REQUIRED IMPORTED_TARGET igraph>=0.10)        # communities, centrality (GPL: src/graph only)
pkg_check_modules(GVC REQUIRED IMPORTED_TARGET libgvc)                 # graph layout, DOT
pkg_check_modules(ARCHIVE REQUIRED IMPORTED_TARGET libarchive)         # tar.gz/xz data sets, zip (.npz)
pkg_check_modules(CRYPTO REQUIRED IMPORTED_TARGET libcrypto)           # SHA-256
pkg_check_modules(CURL REQUIRED IMPORTED_TARGET libcurl>=7.88)         # downloads (HTTP, TLS, proxies)

if(GLINT_MPI)
  find_package(MPI REQUIRED COMPONENTS C)                              # several machines, only when asked for
endif()

# CMocka and libcsv ship no pkg-config file everywhere; look for the files.
find_path(CSV_INCLUDE_DIR csv.h REQUIRED)                              # CSV with quoted, multi-line fields
find_library(CSV_LIBRARY csv REQUIRED)
add_library(csv INTERFACE)
target_include_directories(csv INTERFACE ${CSV_INCLUDE_DIR})
target_link_libraries(csv INTERFACE ${CSV_LIBRARY})

# oneDNN: bf16/f32 matrix products of the forward pass. Debian 12 ships 2.6; 3.x differs, see src/model/dnn.c.
# Its CMake file insists on OpenCL's headers and library (ocl-icd-opencl-dev), which libdnnl-dev does not depend on.
find_package(dnnl REQUIRED)

# OpenBLAS: the OpenMP build is wanted, because glint calls BLAS from inside its own OpenMP regions and only that
# build then stays single-threaded. Debian keeps it in a folder of its own, so name it (and its run path) outright.
find_library(OPENBLAS_LIBRARY openblas REQUIRED
  PATHS /usr/lib/${CMAKE_LIBRARY_ARCHITECTURE}/openblas-openmp NO_DEFAULT_PATH)
if(NOT OPENBLAS_LIBRARY)
  find_library(OPENBLAS_LIBRARY openblas REQUIRED)
endif()
pkg_check_modules(OPENBLAS QUIET openblas) # for its version only
find_path(CBLAS_INCLUDE_DIR cblas.h REQUIRED PATH_SUFFIXES ${CMAKE_LIBRARY_ARCHITECTURE} ${CMAKE_LIBRARY_ARCHITECTURE}/openblas-openmp)
find_library(LAPACKE_LIBRARY lapacke REQUIRED)
find_path(LAPACKE_INCLUDE_DIR lapacke.h REQUIRED PATH_SUFFIXES lapacke)
add_library(blas INTERFACE)
target_include_directories(blas INTERFACE ${CBLAS_INCLUDE_DIR} ${LAPACKE_INCLUDE_DIR})
target_link_libraries(blas INTERFACE ${LAPACKE_LIBRARY} ${OPENBLAS_LIBRARY})
get_filename_component(OPENBLAS_DIR ${OPENBLAS_LIBRARY} DIRECTORY)
list(APPEND CMAKE_BUILD_RPATH ${OPENBLAS_DIR})
list(APPEND CMAKE_INSTALL_RPATH ${OPENBLAS_DIR})
