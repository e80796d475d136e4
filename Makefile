# The map of this repository's commands. `make help` lists them.
#
# A Python environment is kept in .venv, as uv.lock says. `.cache` carries a link by which this checkout is
# importable as ansible_collections.brownfield.mesh without being installed.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help

LAB_NAME ?= lab
INVENTORY = /var/lib/brownfield-lab/$(LAB_NAME)/inventory
EVIDENCE = build/evidence.json
REPORT = build/report.html
SCENARIOS = $(patsubst molecule/%/molecule.yml,molecule-%,$(wildcard molecule/*/molecule.yml))

export LAB_NAME
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg
export ANSIBLE_COLLECTIONS_PATH := $(CURDIR)/.cache
export MYPYPATH := $(CURDIR)/.cache
export MOLECULE_GLOB := molecule/*/molecule.yml

##@ Start here

.PHONY: help
help: ## List what can be done
	@awk -F':.*## ' '/^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: bootstrap
bootstrap: ## Install what is missing: Debian packages, uv, the locked Python environment
	@scripts/bootstrap

.PHONY: demo
demo: bootstrap ## Lab up, join its machines, prove it by traffic, make the report
	@scripts/stages lab-up onboard verify report
	@echo
	@echo "The report:    $(REPORT), for any browser; as JSON beside it"
	@echo "Look further:  make lab-status; the evidence as JSON: $(EVIDENCE)"
	@echo "               .venv/bin/python -m lab exec legacy-batch-1 -- curl -s http://shop-api.shop.svc.cluster.local:8080/"
	@echo "Tear down:     make lab-down"

.PHONY: test
test: ## Every gate: lint, types, unit, sanity, terraform, integration, Molecule scenarios on the lab
	@scripts/bootstrap chromium
	@export CLAIMS=$$(mktemp -d); trap 'rm -r "$$CLAIMS"' EXIT; \
	scripts/stages --all lint types unit sanity terraform integration other-lab -- molecule

##@ The lab

.PHONY: lab-up
lab-up: ## Start the lab (control plane, gateway, machines), or what of it is not running
	@python -m lab up

.PHONY: lab-down
lab-down: ## Take the lab away: processes, mounts, namespaces, bridge
	@python -m lab down

.PHONY: lab-status
lab-status: ## Machines, addresses, state
	@python -m lab status

.PHONY: lab-reset
lab-reset: ## Fresh machines; the control plane stays
	@python -m lab reset

.PHONY: onboard
onboard: ## Join the lab's machines to its mesh
	@ansible-playbook brownfield.mesh.onboard -i $(INVENTORY)

.PHONY: verify
verify: ## Prove by traffic, from the lab's machines, what may and what may not be reached
	@mkdir -p build
	@ansible-playbook brownfield.mesh.verify -i $(INVENTORY) -e mesh_evidence_path=$(CURDIR)/$(EVIDENCE)

.PHONY: report
report: ## Make a page of what verify saw
	@ansible-playbook brownfield.mesh.report -i $(INVENTORY) -e mesh_evidence_path=$(CURDIR)/$(EVIDENCE) -e mesh_report_path=$(CURDIR)/$(REPORT)

##@ Gates, one by one

.PHONY: lint
lint: ## ruff, ansible-lint (profile production), documentation, changelog
	@scripts/lint

.PHONY: types
types: ## mypy --strict
	@mypy plugins lab dashboards

.PHONY: unit
unit: ## Unit tests, on Python 3.11 and on the newest interpreter of this machine
	@scripts/unit

.PHONY: sanity
sanity: ## ansible-test sanity
	@scripts/sanity

.PHONY: terraform
terraform: ## Terraform's modules and stacks: format, validation, tests with mocked Azure, checkov
	@scripts/terraform

.PHONY: integration
integration: ## With a real API server, Terraform, provider and Azure's SDKs, started for these tests
	@pytest tests/integration -n 2 --dist loadfile

.PHONY: molecule
molecule: lab-up ## Molecule scenarios on the lab; one of them: make molecule-join
	@scripts/stages --all $(SCENARIOS)

.PHONY: other-lab
other-lab: ## Those of a run's scenarios that nobody has begun yet, on a second lab
	@export LAB_NAME=$(LAB_NAME)-2 LAB_RANGE=198.18.1.0/24; \
	trap '$(MAKE) lab-down' EXIT; $(MAKE) molecule

# Molecule remembers in a temporary folder what it has created: a run begins without that memory.
molecule-%:
	@molecule reset --scenario-name $* >/dev/null 2>&1
	@molecule test --scenario-name $* --destroy never --no-report --no-command-borders

##@ More

.PHONY: bench
bench: ## Measure on the lab, print JSON
	@scripts/bootstrap chromium
	@python -m tests.benchmark

.PHONY: soak
soak: ## Change, upgrade and rotate bridges under load for minutes, print JSON
	@MESH_SOAK=1 pytest tests/integration/bridge/test_load.py

.PHONY: dashboards
dashboards: ## Render Grafana's dashboards from dashboards/ into the collection
	@PYTHONPATH=.cache python -m dashboards

.PHONY: docs
docs: ## Render the reference (modules, roles) into build/docs
	@scripts/docs

.PHONY: build
build: ## Build the collection's artefact into build/
	@ansible-galaxy collection build --force --output-path build .
