# The doors of the house. `make demo` and `make test` do all set-up on a fresh Debian 12 machine (root, or a user with sudo).
BUILD   ?= build/release
JOBS    ?= $(shell nproc)
RESULTS ?= results/demo
CMAKE   := /usr/bin/cmake
DESTDIR ?=

.PHONY: all deps demo test check asan tsan fuzz bench install clean

all: $(BUILD)/glint

deps:
	@tools/install-deps

$(BUILD)/build.ninja: | deps
	@$(CMAKE) -G Ninja -S . -B $(BUILD) -DCMAKE_BUILD_TYPE=Release

$(BUILD)/glint: deps $(BUILD)/build.ninja FORCE
	@$(CMAKE) --build $(BUILD) -j $(JOBS)
FORCE:

# The main job on the model and data that come with glint.
demo: $(BUILD)/glint
	@$(BUILD)/glint run --model data/demo/model --dataset data/demo/reviews.jsonl --output_dir $(RESULTS)

test: $(BUILD)/glint
	@ctest --test-dir $(BUILD) --output-on-failure -j $(JOBS)

asan: deps
	@$(CMAKE) -G Ninja -S . -B build/asan -DCMAKE_BUILD_TYPE=RelWithDebInfo -DGLINT_SANITIZE=ON
	@$(CMAKE) --build build/asan -j $(JOBS)
	@ctest --test-dir build/asan --output-on-failure -j $(JOBS)

# The solver library's tests under ThreadSanitizer. clang's OpenMP tells it of its barriers (libarcher), gcc's does not.
tsan: deps
	@command -v clang >/dev/null || { echo 'glint: make tsan needs clang: apt-get install clang libclang-rt-14-dev libomp-dev' >&2; exit 1; }
	@CC=clang $(CMAKE) -G Ninja -S . -B build/tsan -DCMAKE_BUILD_TYPE=RelWithDebInfo -DGLINT_TSAN=ON
	@$(CMAKE) --build build/tsan -j $(JOBS)
	@OMP_TOOL_LIBRARIES=$$(ls /usr/lib/llvm-*/lib/libarcher.so | head -1) OPENBLAS_NUM_THREADS=1 TSAN_OPTIONS=ignore_noninstrumented_modules=1 \
	  ctest --test-dir build/tsan --output-on-failure -R test_ggm -E installed

# Each fuzz target for a minute (FUZZ_SECONDS), starting from its corpus.
FUZZ_SECONDS ?= 60
fuzz: deps
	@command -v clang >/dev/null || { echo 'glint: make fuzz needs clang: apt-get install clang libclang-rt-14-dev libomp-dev' >&2; exit 1; }
	@CC=clang $(CMAKE) -G Ninja -S . -B build/fuzz -DCMAKE_BUILD_TYPE=RelWithDebInfo -DGLINT_FUZZ=ON -DBUILD_TESTING=OFF
	@$(CMAKE) --build build/fuzz -j $(JOBS)
	@tools/run-fuzz build/fuzz $(FUZZ_SECONDS)

bench: $(BUILD)/glint
	@bench/run $(BUILD)

install: $(BUILD)/glint
	@DESTDIR=$(DESTDIR) $(CMAKE) --install $(BUILD)

clean:
	@rm -rf build
