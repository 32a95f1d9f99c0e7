# make            the module: build/ngx_http_im_module.so
# make run        serve it here, until Ctrl-C (PORT=8080; CLUSTER=1: on a Redis
#                 Cluster)
# make deb        a Debian package of it
# make test       install what is needed, build, run all of prove
#                 (TLS=1: Redis with TLS, SENTINEL=1: behind a Sentinel,
#                 CLUSTER=1: on a Redis Cluster)

MODULES ?= $(shell nginx -V 2>&1 | sed -n 's/.*--modules-path=\([^ ]*\).*/\1/p')
PROVE   ?= prove -I t/lib
TESTS   ?= t/*.t

.PHONY: all deps run test lint install clean bench asan valgrind fuzz soak \
	coverage matrix deb

all:
	@t/tools/build

deps:
	@t/tools/deps

run: deps all
	@CLUSTER=$(CLUSTER) t/tools/run

test:
	@t/tools/deps libjson-pp-perl nghttp2-client libnginx-mod-nchan \
	    libnginx-mod-http-lua libjson-validator-perl libcpanel-json-xs-perl \
	    libyaml-libyaml-perl libyaml-pp-perl python3-jsonschema sqlite3 \
	    prometheus chromium nodejs npm \
	    $(if $(filter true,$(CI)),clang libclang-rt-dev)
	@$(MAKE) --no-print-directory all lint
	@IM_OPENAPI=$${IM_OPENAPI-1} IM_TLS=$(TLS) IM_SENTINEL=$(SENTINEL) \
	    IM_CLUSTER=$(CLUSTER) $(PROVE) $(TESTS)

lint: all
	@t/tools/lint

install: all
	install -d $(DESTDIR)$(MODULES)
	install -m 644 build/ngx_http_im_module.so $(DESTDIR)$(MODULES)/

clean:
	rm -rf build

# build/deb/libnginx-mod-http-im_*.deb, see docs/packaging/README.md

deb:
	@t/tools/deps debhelper
	@t/tools/deb

# the rest is not part of "make test": see docs/testing.md

bench: deps all
	@t/bench/run

asan: deps
	@t/asan/run

valgrind: deps all
	@t/asan/valgrind-run

fuzz:
	@t/tools/deps clang libclang-rt-dev
	@t/fuzz/run $(SECONDS)

coverage:
	@t/tools/deps clang libclang-rt-dev llvm
	@t/coverage/run

soak: deps all
	@t/fault/soak

# RELEASES="trixie testing": other releases of Debian, Redis and Valkey

matrix:
	@t/tools/deps debootstrap
	@t/tools/matrix $(RELEASES)
