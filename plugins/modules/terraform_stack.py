#!/usr/bin/python
# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
# GNU General Public License v3.0+ compatible (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation only: the work is done on the controller, by the action plugin."""

from __future__ import annotations

DOCUMENTATION = r"""
module: terraform_stack
short_description: Plan, judge, apply or destroy a Terraform stack
version_added: 0.1.0
author:
  - brownfield.mesh authors (!UNKNOWN)
description:
  - Runs Terraform or OpenTofu in one folder of the controller. It initializes with the lock file as
    it is, plans to a file (which validates first), judges that plan by O(policy), and applies just
    that plan.
  - Runs on the controller only. Use it with C(run_once).
  - The state is written by Terraform alone. A lock is never broken, and no state is moved from one
    backend to another.
  - When the run is interrupted or O(timeout) is reached, Terraform gets SIGINT and the time to
    save its state and release the lock.
  - Of Terraform's own settings in the controller's environment only those remain that say where
    things are (C(TF_CLI_CONFIG_FILE), C(TF_PLUGIN_CACHE_DIR), C(TF_DATA_DIR)) and credentials
    (C(TF_TOKEN_*), C(TF_HTTP_*)). C(TF_LOG), C(TF_VAR_*), C(TF_CLI_ARGS), C(TF_WORKSPACE) do not.
  - What Terraform marks as sensitive is in no result, diff, message or progress line. Terraform
    itself keeps it in clear in the state; protect that by the backend.
options:
  path:
    description: The folder with the configuration.
    type: path
    required: true
  state:
    description:
      - V(applied) brings everything to what the configuration says.
      - V(planned) plans and judges only. With O(saved_plan) the plan is kept for another job.
      - V(destroyed) removes everything. The plan for it is judged by O(policy) too, so it needs
        O(policy.allow_delete) or O(policy.max_deletes).
    type: str
    choices: [applied, planned, destroyed]
    default: applied
  variables:
    description:
      - Values of the configuration's variables. They reach Terraform by a file that only this user
        can read, and win over O(variable_files).
      - Not allowed when a saved plan is applied, which carries the values it was made with.
    type: dict
    default: {}
  variable_files:
    description: Files with values of variables, relative to O(path). Later ones win.
    type: list
    elements: path
    default: []
  backend:
    description:
      - Settings of the backend that the configuration leaves open (partial configuration).
      - Credentials do not belong here, since Terraform would keep them in clear. Give them by
        O(environment), for example as C(ARM_ACCESS_KEY).
    type: dict
    default: {}
  workspace:
    description: The workspace. Terraform makes one that is not there yet.
    type: str
    default: default
  binary:
    description:
      - V(terraform), V(tofu), or the path of one of them on the controller. Version 1.9 or newer.
    type: str
    default: terraform
  lock_timeout:
    description: How many seconds to wait while somebody else holds the lock of the state.
    type: int
    default: 60
  timeout:
    description: How many seconds everything together may take.
    type: int
    default: 3600
  environment:
    description:
      - Variables of the environment for Terraform, beside the controller's. Credentials go here,
        for example C(ARM_CLIENT_SECRET).
    type: dict
    default: {}
  policy:
    description: What a plan may do. A plan that may do more is refused before anything is applied.
    type: dict
    default: {}
    suboptions:
      allow_delete:
        description:
          - Patterns of addresses that may be deleted or replaced. C(*) stands for any text, all
            other characters for themselves. V(['*']) allows all.
        type: list
        elements: str
        default: []
      max_deletes:
        description: How many other resources may be deleted or replaced.
        type: int
        default: 0
      protected_types:
        description:
          - Patterns of resource types of which none is ever deleted or replaced, whatever else is
            allowed.
        type: list
        elements: str
        default: []
      max_changes:
        description: How many resources may change in all. No limit by default.
        type: int
      resource_groups:
        description:
          - Azure's resource groups that may be changed. A change of C(azurerm_*) or C(azapi_*)
            anywhere else is refused, also where its place is not known before apply. Types of other
            providers are not judged. No limit by default.
        type: list
        elements: str
  saved_plan:
    description:
      - With O(state=planned), the file that the plan is written to, encrypted by Ansible Vault with
        the run's vault secret.
      - With O(state=applied), the file whose plan is applied. It is refused when state,
        configuration, workspace or version are not those it was made from, and judged by O(policy)
        again.
    type: path
attributes:
  check_mode:
    description: Plans and judges, applies nothing and saves no plan.
    support: full
  diff_mode:
    description: Shows the attributes that change, what is sensitive as C((sensitive value)).
    support: full
"""

EXAMPLES = r"""
- name: Bring the machines
  brownfield.mesh.terraform_stack:
    path: "{{ playbook_dir }}/../terraform/stacks/azure"
    variable_files: [prod.tfvars]
    backend: {resource_group_name: rg-state, storage_account_name: meshstate, container_name: state,
              key: prod.tfstate, use_azuread_auth: true}
    environment: {ARM_SUBSCRIPTION_ID: "{{ subscription }}", ARM_USE_OIDC: "true"}
    policy: {resource_groups: [rg-mesh-prod], protected_types: [azurerm_key_vault], max_changes: 50}
  register: mesh_stack
  run_once: true

- name: Plan in one job
  brownfield.mesh.terraform_stack:
    path: stacks/azure
    state: planned
    saved_plan: /runner/artifacts/mesh.plan
  run_once: true

- name: Apply just that in another job, after approval
  brownfield.mesh.terraform_stack:
    path: stacks/azure
    saved_plan: /runner/artifacts/mesh.plan
  run_once: true

- name: Allow that one machine is removed
  brownfield.mesh.terraform_stack:
    path: stacks/azure
    policy:
      allow_delete: ['module.machine.*["shop-api-3"]*']
  run_once: true

- name: Destroy everything, but never a key vault
  brownfield.mesh.terraform_stack:
    path: stacks/azure
    state: destroyed
    policy: {allow_delete: ["*"], protected_types: [azurerm_key_vault]}
  run_once: true
"""

RETURN = r"""
changed:
  description:
    - Whether something was changed. With O(state=planned) and in check mode, whether it would be.
  returned: always
  type: bool
plan:
  description:
    - The C(summary) counts resources by action, and outputs. The C(changes) name each resource, its
      action, Terraform's reason, and of an update or replacement the attributes, before and after.
      The C(outputs) that change are there by name, each with its action, before and after. What is
      sensitive, or known after apply only, stands there as words.
  returned: when a plan was made
  type: dict
  sample:
    summary: {create: 0, update: 1, replace: 0, delete: 0, forget: 0, move: 0, import: 0,
              outputs: 0}
    changes:
      - address: azurerm_linux_virtual_machine.this["shop-api-1"]
        type: azurerm_linux_virtual_machine
        action: update
        attributes: {size: {before: Standard_B1s, after: Standard_B2s}}
    outputs:
      names: {action: update, before: [shop-api-1], after: [shop-api-1, shop-api-2]}
drift:
  description: What was changed outside of Terraform, in the shape of the plan's changes.
  returned: when a plan was made
  type: list
  elements: dict
outputs:
  description: The values of all outputs that are not sensitive.
  returned: success
  type: dict
sensitive_outputs:
  description:
    - The names of the outputs whose values are left out, since they are sensitive or repeat a value
      that is sensitive elsewhere in the configuration.
  returned: success
  type: list
  elements: str
reasons:
  description: Why the policy refuses the plan. Empty when it does not.
  returned: when a plan was made
  type: list
  elements: dict
  sample:
    - rule: allow_delete
      address: azurerm_virtual_network.this
      action: replace
      message: "azurerm_virtual_network.this: replace is not allowed"
diagnostics:
  description: Terraform's warnings, and its errors when it fails.
  returned: always, when Terraform ran
  type: list
  elements: dict
  sample:
    - {severity: error, summary: Unsupported argument, file: main.tf, line: 3,
       detail: "An argument named x is not expected here.", address: terraform_data.x}
"""
