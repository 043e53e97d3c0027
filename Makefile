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
# ROS for the tests: kilted or jazzy, in an environment of its own (ROS wheels start every Python of theirs twice)
ROS_DISTRO ?= kilted
ROS_VENV ?= .venv-ros-$(ROS_DISTRO)
OUT ?= out/demo

# Installed once per content of these files (not per time stamp, which a checkout changes)
DIGEST := $(shell cat pyproject.toml constraints.txt | cksum | cut -d' ' -f1)
RUNTIME := $(VENV)/.installed-$(DIGEST)
TESTING := $(TEST_VENV)/.installed-$(DIGEST)
ROS_READY := $(ROS_VENV)/.installed-$(DIGEST)-$(shell cat ros_nodes/venv/*.txt | cksum | cut -d' ' -f1)
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
	@echo "== the ROS nodes have a command of their own: make test-ros"

.PHONY: test-heavy
test-heavy: networks ## the tests that take minutes each
	@$(IN_TEST) python -m pytest -m heavy $(ARGS)

.PHONY: test-devices
test-devices: $(TESTING) ## the serial link in full: fuzzing and ten minutes of noise (15 minutes)
	@$(IN_TEST) python -m pytest tests/devices/link -m "heavy or not heavy" $(ARGS)

.PHONY: test-ros
test-ros: ros ## the ROS nodes on real rclpy from wheels (x86-64 Linux, cmake, c++; 600 MB and minutes the first time)
	@echo "== ROS $(ROS_DISTRO)"
	@PATH="$(abspath $(ROS_VENV))/bin:$$PATH" python -m pytest tests/ros_nodes $(ARGS)

# The web app: Node.js 20 and npm; its browser tests need Chromium (Debian: apt-get install chromium)
NPM := npm --prefix edge/web --no-audit --no-fund
WEB_READY := edge/web/node_modules/.installed-$(shell cat edge/web/package-lock.json | cksum | cut -d' ' -f1)

.PHONY: web
web: $(WEB_READY) ## build the web app, for figop web and for the wheel (1 minute)
	@cd edge/web && npx tsc --noEmit && npx vite build

.PHONY: test-web
test-web: web networks ## the web app in Node and in Chromium (5 minutes; needs Node.js 20 and Chromium)
	@cd edge/web && npx vitest run
	@cd edge/web && $(subst PATH=,FIGOP_PYTHON=$(abspath $(TEST_VENV))/bin/python PATH=,$(IN_TEST)) \
		npx vitest run -c vitest.browser.config.ts

.PHONY: results-web
results-web: web networks ## measure the page in Chromium anew: load, bytes, time per frame and per caption (1 minute)
	@cd edge/web && $(subst PATH=,FIGOP_PYTHON=$(abspath $(TEST_VENV))/bin/python PATH=,$(IN_TEST)) \
		npx vitest run -c vitest.measure.config.ts
	@$(IN_TEST) python -m export.report

$(WEB_READY): | python
	@echo "== the web app's tools"
	@$(NPM) ci
	@touch $@

.PHONY: ros
ros: $(ROS_READY) ## ROS from wheels and figop's messages, built, in an environment of their own
	@$(ROS_VENV)/bin/python ros_nodes/venv/build.py

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
	@$(IN_TEST) figop eval captions out/test-clips --bundle figop-rules --cache out/tracked --jobs 2 \
		-o results/captions_rendered_rules.json
	@$(IN_TEST) figop eval captions out/test-clips --cache out/tracked --jobs 2 \
		--against results/captions_rendered_rules.json -o results/captions_rendered.json
	@$(IN_TEST) python -m export.sim.taking -o out/test-held
	@$(IN_TEST) figop eval captions out/test-clips out/test-held --bundle figop-rules --cache out/tracked --jobs 2 \
		-o results/captions_rendered_all_rules.json
	@$(IN_TEST) figop eval captions out/test-clips out/test-held --cache out/tracked --jobs 2 \
		--against results/captions_rendered_all_rules.json -o results/captions_rendered_all.json
	@$(IN_TEST) figop setup --variant lite
	@$(IN_TEST) figop eval captions out/test-clips --from pixels --cache out/tracked --tracker native-lite --jobs 2 \
		-o results/captions_rendered_lite.json
	@for lacks in image "world wrist" appearance; do $(IN_TEST) figop eval captions out/test-clips --from pixels \
		--cache out/tracked --without $$lacks -o results/captions_rendered_without_$${lacks%% *}.json; done
	@$(IN_TEST) python -m export.sim.simulated -o out/simulated --count 150
	@$(IN_TEST) python -m export.sim.simulated -o out/simulated-exact --count 150 --exact
	@$(IN_TEST) figop eval captions out/simulated --bundle figop-rules -o results/captions_simulated_rules.json
	@$(IN_TEST) figop eval captions out/simulated --against results/captions_simulated_rules.json \
		-o results/captions_simulated.json
	@$(IN_TEST) figop eval captions out/simulated-exact -o results/captions_simulated_exact.json
	@$(IN_TEST) figop bench student tests/golden/*.npz -o results/student_cost.json
	@$(IN_TEST) python -m export.sim.entering -o out/entering --count 20
	@$(IN_TEST) figop bench second-hand out/entering -o results/second_hand.json
	@$(IN_TEST) python -m export.sim.speed -o results/render.json
	@$(VENV)/bin/figop bench install --venv $(VENV) -o results/install.json
	@$(IN_TEST) figop bench serial --minutes 10 -o results/serial.json
	@$(IN_TEST) figop bench --calibrate devices/calibration.json -o results/bench/x86-64.json
	@if [ -f "$(HAND_VIDEO)" ]; then $(MAKE) --no-print-directory results-real; fi
	@$(IN_TEST) python -m export.build figop-base
	@$(IN_TEST) python -m export.report

REAL_DATA ?= ../shared/data

.PHONY: results-real-landmarks
results-real-landmarks: networks ## caption the real landmark sets that serve for tests alone (a minute)
	@$(IN_TEST) python -m export.data.real $(REAL_DATA) -o out/real
	@for set in leap streams; do for bundle in rules base; do for reading in "" _second; do \
		end="$${reading}"; against="--against results/captions_real_$$set$${end}_rules.json"; \
		if [ $$bundle = rules ]; then end="$${reading}_rules"; against=""; fi; \
		truth="tests/reference/$$set"; other="$$truth.second"; \
		if [ -n "$$reading" ]; then other="$$truth"; truth="$$truth.second"; fi; \
		$(IN_TEST) figop eval captions out/real/$$set --truth $$truth --second-truth $$other \
			--bundle figop-$$bundle $$against -o results/captions_real_$$set$$end.json || exit 1; \
	done; done; done

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
	@$(IN_TEST) figop setup --variant lite
	@$(IN_TEST) figop bench hands --video $(HAND_VIDEO) --tracker native-lite -o results/tracker_lite.json
	@$(IN_TEST) figop eval captions $(HAND_VIDEO) --from pixels --cache out/tracked --tracker native-lite \
		--truth tests/reference/dex_hand_video.json -o results/captions_real_hand_video_lite.json
	@$(IN_TEST) figop bench stages --video $(HAND_VIDEO) -o results/stages.json

# Pictures for testing only, outside the repository as the video is.
HAND_PICTURES ?= ../shared/data/mmpose_hand_samples

.PHONY: results-int8
results-int8: networks ## measure int8 anew: what it loses, bytes, times, hand networks (needs extra export)
	@$(TEST_VENV)/bin/python $(PIP) -q -e '.[dev,export,signing]'
	@$(IN_TEST) python -m quant.measure --clips out/test-clips --cache out/tracked -o results/int8.json
	@$(IN_TEST) python -m export.sim.clips -o out/dev-clips --count 24 --seed 7002 --split train --fps 15
	@$(IN_TEST) figop setup --variant lite
	@$(IN_TEST) python -m quant.measure_hands out/dev-clips --cache out/tracked-hands --format tflite --format onnx
	@if [ -f "$(HAND_VIDEO)" ]; then $(IN_TEST) python -m quant.hands_bench --video $(HAND_VIDEO) \
		--pictures $(HAND_PICTURES) --vs mediapipe -o results/int8_hands.json; fi
	@$(IN_TEST) python -m quant.measure_export -o results/export.json
	@$(IN_TEST) figop export --device raspberry-pi-5 --with-hands -o out/int8.figop
	@$(IN_TEST) python -m quant.measure_captions out/test-clips --cache out/tracked --int8 out/int8.figop \
		--int8-cache out/tracked-int8 -o results/int8_captions.json

.PHONY: arm64-check
arm64-check: $(TESTING) ## exported bundles on emulated ARM (10 minutes; needs apt's debootstrap and qemu-user-static)
	@$(TEST_VENV)/bin/python $(PIP) -q -e '.[dev,export]'
	@$(IN_TEST) python -m export.formats.arm64 -o results/export_arm64.json

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

$(ROS_READY): | python
	@echo "== figop and ROS $(ROS_DISTRO) into $(ROS_VENV)"
	@test -x $(ROS_VENV)/bin/python || $(PYTHON) -m venv $(ROS_VENV)
	@rm -f $(ROS_VENV)/.installed-*
	$(ROS_VENV)/bin/python $(PIP) -c ros_nodes/venv/$(ROS_DISTRO).txt -e '.[ros-test]' \
		$(addprefix -r ,$(wildcard ros_nodes/venv/$(ROS_DISTRO)-more.txt))
	@$(ROS_VENV)/bin/python -m pip check
	@touch $@

.PHONY: python
python:
	@test -n "$(PYTHON)" || { echo "figop needs Python 3.10, 3.11 or 3.12 on the PATH (or make PYTHON=/path/to/python3.11)."; exit 1; }
