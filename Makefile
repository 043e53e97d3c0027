# figop: every command that the README names. Nothing here needs more than Python 3.10-3.12 and pip.
#   make demo      make test      make help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

# The first Python that is neither too old nor too new; overrule with PYTHON=python3.11
PYTHON ?= $(firstword $(foreach p,python3 python3.11 python3.12 python3.10,$(shell \
	$(p) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))' >/dev/null 2>&1 && echo $(p))))
VENV ?= .venv
TEST_VENV ?= .venv-test
OUT ?= out/demo

# Installed once per content of these files (not per time stamp, which a checkout changes)
DIGEST := $(shell cat pyproject.toml constraints.txt | cksum | cut -d' ' -f1)
RUNTIME := $(VENV)/.installed-$(DIGEST)
TESTING := $(TEST_VENV)/.installed-$(DIGEST)
PIP := -m pip --disable-pip-version-check install -c constraints.txt
IN_TEST := PATH="$(abspath $(TEST_VENV))/bin:$$PATH"

.PHONY: help
help: ## this list
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 22

.PHONY: demo
demo: $(RUNTIME) ## caption the bundled clip, results in out/demo (under 3 minutes)
	@echo "== hand networks"
	@$(VENV)/bin/figop setup
	@echo "== demo"
	@$(VENV)/bin/figop demo --out $(OUT)

.PHONY: test
test: lint types ## style, types and every quick test (under 25 minutes on 2 cores)
	@echo "== tests"
	@$(IN_TEST) python -m pytest -m "not heavy" $(ARGS)

.PHONY: test-heavy
test-heavy: networks ## the tests that take minutes each
	@$(IN_TEST) python -m pytest -m heavy $(ARGS)

.PHONY: lint
lint: $(TESTING) ## style only
	@echo "== style"
	@$(IN_TEST) ruff format --check .
	@$(IN_TEST) ruff check .

.PHONY: types
types: $(TESTING) networks ## types only
	@echo "== types"
	@$(IN_TEST) mypy

.PHONY: networks
networks: $(TESTING)
	@echo "== hand networks"
	@$(IN_TEST) figop setup

.PHONY: golden
golden: networks ## make tests/golden anew (look at the difference before you commit it)
	@$(IN_TEST) python -m export.golden

.PHONY: bundle
bundle: $(TESTING) ## make the shipped bundles anew (the student keeps its graphs; its card quotes results/)
	@$(IN_TEST) python -m export.build figop-base
	@$(IN_TEST) python -m export.build figop-rules

# The real video lies outside the repository; without it its figures stay as they are.
HAND_VIDEO ?= ../shared/data/dex_retargeting_hand_video/human_hand_video.mp4

.PHONY: results
results: networks $(RUNTIME) ## measure every figure in results/ anew (an hour; leave the machine alone meanwhile)
	@$(IN_TEST) python -m export.sim.clips -o out/test-clips --count 64
	@$(IN_TEST) figop eval captions out/test-clips --cache out/tracked --jobs 2 -o results/captions_rendered.json
	@$(IN_TEST) figop eval captions out/test-clips --bundle figop-rules --cache out/tracked --jobs 2 \
		-o results/captions_rendered_rules.json
	@$(IN_TEST) figop bench student tests/golden/*.npz -o results/student_cost.json
	@$(IN_TEST) python -m export.sim.entering -o out/entering --count 20
	@$(IN_TEST) figop bench second-hand out/entering -o results/second_hand.json
	@$(IN_TEST) python -m export.sim.speed -o results/render.json
	@$(VENV)/bin/figop bench install --venv $(VENV) -o results/install.json
	@if [ -f "$(HAND_VIDEO)" ]; then $(MAKE) --no-print-directory results-real; fi
	@$(IN_TEST) python -m export.build figop-base
	@$(IN_TEST) python -m export.report

.PHONY: results-real
results-real: networks
	@$(IN_TEST) figop eval captions $(HAND_VIDEO) --from pixels --cache out/tracked \
		--truth tests/reference/dex_hand_video.json -o results/captions_real_hand_video.json
	@$(IN_TEST) figop eval captions $(HAND_VIDEO) --from pixels --cache out/tracked \
		--truth tests/reference/dex_hand_video.second.json -o results/captions_real_hand_video_second.json
	@$(IN_TEST) figop eval captions $(HAND_VIDEO) --from pixels --cache out/tracked --bundle figop-rules \
		--truth tests/reference/dex_hand_video.json -o results/captions_real_hand_video_rules.json
	@$(IN_TEST) figop eval captions $(HAND_VIDEO) --from pixels --cache out/tracked --bundle figop-rules \
		--truth tests/reference/dex_hand_video.second.json -o results/captions_real_hand_video_second_rules.json
	@$(IN_TEST) figop bench hands --video $(HAND_VIDEO) --max-hands 1 -o results/tracker_one_hand.json
	@$(IN_TEST) figop bench hands --video $(HAND_VIDEO) --max-hands 2 -o results/tracker_two_hands.json
	@$(IN_TEST) figop bench stages --video $(HAND_VIDEO) -o results/stages.json

.PHONY: wheel
wheel: $(TESTING) ## dist/figop-*.whl
	@rm -rf build
	@$(IN_TEST) python -m build --wheel --no-isolation --outdir dist

.PHONY: clean
clean: ## remove outputs and caches, keep the virtual environments
	rm -rf out build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -not -path './.venv*' -prune -exec rm -rf {} +

.PHONY: distclean
distclean: clean ## and the virtual environments
	rm -rf $(VENV) $(TEST_VENV)

$(RUNTIME): | python
	@echo "== runtime into $(VENV)"
	@test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	@rm -f $(VENV)/.installed-*
	$(VENV)/bin/python $(PIP) -e .
	@touch $@

$(TESTING): | python
	@echo "== runtime and test tools into $(TEST_VENV)"
	@test -x $(TEST_VENV)/bin/python || $(PYTHON) -m venv $(TEST_VENV)
	@rm -f $(TEST_VENV)/.installed-*
	$(TEST_VENV)/bin/python $(PIP) -e '.[dev]'
	@echo "== mediapipe, the reference of the parity test"
	@$(TEST_VENV)/bin/python $(PIP) -e '.[dev,mediapipe]' || echo "No mediapipe for this platform: its tests will skip."
	@touch $@

.PHONY: python
python:
	@test -n "$(PYTHON)" || { echo "figop needs Python 3.10, 3.11 or 3.12 on the PATH (or make PYTHON=/path/to/python3.11)."; exit 1; }
