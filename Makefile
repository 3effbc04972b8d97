# One-liners over `gustbed`; each installs what it needs.
.DEFAULT_GOAL := help
SHELL := /bin/bash
GUSTBED := .venv/bin/gustbed
RUNTIME ?= auto
TARGET ?=
SITES ?=
TURBINES ?=
export RUNTIME TARGET SITES TURBINES
# What a shell says of another Python is not for this one: see scripts/own-python.
unexport PYTHONHOME PYTHONPATH PYTHONSTARTUP
PYTEST_ARGS ?=
SEEDS ?= 0,1,2
AGAIN ?= 3

.PHONY: help
help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  \033[1m%-15s\033[0m %s\n", $$1, $$2}'

.PHONY: setup
setup: ## Install everything that the fleet needs as processes
	@scripts/setup run

.PHONY: cli
cli:
	@scripts/setup cli

.PHONY: up
up: cli ## Start the fleet (RUNTIME=docker|process, TARGET=local|aws, SITES=1, TURBINES=6)
	@$(GUSTBED) up

.PHONY: pi
pi: cli ## Install a site on a Raspberry Pi, or update it (HOST=user@pi, SITE=pi, TURBINES=6)
	@[ -n "$(HOST)" ] || { echo "pi: say which: make pi HOST=user@pi" >&2; exit 2; }
	@scripts/offline-images --pi && $(MAKE) --no-print-directory images PLATFORM=linux/arm64
	@GUSTBED_TAG=$(or $(GUSTBED_TAG),latest) $(GUSTBED) site add $(or $(SITE),pi) --on $(HOST)

.PHONY: down
down: ## Stop what `make up` started, and nothing else
	@[ ! -x $(GUSTBED) ] || $(GUSTBED) down

.PHONY: status
status: cli ## Show services, edge and turbines
	@$(GUSTBED) status

.PHONY: test
test: ## Install what tests need, then run all that this machine can run
	@scripts/test $(PYTEST_ARGS)

.PHONY: check
check: ## Format, lint, types, imports, scripts, template
	@scripts/check

.PHONY: bench
bench: setup ## Print the figures of edge, twin and memory
	@$(GUSTBED) bench edge && $(GUSTBED) bench twin && $(GUSTBED) bench memory

.PHONY: soak
soak: setup ## Watch a large farm of its own for minutes: latency, backlog, loss (TURBINES=1000 MINUTES=15)
	@.venv/bin/python bench/soak.py --turbines $(or $(TURBINES),1000) --minutes $(or $(MINUTES),15)

.PHONY: images
images: ## Build the images, print what is in each, write SBOMs (PLATFORM=linux/arm64 ARCHIVES=dist/images IMAGES="edge twin")
	@scripts/images build $(if $(PLATFORM),--platform $(PLATFORM)) --sboms $(or $(SBOMS),dist/sboms) $(if $(ARCHIVES),--archives $(ARCHIVES)) $(IMAGES)

.PHONY: bases
bases: ## Pin the images' bases to the digests that their registries give, where one answers
	@scripts/images bases

.PHONY: detection
detection: ## Train and judge every detector, write docs/detection.*: hours without a GPU (SEEDS=0,1,2)
	@scripts/setup train && $(GUSTBED) model compare --write-docs --seeds $(SEEDS)

.PHONY: detection-again
detection-again: ## The same with another seed: does docs/detection.json agree? Hours without a GPU
	@scripts/setup train && $(GUSTBED) model compare --seeds $(AGAIN) --against docs/detection.json

.PHONY: reality
reality: ## Judge the factory's models on machines that differ, commissioned and not, write docs/
	@scripts/setup train && $(GUSTBED) model reality --write-docs

.PHONY: lock
lock: ## Renew the lock files
	@scripts/lock

.PHONY: clean
clean: ## Stop the fleet and delete its keys, models, buffers and logs
	@[ ! -x $(GUSTBED) ] || $(GUSTBED) down --delete-state
