# memaed: make, make check, make demo, make install; see README.md.
#
# V=1 shows commands. WERROR=1 makes warnings errors. SAN=address,undefined or SAN=thread builds with sanitizers into a
# folder of its own. DESTDIR and PREFIX work as usual.

VERSION := 0.1.0
PREFIX ?= /usr/local
DESTDIR ?=
SYSCONFDIR ?= $(if $(filter /usr,$(PREFIX)),/etc,$(PREFIX)/etc)
UNITDIR ?= $(PREFIX)/lib/systemd/system
BASHDIR ?= $(PREFIX)/share/bash-completion/completions
# Debian's zsh looks into vendor-completions for packages, and into site-functions for /usr/local.
ZSHDIR ?= $(PREFIX)/share/zsh/$(if $(filter /usr,$(PREFIX)),vendor-completions,site-functions)

CC ?= cc
OPT ?= -O2 -g
comma := ,
BUILD := build$(if $(SAN),/san-$(subst $(comma),-,$(SAN)))
Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-6s %s\n' "$(1)" "$(2)")

PACKAGES := libavformat libavcodec libavutil libswscale libswresample openblas libmicrohttpd yaml-0.1 libcurl gnutls jansson libsystemd libseccomp sqlite3 glib-2.0
PKG_CFLAGS := $(shell pkg-config --cflags $(PACKAGES) 2>/dev/null)
PKG_LIBS := $(shell pkg-config --libs $(PACKAGES) 2>/dev/null)

WARN := -Wall -Wextra -Wshadow -Wvla -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wformat=2 -Wno-format-truncation \
        $(if $(WERROR),-Werror)
HARDEN := $(if $(SAN),,-D_FORTIFY_SOURCE=2) -fstack-protector-strong -fPIE
ALL_CFLAGS := -std=c17 -D_GNU_SOURCE -DMEMAED_VERSION='"$(VERSION)"' -I. \
              $(OPT) $(WARN) $(HARDEN) $(PKG_CFLAGS) $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer -DMEMAED_DEBUG) \
              -pthread -MMD -MP $(CFLAGS)
ALL_LDFLAGS := -pie -Wl,-z,relro,-z,now $(if $(SAN),-fsanitize=$(SAN)) -pthread $(LDFLAGS)
ALL_LIBS := $(PKG_LIBS) -lm $(LIBS)

# ---- sources and tests -------------------------------------------------------------------------------------------

# Sources and tests are found by place and name, so a new file needs no line here.
SOURCES := $(filter-out daemon/main.c,$(sort $(shell find core io web daemon -name '*.c')))
TESTS := $(patsubst %.c,%,$(sort $(shell find tests -name 'test_*.c')))

LIB_OBJS := $(patsubst %.c,$(BUILD)/%.o,$(SOURCES))
TEST_BINS := $(addprefix $(BUILD)/,$(TESTS))

.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all bench-detection check check-built demo fuzz valgrind install uninstall clean arrows deps bench
COMPLETIONS := $(BUILD)/completion.bash $(BUILD)/completion.zsh
all: $(BUILD)/memaed $(if $(SAN),,$(COMPLETIONS))

# Only these files get instruction-set flags. The CPU's flags decide at run time which of them run.
$(BUILD)/core/kernels/kernels_c.o: FILE_CFLAGS := -O3 -fno-math-errno -fno-trapping-math -ffp-contract=fast
$(BUILD)/core/kernels/kernels_avx2.o: FILE_CFLAGS := -O3 -fno-math-errno -fno-trapping-math -ffp-contract=fast -mavx2 -mfma
$(BUILD)/core/kernels/kernels_avx512.o: FILE_CFLAGS := -O3 -fno-math-errno -fno-trapping-math -ffp-contract=fast -mavx512f -mavx512bw -mavx512dq -mavx512vl -mfma -mprefer-vector-width=512
$(BUILD)/core/score/static_scene.o: FILE_CFLAGS := -O3
$(BUILD)/core/network/convolution/window3d.o: FILE_CFLAGS := -O3
# No fused multiply-adds in 8 bits, so that every table rounds alike.
INT8_CFLAGS := -O3 -fno-math-errno -fno-trapping-math -ffp-contract=off
$(BUILD)/core/kernels/int8_kernels_c.o: FILE_CFLAGS := $(INT8_CFLAGS)
$(BUILD)/core/kernels/int8_kernels_avx2.o: FILE_CFLAGS := $(INT8_CFLAGS) -mavx2
$(BUILD)/core/kernels/int8_kernels_avxvnni.o: FILE_CFLAGS := $(INT8_CFLAGS) -mavx2
INT8_AVX512 := $(INT8_CFLAGS) -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512vnni -mprefer-vector-width=512
$(BUILD)/core/kernels/int8_kernels_avx512.o: FILE_CFLAGS := $(INT8_AVX512)
$(BUILD)/core/kernels/int8_kernels_amx.o: FILE_CFLAGS := $(INT8_AVX512) -mamx-tile -mamx-int8
# Kernels announce their arrays to ThreadSanitizer once a call (core/kernels/announce.h). It does not see every load.
$(BUILD)/core/kernels/kernels_%.o $(BUILD)/core/kernels/int8_kernels_%.o: \
  RACE_CFLAGS := $(if $(findstring thread,$(SAN)),-fno-sanitize=thread -DMEMAED_ANNOUNCE)
# With -std=c17, GCC fuses a multiply with an add only if it is told to.
$(BUILD)/core/kernels/peak/peak_c.o: FILE_CFLAGS := -O3 -fno-math-errno -fno-trapping-math -ffp-contract=fast
$(BUILD)/core/kernels/peak/peak_avx2.o: FILE_CFLAGS := -O3 -fno-math-errno -fno-trapping-math -ffp-contract=fast -mavx2 -mfma
$(BUILD)/core/kernels/peak/peak_avx512.o: FILE_CFLAGS := -O3 -fno-math-errno -fno-trapping-math -ffp-contract=fast -mavx512f -mfma -mprefer-vector-width=512
$(BUILD)/core/kernels/peak/peak_int8_avx2.o $(BUILD)/core/kernels/peak/peak_int8_avxvnni.o: FILE_CFLAGS := -O3 -mavx2
$(BUILD)/core/kernels/peak/peak_int8_avx512.o: FILE_CFLAGS := -O3 -mavx512f -mprefer-vector-width=512

# Everything is rebuilt when compiler or flags change. `make install` by itself takes the build as it is: the root user's
# environment need not be the builder's.
$(BUILD)/flags: $(if $(filter-out install,$(or $(MAKECMDGOALS),all)),FORCE)
	@$(if $(PKG_LIBS),command -v $(firstword $(CC)) >/dev/null ||,) \
	  { tools/deps --tell build && echo 'make: no compiler $(CC), or pkg-config knows not all of: $(PACKAGES)'; exit 1; } >&2
	@mkdir -p $(@D); printf '%s\n' '$(subst ','\'',$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) $(ALL_LIBS))' | cmp -s - $@ || \
	  printf '%s\n' '$(subst ','\'',$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) $(ALL_LIBS))' > $@
.PHONY: FORCE
FORCE:

$(BUILD)/%.o: %.c $(BUILD)/flags
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(FILE_CFLAGS) $(RACE_CFLAGS) -c -o $@ $<

$(BUILD)/libmemaed.a: $(LIB_OBJS)
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcs $@ $^

$(BUILD)/memaed: $(BUILD)/daemon/main.o $(BUILD)/libmemaed.a
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $< $(BUILD)/libmemaed.a $(ALL_LIBS)

$(COMPLETIONS): $(BUILD)/completion.%: $(BUILD)/memaed
	$(call say,GEN,$@)
	$(Q)$(BUILD)/memaed completion $* >$@

$(TEST_BINS): $(BUILD)/%: $(BUILD)/%.o $(BUILD)/tests/clips.o $(BUILD)/libmemaed.a
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $(filter %.o,$^) $(BUILD)/libmemaed.a $(shell pkg-config --libs check) $(ALL_LIBS)

# Builds and runs the unit tests of one module, for example: make test-frame_ring
test-%: all
	@$(MAKE) --no-print-directory $(filter %/test_$*,$(TEST_BINS))
	$(filter %/test_$*,$(TEST_BINS))

# ---- the rest: deps, check, demo, fuzz, valgrind, bench, install -----------------------------------------------------

# tools/deps first installs missing packages if root runs it, else it prints the apt line. These targets then start make
# again, because pkg-config finds the new packages only in a new make.
again = @$(MAKE) --no-print-directory $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc))
RUN_TESTS = tests/run --build $(BUILD) --san '$(SAN)'

deps:
	@tools/deps build check demo

check:
	@tools/deps check
	$(again) check-built
check-built: all $(TEST_BINS) arrows
	@$(RUN_TESTS)

# Checks which room includes which.
arrows:
	@tests/arrows

demo:
	@tools/deps demo
	$(again) all
	@MEMAED=$(BUILD)/memaed tools/demo

# Runs the short system test under valgrind. Processes of cameras run without it, because their sandbox limits memory too much.
VALGRIND := valgrind -q --fair-sched=yes --trace-children=yes --trace-children-skip-by-arg=capture-host \
            --leak-check=full --errors-for-leak-kinds=definite --error-exitcode=99 --suppressions=tests/valgrind.supp
valgrind:
	@tools/deps valgrind
	$(again) all
	@MEMAED_TEST_SCALE=$${MEMAED_TEST_SCALE:-20} $(RUN_TESTS) --only system --memaed '$(VALGRIND) $(BUILD)/memaed' test_run_file

# Runs each target of tests/fuzz for FUZZ_SECONDS, seeded from files of the project. Findings stay in build/.
FUZZ_SECONDS ?= 60
# `undefined` does not include the conversion of floating-point numbers that do not fit.
FUZZ_SAN := fuzzer-no-link,address,undefined,float-cast-overflow
FUZZERS := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_SEEDS_model = $(filter-out %.golden.safetensors,$(wildcard tests/golden/tiny-*.safetensors))
FUZZ_SEEDS_config = etc/memaed.yml $(wildcard tests/bad/config/*)
FUZZ_SEEDS_query = $(wildcard tests/bad/query/*)
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

# The paper's experiments, one command each (docs/experiments.md). Their data: ../shared/data, or the folder MEMAED_DATA.
# The ablation on Ped2 has a command of its own: tests/reproduce/ped2.py --ablation.
reproduce-ped2:
	@tools/deps reproduce
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

# The table of all development cameras (tests/bench/detection.py). A night on one core; DETECTION=--quick: 20 minutes.
bench-detection:
	@tools/deps reproduce
	$(again) all >&2
	@MEMAED=$(BUILD)/memaed tests/bench/detection.py $(DETECTION)

bench: all
	$(BUILD)/memaed bench --table

# Installs what was built, and builds first only what is missing or older than its source. Nothing starts: the service is
# not enabled, and memaed refuses the example of a configuration. A configuration that is there stays as it is.
INSTALLED_CONFIG := $(DESTDIR)$(SYSCONFDIR)/memaed/memaed.yml
install: $(BUILD)/memaed $(COMPLETIONS)
	install -D -m 755 $(BUILD)/memaed $(DESTDIR)$(PREFIX)/bin/memaed
	install -D -m 644 docs/memaed.1 $(DESTDIR)$(PREFIX)/share/man/man1/memaed.1
	install -D -m 644 etc/memaed.yml $(DESTDIR)$(PREFIX)/share/doc/memaed/examples/memaed.yml
	install -d -m 755 $(DESTDIR)$(PREFIX)/share/doc/memaed/examples/prometheus $(DESTDIR)$(PREFIX)/share/doc/memaed/examples/grafana
	install -m 644 etc/prometheus/* $(DESTDIR)$(PREFIX)/share/doc/memaed/examples/prometheus
	install -m 644 etc/grafana/* $(DESTDIR)$(PREFIX)/share/doc/memaed/examples/grafana
	install -m 644 docs/*.md docs/*.svg docs/*.jpg $(DESTDIR)$(PREFIX)/share/doc/memaed
	install -D -m 644 $(BUILD)/completion.bash $(DESTDIR)$(BASHDIR)/memaed
	install -D -m 644 $(BUILD)/completion.zsh $(DESTDIR)$(ZSHDIR)/_memaed
	install -d -m 755 $(DESTDIR)$(SYSCONFDIR)/memaed $(DESTDIR)$(UNITDIR)
	[ -e $(INSTALLED_CONFIG) ] || [ -L $(INSTALLED_CONFIG) ] || install -m 644 etc/memaed.yml $(INSTALLED_CONFIG)
	sed -e 's|/usr/bin/memaed|$(PREFIX)/bin/memaed|' -e 's|/etc/memaed|$(SYSCONFDIR)/memaed|' systemd/memaed.service \
	  >$(DESTDIR)$(UNITDIR)/memaed.service
	chmod 644 $(DESTDIR)$(UNITDIR)/memaed.service

# Models and state stay, and so does a configuration that is not the example.
uninstall:
	rm -f $(DESTDIR)$(PREFIX)/bin/memaed $(DESTDIR)$(PREFIX)/share/man/man1/memaed.1 $(DESTDIR)$(UNITDIR)/memaed.service \
	  $(DESTDIR)$(BASHDIR)/memaed $(DESTDIR)$(ZSHDIR)/_memaed
	rm -rf $(DESTDIR)$(PREFIX)/share/doc/memaed
	[ -L $(INSTALLED_CONFIG) ] || ! cmp -s etc/memaed.yml $(INSTALLED_CONFIG) || rm $(INSTALLED_CONFIG)
	rmdir $(DESTDIR)$(SYSCONFDIR)/memaed 2>/dev/null || true

clean:
	rm -rf build

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
