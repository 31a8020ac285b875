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
comma := ,
BUILD := build$(if $(SAN),/san-$(subst $(comma),-,$(SAN)))
Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-6s %s\n' "$(1)" "$(2)")

PACKAGES := libavformat libavcodec libavutil libswscale openblas libmicrohttpd yaml-0.1 libcurl gnutls jansson libsystemd
PKG_CFLAGS := $(shell pkg-config --cflags $(PACKAGES) 2>/dev/null)
PKG_LIBS := $(shell pkg-config --libs $(PACKAGES) 2>/dev/null)

WARN := -Wall -Wextra -Wshadow -Wvla -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wformat=2 -Wno-format-truncation \
        $(if $(WERROR),-Werror)
HARDEN := $(if $(SAN),,-D_FORTIFY_SOURCE=2) -fstack-protector-strong -fPIE
ALL_CFLAGS := -std=c17 -D_GNU_SOURCE -DMEMAED_VERSION='"$(VERSION)"' -DMEMAED_SYSCONFDIR='"$(SYSCONFDIR)"' -I. \
              $(OPT) $(WARN) $(HARDEN) $(PKG_CFLAGS) $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer -DMEMAED_DEBUG) \
              -pthread -MMD -MP $(CFLAGS)
ALL_LDFLAGS := -pie -Wl,-z,relro,-z,now $(if $(SAN),-fsanitize=$(SAN)) -pthread $(LDFLAGS)
ALL_LIBS := $(PKG_LIBS) -lm $(LIBS)

# ---- sources: one noun a file ---------------------------------------------------------------------------------------

CORE := core/adam.c core/alert.c core/arch.c core/boxes.c core/calibration.c core/component.c core/conv3d.c core/conv3d_int8.c core/detection.c core/drift.c core/error.c core/evaluation.c core/history.c core/int8_kernels_amx.c \
        core/int8_kernels_avx2.c core/int8_kernels_avx512.c core/int8_kernels_avxvnni.c core/int8_kernels_c.c core/kernels.c \
        core/kernels_avx2.c core/kernels_avx512.c core/kernels_c.c core/localisation.c core/memory.c core/model.c core/motion.c core/network.c \
        core/parallel.c core/peak.c core/peak_avx2.c core/peak_avx512.c core/peak_c.c core/peak_int8_avx2.c core/peak_int8_avx512.c core/peak_int8_avxvnni.c core/plan.c core/precision.c core/product.c core/ranges.c core/rng.c core/score.c core/static_scene.c core/tail.c \
        core/training.c core/utc.c core/window3d.c
IO   := io/calibration_json.c io/config.c io/config_fault.c io/config_value.c io/config_yaml.c io/damage.c io/footage.c io/gray.c io/json.c io/labels.c io/lock.c io/model_file.c io/pacing.c io/png.c io/redact.c io/ring.c \
        io/safetensors.c io/signature.c io/skip.c io/source.c io/source_folder.c io/source_log.c io/source_url.c io/store.c io/webhook.c
WEB  := web/api.c web/clients.c web/cursor.c web/metrics.c web/request.c web/server.c
DAEMON := daemon/alertlog.c daemon/backoff.c daemon/bench.c daemon/bench_peak.c daemon/bench_plan.c daemon/bench_survey.c daemon/bench_train.c daemon/blas.c daemon/calibrate.c daemon/calibrator.c daemon/camera.c daemon/check.c daemon/checkpoint.c daemon/clip.c daemon/eval.c \
          daemon/events.c daemon/figures.c daemon/heartbeat.c daemon/inputs.c daemon/labelled.c daemon/learn.c daemon/learner.c daemon/log.c daemon/model.c daemon/notify.c daemon/options.c daemon/recorder.c \
          daemon/pool.c daemon/prototypes.c daemon/results.c daemon/run.c daemon/score.c daemon/scorelog.c daemon/static_gate.c daemon/static_limits.c daemon/supervise.c daemon/survey.c daemon/thread.c daemon/threads.c daemon/timeline.c \
          daemon/view.c daemon/windows.c
MAIN := daemon/main.c

TESTS := test_alert test_allocations test_alertlog test_arch test_backoff test_boxes test_calibration test_camera test_clip test_config test_conv3d test_conv3d_int8 test_detection test_drift test_evaluation test_footage \
         test_heartbeat test_int8_kernels test_kernels test_labels test_localisation test_lock test_log test_memory test_model_file test_motion test_network test_notify test_pacing test_plan test_pool test_prototypes \
         test_redact test_results test_ring test_rng test_safetensors test_score test_scorelog test_source test_static_scene test_store test_tail test_threads test_training test_web test_web_limits \
         test_webhook

LIB_OBJS := $(patsubst %.c,$(BUILD)/%.o,$(CORE) $(IO) $(WEB) $(DAEMON))
TEST_BINS := $(addprefix $(BUILD)/tests/,$(TESTS))

.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all check check-built demo fuzz valgrind install uninstall clean arrows deps bench
all: $(BUILD)/memaed

# Instruction-set flags apply to these files alone.
$(BUILD)/core/kernels_c.o: FILE_CFLAGS := -O3 -fno-math-errno -fno-trapping-math -ffp-contract=fast
$(BUILD)/core/kernels_avx2.o: FILE_CFLAGS := -O3 -fno-math-errno -fno-trapping-math -ffp-contract=fast -mavx2 -mfma
$(BUILD)/core/kernels_avx512.o: FILE_CFLAGS := -O3 -fno-math-errno -fno-trapping-math -ffp-contract=fast -mavx512f -mavx512bw -mavx512dq -mavx512vl -mfma -mprefer-vector-width=512
$(BUILD)/core/static_scene.o: FILE_CFLAGS := -O3
$(BUILD)/core/window3d.o: FILE_CFLAGS := -O3
# No fused multiply-adds here: every table rounds alike.
INT8_CFLAGS := -O3 -fno-math-errno -fno-trapping-math -ffp-contract=off
$(BUILD)/core/int8_kernels_c.o: FILE_CFLAGS := $(INT8_CFLAGS)
$(BUILD)/core/int8_kernels_avx2.o: FILE_CFLAGS := $(INT8_CFLAGS) -mavx2
$(BUILD)/core/int8_kernels_avxvnni.o: FILE_CFLAGS := $(INT8_CFLAGS) -mavx2
INT8_AVX512 := $(INT8_CFLAGS) -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512vnni -mprefer-vector-width=512
$(BUILD)/core/int8_kernels_avx512.o: FILE_CFLAGS := $(INT8_AVX512)
$(BUILD)/core/int8_kernels_amx.o: FILE_CFLAGS := $(INT8_AVX512) -mamx-tile -mamx-int8
# GCC with -std=c17 fuses no multiply with an add unless it is told to.
$(BUILD)/core/peak_c.o: FILE_CFLAGS := -O3 -fno-math-errno -fno-trapping-math -ffp-contract=fast
$(BUILD)/core/peak_avx2.o: FILE_CFLAGS := -O3 -fno-math-errno -fno-trapping-math -ffp-contract=fast -mavx2 -mfma
$(BUILD)/core/peak_avx512.o: FILE_CFLAGS := -O3 -fno-math-errno -fno-trapping-math -ffp-contract=fast -mavx512f -mfma -mprefer-vector-width=512
$(BUILD)/core/peak_int8_avx2.o $(BUILD)/core/peak_int8_avxvnni.o: FILE_CFLAGS := -O3 -mavx2
$(BUILD)/core/peak_int8_avx512.o: FILE_CFLAGS := -O3 -mavx512f -mprefer-vector-width=512

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
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $(filter %.o,$^) $(BUILD)/libmemaed.a $(shell pkg-config --libs check) $(ALL_LIBS)
$(BUILD)/tests/test_source $(BUILD)/tests/test_footage: $(BUILD)/tests/clips.o

# Unit tests of one module, while working on it: make test-ring
test-%: $(BUILD)/tests/test_%
	$(BUILD)/tests/test_$*

# ---- the rest: deps, check, demo, fuzz, valgrind, bench, install -----------------------------------------------------

# What is missing is installed first (by root; else the apt line is printed), so these end in a make of their own that
# sees what pkg-config sees then.
again = @$(MAKE) --no-print-directory $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc))
RUN_TESTS = tests/run --build $(BUILD) --san '$(SAN)' --unit '$(TEST_BINS)'

deps:
	@tools/deps build && tools/deps check && tools/deps demo

check:
	@tools/deps check
	$(again) check-built
check-built: all $(TEST_BINS) arrows
	@$(RUN_TESTS)

# Who may include whom.
arrows:
	@tests/arrows

demo:
	@tools/deps demo
	$(again) all
	@MEMAED=$(BUILD)/memaed tools/demo

# The short system test under valgrind.
VALGRIND := valgrind -q --trace-children=yes --leak-check=full --errors-for-leak-kinds=definite --error-exitcode=99 \
            --suppressions=tests/valgrind.supp
valgrind:
	@tools/deps valgrind
	$(again) all
	@MEMAED_TEST_SCALE=$${MEMAED_TEST_SCALE:-20} $(RUN_TESTS) --only system --memaed '$(VALGRIND) $(BUILD)/memaed' test_run_file

# Each target of tests/fuzz for FUZZ_SECONDS, from the seeds that the project has anyway; findings stay in build/.
FUZZ_SECONDS ?= 60
FUZZ_SAN := fuzzer-no-link,address,undefined
FUZZERS := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_SEEDS_model = $(filter-out %.golden.safetensors,$(wildcard tests/golden/tiny-*.safetensors))
FUZZ_SEEDS_config = etc/memaed.yml $(wildcard tests/bad/config/*)
fuzz:
	@tools/deps fuzz
	$(again) CC=clang CFLAGS='$(CFLAGS) -Wno-unknown-warning-option -Wno-unknown-pragmas' SAN=$(FUZZ_SAN) $(addprefix run-,$(FUZZERS))
run-fuzz_%: $(BUILD)/tests/fuzz_%
	@mkdir -p $(BUILD)/corpus/$* && $(foreach f,$(FUZZ_SEEDS_$*) $(wildcard tests/fuzz/$*/*),cp $(f) $(BUILD)/corpus/$*/ &&) true
	@printf '  %-6s %s\n' FUZZ '$* for $(FUZZ_SECONDS) s'
	@cd $(BUILD) && UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 tests/fuzz_$* -max_total_time=$(FUZZ_SECONDS) -timeout=10 \
	  -rss_limit_mb=4096 -verbosity=0 -print_final_stats=1 -artifact_prefix=$*- corpus/$* >$*.log 2>&1 || { tail -60 $*.log; exit 1; }
	@grep number_of_executed_units $(BUILD)/$*.log
$(BUILD)/tests/fuzz_%: tests/fuzz/fuzz_%.c $(BUILD)/libmemaed.a
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -fsanitize=fuzzer -o $@ $< $(ALL_LDFLAGS) $(BUILD)/libmemaed.a $(ALL_LIBS)

# The paper's experiments, each one command (README.md, Figures). Data: ../shared/data, or MEMAED_DATA.
# The ablation on Ped2 is a command of its own: tests/reproduce/ped2.py --ablation.
reproduce-ped2:
	@tools/deps build
	$(again) all >&2
	@MEMAED=$(BUILD)/memaed tests/reproduce/ped2.py
.PHONY: reproduce-ped2
reproduce-%:
	@tools/deps reproduce
	$(again) $(BUILD)/tests/reproduce/$* >&2
	@$(BUILD)/tests/reproduce/$*
$(BUILD)/tests/reproduce/%: $(BUILD)/tests/reproduce/%.o $(BUILD)/tests/reproduce/reproduce.o $(BUILD)/libmemaed.a
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $(filter %.o,$^) $(BUILD)/libmemaed.a $(ALL_LIBS) -lz

bench: all
	$(BUILD)/memaed bench --table

install: $(BUILD)/memaed
	install -D -m 755 $(BUILD)/memaed $(DESTDIR)$(PREFIX)/bin/memaed
	install -D -m 644 docs/memaed.1 $(DESTDIR)$(PREFIX)/share/man/man1/memaed.1
	install -D -m 644 etc/memaed.yml $(DESTDIR)$(PREFIX)/share/doc/memaed/examples/memaed.yml
	install -d -m 755 $(DESTDIR)$(SYSCONFDIR)/memaed $(DESTDIR)$(UNITDIR)
	sed -e 's|/usr/bin/memaed|$(PREFIX)/bin/memaed|' -e 's|/etc/memaed|$(SYSCONFDIR)/memaed|' systemd/memaed.service \
	  >$(DESTDIR)$(UNITDIR)/memaed.service
	chmod 644 $(DESTDIR)$(UNITDIR)/memaed.service

# Configuration, models and state stay.
uninstall:
	rm -f $(DESTDIR)$(PREFIX)/bin/memaed $(DESTDIR)$(PREFIX)/share/man/man1/memaed.1 $(DESTDIR)$(UNITDIR)/memaed.service
	rm -rf $(DESTDIR)$(PREFIX)/share/doc/memaed

clean:
	rm -rf build

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
