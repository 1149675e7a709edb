# A thin door to CMake: see CMakeLists.txt and CMakePresets.json.
PREFIX ?= /usr/local
JOBS ?= $(shell nproc)
# Of training by each optimizer, `make autoencoder`.
SECONDS ?= 60
PRESET ?= $(if $(CI),ci,default)

.PHONY: all build setup demo autoencoder test bench check-long check-format \
	format install clean

all: build

build: setup
	@cmake --preset $(PRESET) >build/configure.log 2>&1 || \
		{ cat build/configure.log; exit 1; }
	@cmake --build --preset $(PRESET) -j $(JOBS)

# Installs what is missing on Debian and Ubuntu, names it elsewhere.
setup:
	@mkdir -p build
	@scripts/setup.sh

demo: build
	@scripts/demo.sh

# The picture of the README, on Fashion-MNIST: minutes.
autoencoder: build
	@scripts/autoencoder.sh $(SECONDS)

test: build
	@tests/run.sh

bench: build
	@bench/run.sh

check-long: build
	@tests/long.sh

check-format:
	@scripts/format.sh --check

format:
	@scripts/format.sh

install: build
	@cmake --install build --prefix $(PREFIX)

clean:
	rm -rf build out
