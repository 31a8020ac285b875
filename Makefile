# memaed: make, make check, make demo, make install; see README.md.
#
# V=1 shows commands; WERROR=1 makes warnings errors; SAN=address,undefined or SAN=thread builds with sanitizers into a
# folder of its own; DESTDIR and PREFIX as usual.

VERSION := 0.1.0
PREFIX ?= /usr/local
DESTDIR ?=
SYSCONFDIR ?= $(if $(filter /usr,$(PREFIX)),/etc,$(PREFIX)/etc)
UNITDIR ?= $(PREFIX)/lib/systemd/system

CC ?= cc
OPT ?= -O2 -g
BUILD := build$(if $(SAN),/san-$(subst $(comma),-,$(SAN)))
comma := ,
Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-6s %s\n' "$(1)" "$(2)")

PACKAGES := libavformat libavcodec libavutil libswscale openblas libmicrohttpd yaml-0.1 libcurl jansson libsystemd
PKG_CFLAGS := $(shell pkg-config --cflags $(PACKAGES) 2>/dev/null)
PKG_LIBS := $(shell pkg-config --libs $(PACKAGES) 2>/dev/null)

WARN := -Wall -Wextra -Wshadow -Wvla -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wformat=2 \
        $(if $(WERROR),-Werror)
HARDEN := $(if $(SAN),,-D_FORTIFY_SOURCE=2) -fstack-protector-strong -fPIE
ALL_CFLAGS := -std=c17 -D_GNU_SOURCE -DMEMAED_VERSION='"$(VERSION)"' -DMEMAED_SYSCONFDIR='"$(SYSCONFDIR)"' -I. \
              $(OPT) $(WARN) $(HARDEN) $(PKG_CFLAGS) $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer -DMEMAED_DEBUG) \
              -pthread -MMD -MP $(CFLAGS)
ALL_LDFLAGS := -pie -Wl,-z,relro,-z,now $(if $(SAN),-fsanitize=$(SAN)) -pthread $(LDFLAGS)
ALL_LIBS := $(PKG_LIBS) -lm $(LIBS)

# ---- sources: one noun a file ---------------------------------------------------------------------------------------

CORE := core/adam.c core/alert.c core/arch.c core/calibration.c core/conv3d.c core/error.c core/evaluation.c core/kernels.c \
        core/kernels_avx2.c core/kernels_avx512.c core/kernels_c.c core/memory.c core/model.c core/network.c \
        core/parallel.c core/peak.c core/peak_avx2.c core/peak_avx512.c core/peak_c.c core/plan.c core/rng.c \
        core/training.c
IO   := io/config.c io/config_yaml.c io/footage.c io/gray.c io/lock.c io/model_file.c io/pacing.c io/redact.c io/ring.c \
        io/safetensors.c io/source.c io/source_folder.c io/source_log.c io/source_url.c io/webhook.c
WEB  := web/api.c web/cursor.c web/metrics.c web/server.c
DAEMON := daemon/alertlog.c daemon/backoff.c daemon/bench.c daemon/blas.c daemon/camera.c daemon/check.c daemon/clip.c daemon/eval.c \
          daemon/events.c daemon/heartbeat.c daemon/learn.c daemon/log.c daemon/model.c daemon/notify.c daemon/options.c \
          daemon/pool.c daemon/results.c daemon/run.c daemon/score.c daemon/scorelog.c daemon/threads.c
MAIN := daemon/main.c

TESTS := test_alert test_alertlog test_arch test_backoff test_calibration test_camera test_config test_conv3d test_evaluation test_footage \
         test_heartbeat test_kernels test_lock test_log test_memory test_model_file test_network test_notify test_plan test_pool \
         test_redact test_results test_ring test_rng test_safetensors test_scorelog test_source test_threads test_web \
         test_webhook

# While the house is being built, what is not there yet is left out.
CORE := $(wildcard $(CORE))
IO := $(wildcard $(IO))
WEB := $(wildcard $(WEB))
DAEMON := $(wildcard $(DAEMON))
TESTS := $(foreach t,$(TESTS),$(if $(wildcard tests/$(t).c),$(t)))

LIB_OBJS := $(patsubst %.c,$(BUILD)/%.o,$(CORE) $(IO) $(WEB) $(DAEMON))
TEST_BINS := $(addprefix $(BUILD)/tests/,$(TESTS))

.DELETE_ON_ERROR:
.PHONY: all check demo fuzz install uninstall clean arrows deps bench
all: $(BUILD)/memaed

# Instruction-set flags apply to these files alone.
$(BUILD)/core/kernels_c.o: FILE_CFLAGS := -O3 -fno-math-errno -fno-trapping-math
$(BUILD)/core/kernels_avx2.o: FILE_CFLAGS := -O3 -fno-math-errno -fno-trapping-math -mavx2 -mfma
$(BUILD)/core/kernels_avx512.o: FILE_CFLAGS := -O3 -fno-math-errno -fno-trapping-math -mavx512f -mavx512bw -mavx512dq -mavx512vl -mfma -mprefer-vector-width=512
# GCC with -std=c17 fuses no multiply with an add unless it is told to.
$(BUILD)/core/peak_c.o: FILE_CFLAGS := -O3 -fno-math-errno -fno-trapping-math -ffp-contract=fast
$(BUILD)/core/peak_avx2.o: FILE_CFLAGS := -O3 -fno-math-errno -fno-trapping-math -ffp-contract=fast -mavx2 -mfma
$(BUILD)/core/peak_avx512.o: FILE_CFLAGS := -O3 -fno-math-errno -fno-trapping-math -ffp-contract=fast -mavx512f -mfma -mprefer-vector-width=512

# Rebuild when flags change.
$(BUILD)/flags: FORCE
	@mkdir -p $(@D); printf '%s\n' '$(subst ','\'',$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) $(ALL_LIBS))' | cmp -s - $@ || \
	  printf '%s\n' '$(subst ','\'',$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) $(ALL_LIBS))' > $@
.PHONY: FORCE
FORCE:

$(BUILD)/%.o: %.c $(BUILD)/flags
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(FILE_CFLAGS) -c -o $@ $<

$(BUILD)/libmemaed.a: $(LIB_OBJS)
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcs $@ $^

$(BUILD)/memaed: $(BUILD)/daemon/main.o $(BUILD)/libmemaed.a
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $< $(BUILD)/libmemaed.a $(ALL_LIBS)

$(BUILD)/tests/test_%: $(BUILD)/tests/test_%.o $(BUILD)/libmemaed.a
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $< $(BUILD)/libmemaed.a $(shell pkg-config --libs check) $(ALL_LIBS)

# Unit tests of one module, while working on it: make test-ring
test-%: $(BUILD)/tests/test_%
	$(BUILD)/tests/test_$*

clean:
	rm -rf build

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
