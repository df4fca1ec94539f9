# Compiler flags, each with its reason. DEVELOPER=1 (the default in a checkout)
# turns warnings into errors; distributors set DEVELOPER=0.
DEVELOPER ?= 1
SANITIZE ?=

WARN := -Wall -Wextra
WARN += -Wshadow                # a shadowed name hides which value is meant
WARN += -Wpointer-arith -Wcast-qual -Wwrite-strings
WARN += -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition
WARN += -Wformat=2 -Wundef -Wvla
WARN += -Wswitch-enum
# gcc takes a comment for saying so, as uthash's macros do; clang does not.
WARN += $(if $(findstring clang,$(CC)),,-Wimplicit-fallthrough)
ifeq ($(DEVELOPER),1)
WARN += -Werror
endif

# Hardening as the OpenSSF guide lists it for gcc 12 and clang 14.
HARDEN := -fstack-protector-strong -fstack-clash-protection -fPIE
HARDEN += -fno-delete-null-pointer-checks -fno-strict-overflow
HARDEN_LD := -pie -Wl,-z,relro,-z,now,-z,noexecstack

OPT := -O2 -g
ifneq ($(SANITIZE),)
# _FORTIFY_SOURCE hides errors from the sanitizers.
OPT := -O1 -g -fno-omit-frame-pointer -fsanitize=$(SANITIZE)
HARDEN += -fno-sanitize-recover=all
ifeq ($(findstring clang,$(CC)),)
# Instrumented code hides from gcc the ranges that say nothing is cut off or unset.
WARN += -Wno-format-truncation -Wno-maybe-uninitialized
endif
else
HARDEN += -D_FORTIFY_SOURCE=3
endif

CUV_CFLAGS := -std=c17 -D_GNU_SOURCE -I. -I$(BUILD) -include lib/base/banned.h $(WARN) $(HARDEN) $(OPT) -MMD -MP
CUV_LDFLAGS := $(HARDEN_LD) $(if $(SANITIZE),-fsanitize=$(SANITIZE))
