# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""What the inventory plugins share: options, cache, errors that stop the run, hosts and groups."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible import constants
from ansible.errors import AnsibleParserError
from ansible.plugins.inventory import BaseInventoryPlugin, Cacheable, Constructable
from ansible_collections.brownfield.mesh.plugins.plugin_utils import machines
from ansible_collections.brownfield.mesh.plugins.plugin_utils.machines import MachinesError


class MachinesInventory(BaseInventoryPlugin, Constructable, Cacheable):  # type: ignore[misc]
    """An inventory of machines. A plugin says what its files are called, and how to fetch."""

    SUFFIXES: tuple[str, ...] = ()
    # What the source calls the fields of the contract, where it has other words for them.
    WORDS: Mapping[str, str] = {}

    def fetch(self) -> list[dict[str, Any]]:
        """The sources, each as ``{"source": its name, "machines": by name, as in the contract}``.

        JSON data, as it may come from Ansible's cache instead. Raises MachinesError with all that
        is wrong with all sources.
        """
        raise NotImplementedError

    def verify_file(self, path: str) -> bool:
        """Whether the file is one of this plugin's."""
        return bool(super().verify_file(path)) and path.endswith(self.SUFFIXES)

    def parse(self, inventory: Any, loader: Any, path: str, cache: bool = True) -> None:
        """Fill the inventory, with all machines or with none. Raises AnsibleParserError."""
        super().parse(inventory, loader, path, cache)
        try:
            self._read_config_data(path)
            for machine in self._machines(path, cache):
                self._add(machine)
        except Exception as error:
            # Ansible would only warn, and go on with fewer machines than there are: an inventory
            # that is silently short leaves machines out of the mesh, or of a policy.
            constants.INVENTORY_ANY_UNPARSED_IS_FAILED = True
            if isinstance(error, MachinesError):
                raise AnsibleParserError("%s: %s" % (path, error)) from None
            raise

    def _machines(self, path: str, cache: bool) -> list[machines.Machine]:
        uses_cache, key = self.get_option("cache"), self.get_cache_key(path)
        sources = self._cache.get(key) if uses_cache and cache else None
        if sources is None:
            sources = self.fetch()
        found = machines.of_sources(sources, self.get_option("allow_empty"), self.WORDS)
        taken = sorted({machine.name for machine in found} & set(self.inventory.groups))
        if taken:
            # Ansible would give the machine's variables to the group, and so to others.
            raise MachinesError(
                "machine %s is called as a group of the inventory; rename one of them" % name
                for name in taken
            )
        if uses_cache:
            self._cache[key] = sources
        return found

    def _add(self, machine: machines.Machine) -> None:
        self.inventory.add_host(machine.name)
        for group in machine.groups():
            self.inventory.add_group(group)
            self.inventory.add_host(machine.name, group=group)
        variables = machine.variables()
        for name, value in variables.items():
            # Never a template: Ansible trusts none that comes from a source like this.
            self.inventory.set_variable(machine.name, name, value)
        strict = self.get_option("strict")
        self._set_composite_vars(self.get_option("compose"), variables, machine.name, strict)
        self._add_host_to_composed_groups(
            self.get_option("groups"), variables, machine.name, strict
        )
        self._add_host_to_keyed_groups(
            self.get_option("keyed_groups"), variables, machine.name, strict
        )
