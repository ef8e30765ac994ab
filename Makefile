# Causeway: `make demo` carries sample mail both ways, `make test` proves everything, `make help` lists the rest.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CONFIG ?= causeway.yaml
TOOLS := build/tools

.PHONY: help install demo run test test-peers bench soak lives format lint types tests test-random test-containers test-pods \
	test-compose test-manifests test-monitoring test-clock test-loss system-packages images manifests lock clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 18

install: $(VENV)/.installed ## build .venv from the lock file, with .venv/bin/causeway

$(VENV)/.installed: requirements/development.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "causeway needs Python 3.11 or later: install python3, or name one: make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "Python lacks its venv module: apt install python3-venv"; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/development.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: install ## send sample messages both ways through a separate gateway, and show the changes
	$(BIN)/causeway demo

run: install ## the same gateway, running until Ctrl-C
	$(BIN)/causeway demo --stay

test: lint types tests ## format check, lint, strict types, all tests

format: install ## format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

test-peers: install ## against Postfix and swaks: needs root, and apt install postfix swaks
	@command -v postfix swaks smtp-source >/dev/null || { echo "apt install postfix swaks"; exit 1; }
	$(BIN)/pytest -s tests/peers

test-containers: test-compose test-pods ## test-compose and test-pods

WITH_DOCKER := tests/containers/test_compose.py tests/containers/test_images.py

test-compose: install $(TOOLS)/.installed ## the compose stack and the images, for real: needs Docker and docker compose
	@docker info >/dev/null 2>&1 || { echo "start Docker: apt install docker.io docker-compose, and run as root or in group docker"; exit 1; }
	@docker compose version >/dev/null 2>&1 || docker-compose version >/dev/null 2>&1 || { echo "apt install docker-compose"; exit 1; }
	@(for image in $$(sed -n 's/^ARG PYTHON=//p' Dockerfile) $$(sed -n 's/^ *image: \(.*:.*\)/\1/p' docker-compose.yml); do \
		docker image inspect $$image >/dev/null 2>&1 || docker pull $$image || exit 1; done) || { \
		echo "the images above have to be here: pull them through your mirror, and docker tag them"; exit 1; }
	$(BIN)/pytest $(WITH_DOCKER)

test-pods: install ## the manifests' pods, for real: needs root, podman, kubectl or kustomize, and the images
	@command -v podman >/dev/null && { command -v catatonit >/dev/null || [ -x /usr/libexec/podman/catatonit ]; } || { \
		echo "apt install podman runc netavark aardvark-dns catatonit"; exit 1; }
	@command -v kubectl >/dev/null || command -v kustomize >/dev/null || { echo "install kubectl 1.27 or kustomize 5, or later"; exit 1; }
	@(for image in redis:8 causeway/ingress causeway/transform causeway/egress; do podman image exists $$image || exit 1; done) || { \
		echo "pull redis:8, and for each service: podman build --target ingress --tag causeway/ingress ."; exit 1; }
	$(BIN)/pytest $(filter-out $(WITH_DOCKER),$(wildcard tests/containers/test_*.py))

test-monitoring: install ## rules, alerts and dashboard in a real Prometheus: needs apt install prometheus (its service may stay off)
	@command -v prometheus promtool >/dev/null || { echo "apt install prometheus"; exit 1; }
	$(BIN)/pytest -s tests/unit/deploy/test_monitoring.py tests/monitoring

test-manifests: install ## every combination of the manifests' components, 1,154 of them: needs kubectl or kustomize
	@command -v kubectl >/dev/null || command -v kustomize >/dev/null || { echo "install kubectl 1.27 or kustomize 5, or later"; exit 1; }
	CAUSEWAY_EVERY_COMBINATION=1 $(BIN)/pytest tests/unit/deploy/test_manifests.py

test-clock: install ## the clock steps under Redis too: needs apt install faketime
	@ls /usr/lib/*/faketime/libfaketime.so.1 >/dev/null 2>&1 || { echo "apt install faketime"; exit 1; }
	$(BIN)/pytest -s tests/clock

test-loss: install ## packets are lost on every line: needs root, and apt install iproute2 nftables
	@command -v ip nft unshare >/dev/null || { echo "apt install iproute2 nftables util-linux"; exit 1; }
	unshare --net $(BIN)/pytest -s tests/loss

bench: install ## Causeway measured, and against Postfix; BENCH="latency --quick" for some: needs root, and apt install postfix
	@command -v postfix >/dev/null || { echo "apt install postfix"; exit 1; }
	$(BIN)/python -m bench $(BENCH)

SOAK ?=
soak: install ## the gateway under load with injected faults; SOAK="kill roll" MINUTES=10 RATE=50 JSON=soak.json choose
	$(BIN)/python -m bench.soak $(SOAK) $(if $(MINUTES),--minutes $(MINUTES)) $(if $(RATE),--rate $(RATE)) $(if $(JSON),--json $(JSON))

lives: install ## play lives of meetings that the tests do not: make lives LIVES=50000 SEED=1000
	$(BIN)/python -m tests.lives.play $(or $(SEED),1000) $(or $(LIVES),5000)

ENGINE ?= docker
REGISTRY ?= causeway
VERSION = $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
REVISION = $(shell git rev-parse HEAD)$(shell git diff --quiet HEAD || echo -modified)
SOURCE = $(shell git config --get remote.origin.url | sed 's|//[^/@]*@|//|')

images: $(TOOLS)/.installed ## build the three images, each with its bill of materials and known vulnerabilities: needs Docker
	@command -v $(ENGINE) >/dev/null || { echo "install $(ENGINE), or name another: make images ENGINE=podman"; exit 1; }
	@for service in ingress transform egress; do \
		$(ENGINE) build --quiet --target $$service --tag $(REGISTRY)/$$service --tag $(REGISTRY)/$$service:$(VERSION) \
			--build-arg VERSION=$(VERSION) --build-arg REVISION=$(REVISION) --build-arg SOURCE=$(SOURCE) . || exit 1; \
	done
	$(TOOLS)/bin/python deploy/images/examine.py --engine $(ENGINE) --out build/images --audit="$(AUDIT)" \
		$(addprefix $(REGISTRY)/,ingress transform egress)

$(TOOLS)/.installed: requirements/images.txt
	$(PYTHON) -m venv --clear $(TOOLS)
	$(TOOLS)/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/images.txt
	@touch $@

manifests: ## write the alerting rules into the manifests of the Prometheus Operator
	@{ printf '# Made by `make manifests` from deploy/monitoring/rules.yaml.\napiVersion: monitoring.coreos.com/v1\n'; \
		printf 'kind: PrometheusRule\nmetadata: {name: causeway}\nspec:\n'; \
		sed '/^#/d; /^$$/d; s/^/  /' deploy/monitoring/rules.yaml; } > deploy/k8s/components/prometheus-operator/prometheus-rule.yaml

lint: install ## format check and lint
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: install ## strict types
	$(BIN)/mypy

SIDE_BY_SIDE := --numprocesses auto --dist loadfile

tests: install ## all tests, without checks
	$(BIN)/pytest $(SIDE_BY_SIDE)

test-random: install ## all tests in random order, with random examples; SEED=… repeats a run
	$(BIN)/pytest $(SIDE_BY_SIDE) -p randomly --hypothesis-profile random \
		$(if $(SEED),--randomly-seed $(SEED) --hypothesis-seed $(SEED))

system-packages: ## install the Debian packages that the tests use when they are there: needs root; starts no service
	./.ci/system-packages

RESOLVE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --upgrade --no-emit-index-url \
	--no-emit-find-links --no-annotate --no-header --no-emit-package causeway

lock: install ## resolve the dependencies anew into requirements/
	echo 'setuptools>=77' | $(RESOLVE) - -o requirements/build.txt
	printf 'cyclonedx-bom\npip-audit\n' | $(RESOLVE) - -o requirements/images.txt
	$(RESOLVE) --extra development pyproject.toml -o requirements/development.txt
	@for extra in ingress transform egress; do \
		echo "requirements/$$extra.txt"; \
		$(RESOLVE) -c requirements/development.txt --extra $$extra pyproject.toml -o requirements/$$extra.txt || exit 1; \
	done # what runs is what was tested

clean: ## remove build results
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
