"""The azurerm provider for Terraform and OpenTofu without a network: a filesystem mirror."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

from lab.config import ARCHITECTURE, CHECKOUT, LabError, cache_dir
from lab.run import run
from lab.tools import go_tools

MODULE = "github.com/hashicorp/terraform-provider-azurerm"
REGISTRIES = ("registry.terraform.io", "registry.opentofu.org")


def provider_version(changelog: str) -> str:
    """The version of the newest heading in the provider's change log, such as 5.2.0.

    The module's own version is only a pseudo-version (v1.44.1-0.DATE-COMMIT): Go knows no major
    version above 1 of a module without one in its path. Raises LabError.
    """
    heading = re.search(r"^## (\d+\.\d+\.\d+)\b", changelog, re.MULTILINE)
    if heading is None:
        raise LabError(f"{MODULE}: its CHANGELOG.md names no version")
    return heading[1]


def provider_mirror() -> Path:
    """A filesystem mirror with hashicorp/azurerm for both registries, built where it is missing.

    Its layout is `HOST/NAMESPACE/TYPE/VERSION/TARGET/terraform-provider-TYPE_vVERSION`
    (developer.hashicorp.com/terraform/cli/config/config-file, "Provider Installation").
    Raises LabError.
    """
    tools = go_tools("azurerm")
    target = cache_dir() / "terraform" / tools.name
    if target.is_dir():
        return target
    download = ["go", "mod", "download", "-json", MODULE]
    module = json.loads(run(download, cwd=str(CHECKOUT / "lab/go/azurerm"), seconds=600))
    version = provider_version((Path(module["Dir"]) / "CHANGELOG.md").read_text())
    partial = target.with_name(f"{target.name}.{os.getpid()}")
    for registry in REGISTRIES:
        folder = partial / registry / "hashicorp" / "azurerm" / version / f"linux_{ARCHITECTURE}"
        folder.mkdir(parents=True)
        provider = folder / f"terraform-provider-azurerm_v{version}"
        # A hard link: 225 MB once, and Terraform's hash of the folder reads a plain file.
        provider.hardlink_to(tools / "terraform-provider-azurerm")
    try:
        partial.rename(target)
    except OSError:  # another process was first
        shutil.rmtree(partial)
    return target


def cli_config(folder: Path) -> Path:
    """Write a CLI configuration into the folder; give its path for TF_CLI_CONFIG_FILE.

    Providers come from the mirror alone: without a `direct` block no registry is asked.
    """
    path = folder / "terraform.rc"
    path.write_text(
        "disable_checkpoint = true\n"
        "provider_installation {\n"
        f"  filesystem_mirror {{\n    path = {json.dumps(str(provider_mirror()))}\n  }}\n"
        "}\n"
    )
    return path
