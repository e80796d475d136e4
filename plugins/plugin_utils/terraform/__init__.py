# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Terraform (or OpenTofu) run as a library: one folder, one plan, judged before it is applied."""
