# The worker image and the pinned tools: docs/image.md.
UNPACK_SRC := $(wildcard worker-image/image/*.c) $(addprefix lib/base/,base.c buf.c error.c fd.c utf8.c)
UNPACK_OPT ?= -O2
# Static, because it runs alone in Nix's sandbox; only the formats it names are linked.
UNPACK_CFLAGS := -std=c17 -D_GNU_SOURCE -I. -include lib/base/banned.h $(WARN) $(UNPACK_OPT) -g \
	-fstack-protector-strong -fstack-clash-protection -ffunction-sections -fdata-sections
UNPACK_LIBS := -larchive -llzma -lzstd -lz -lbz2 -lnettle
# Where the store is made; the same default as the service's.
STATE ?= $(or $(CUVETTE_STATE),$(if $(filter 0,$(shell id -u)),/var/lib/cuvette,$(or $(XDG_STATE_HOME),$(HOME)/.local/state)/cuvette))

# Another Python than the default one; several, or `all`, go too.
PYTHON :=
IMAGE_STORE = tools/image-store $(STATE) --unpacker $(BIN)/cuvette-unpack $(PYTHON:%=--python %)

PROGRAMS += $(BIN)/cuvette-unpack

$(BIN)/cuvette-unpack: $(UNPACK_SRC) $(wildcard worker-image/image/*.h lib/base/*.h)
	@mkdir -p $(@D)
	$(if $(Q),@echo "  link $@")
	$(Q)$(CC) $(UNPACK_CFLAGS) -static -Wl,--gc-sections -o $@ $(UNPACK_SRC) $(UNPACK_LIBS)

host: $(BIN)/cuvette-unpack ## write build/host: this machine's mirrors and the unpacker
	$(Q)tools/image-host $(BUILD)/host $(BIN)/cuvette-unpack

build-root: $(BIN)/cuvette-unpack ## the root with a compiler in which source distributions are built that need one (PYTHON=3.13)
	$(Q)$(IMAGE_STORE) --only build-root

image: $(BIN)/cuvette-unpack ## nix build of the worker image into the state folder's store
	$(Q)$(IMAGE_STORE) --only image

toolchain: $(BIN)/cuvette-unpack ## the image with compiler and linker, by which the zygote is made
	$(Q)$(IMAGE_STORE) --only toolchain

zygote: $(BIN)/cuvette-unpack ## the zygote, compiled in Nix's sandbox where its sources changed: seconds
	$(Q)$(IMAGE_STORE) --only zygote

tools-wheels: $(BIN)/cuvette-unpack ## uv and ruff from their pinned wheels into the same store
	$(Q)$(IMAGE_STORE) --only uv --only ruff

store: $(BIN)/cuvette-unpack ## the Nix store with image, tools and zygote, of PYTHON=3.13 too where asked
	$(Q)$(IMAGE_STORE)

update-pins: $(BIN)/cuvette-unpack ## make the pins of images and tools anew from apt and pip
	$(Q)tools/image-update-pins --unpacker $(BIN)/cuvette-unpack

.PHONY: build-root host image toolchain zygote tools-wheels store update-pins

# The unpacker is in no archive; its one pure module is linked to its tests.
MEMBER_TESTS := unit/test_image_member fuzz/image-member libfuzzer/image-member
$(addprefix $(BUILD)/tests/,$(MEMBER_TESTS)): $(OBJ)/worker-image/image/member.o
