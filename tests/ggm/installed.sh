#!/bin/sh
# Installs libggm (component ggm) into a private folder and uses it as a stranger would: pkg-config from C and from C++,
# find_package from CMake, and a look at the exported names.   installed.sh BUILD_DIR EXAMPLE.c CC
set -eu
build=$1 example=$2 cc=$3
for tool in pkg-config c++ nm cmake; do
    command -v "$tool" >/dev/null || { echo "skipped: no $tool"; exit 77; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cmake --install "$build" --component ggm --prefix "$work/root" >/dev/null
pc=$(dirname "$(find "$work/root" -name ggm.pc)")
PKG_CONFIG_PATH=$pc
export PKG_CONFIG_PATH
libdir=$(pkg-config --variable=libdir ggm)
LD_LIBRARY_PATH=$libdir
export LD_LIBRARY_PATH

cd "$work"
# The library must say where OpenBLAS is itself: nothing but -lggm on the line
"$cc" "$example" $(pkg-config --cflags --libs ggm) -lm -o by_pkg_config
./by_pkg_config | grep -q 'gap below 1e-6: yes'
"$cc" "$example" $(pkg-config --cflags ggm) "$libdir/libggm.a" $(pkg-config --static --libs-only-other --libs ggm | sed 's/-lggm//') -lm -o by_archive
./by_archive | grep -q 'gap below 1e-6: yes'
cp "$example" example.cc
for header in "$work"/root/include/ggm/*.h; do
    c++ -Wall -Wextra -Wpedantic -Werror -std=c++11 -fsyntax-only -include "$header" -x c++ /dev/null $(pkg-config --cflags ggm)
done
c++ example.cc $(pkg-config --cflags --libs ggm) -lm -o by_cpp
./by_cpp | grep -q 'gap below 1e-6: yes'

mkdir package
cp "$example" package/example.c
cat >package/CMakeLists.txt <<'END'
cmake_minimum_required(VERSION 3.13)
project(consumer C)
find_package(ggm 0.2 REQUIRED)
foreach(kind ggm ggm_static)
  add_executable(by_${kind} example.c)
  target_link_libraries(by_${kind} ggm::${kind} m)
endforeach()
END
cmake -S package -B package/build -DCMAKE_PREFIX_PATH="$work/root" -DCMAKE_C_COMPILER="$cc" >/dev/null
cmake --build package/build >/dev/null
for kind in ggm ggm_static; do
    package/build/by_$kind | grep -q 'gap below 1e-6: yes'
done

alien=$(nm -D --defined-only "$libdir/libggm.so" | awk '$2 ~ /[TDBR]/ {print $3}' | grep -v '^ggm_' || true)
[ -z "$alien" ] || { echo "libggm.so exports $alien"; exit 1; }
declared=$(sed -n 's/^[a-z].*[ *]\(ggm_[a-z0-9_]*\)(.*/\1/p' "$work"/root/include/ggm/*.h | sort -u)
exported=$(nm -D --defined-only "$libdir/libggm.so" | awk '$2 == "T" {print $3}' | sort -u)
[ "$declared" = "$exported" ] || { echo "declared in ggm.h:" $declared "exported:" $exported; exit 1; }
forbidden=$(nm -D --undefined-only "$libdir/libggm.so" | grep -E ' (exit|abort|_exit|printf|puts|putchar|fprintf|__printf_chk|__fprintf_chk)(@|$)' || true)
[ -z "$forbidden" ] || { echo "libggm.so calls $forbidden"; exit 1; }
