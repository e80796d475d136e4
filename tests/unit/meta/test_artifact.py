"""The artefact carries what users need, all of it, and nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
import yaml

CHECKOUT = Path(__file__).resolve().parents[3]
SHIPPED = {"CHANGELOG.rst", "LICENSE", "README.md"}
SHIPPED_FOLDERS = {"changelogs", "docs", "meta", "playbooks", "plugins", "roles"}
MADE_BY_THE_BUILD = {"FILES.json", "MANIFEST.json"}


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Name and content of every file in the artefact."""
    folder = tmp_path_factory.mktemp("artifact")
    galaxy = Path(sys.executable).with_name("ansible-galaxy")
    subprocess.run(
        [galaxy, "collection", "build", "--output-path", folder, CHECKOUT],
        check=True, capture_output=True, cwd=folder,
    )  # fmt: skip
    (archive,) = folder.glob("brownfield-mesh-*.tar.gz")
    with tarfile.open(archive) as tar:
        files = ((member, tar.extractfile(member)) for member in tar if not member.isdir())
        return {member.name: file.read() if file else b"" for member, file in files}


def test_only_what_users_need(artifact: dict[str, bytes]) -> None:
    allowed = SHIPPED | MADE_BY_THE_BUILD
    strangers = [n for n in artifact if n not in allowed and n.split("/")[0] not in SHIPPED_FOLDERS]
    assert strangers == []


def test_no_leftovers(artifact: dict[str, bytes]) -> None:
    parts = {part for name in artifact for part in name.split("/")}
    assert [p for p in parts if p.startswith(".") or p == "__pycache__" or p.endswith(".pyc")] == []


def test_everything_that_git_has_of_it(artifact: dict[str, bytes]) -> None:
    listed = subprocess.run(
        ["git", "ls-files", "--", *SHIPPED, *SHIPPED_FOLDERS],
        check=True, capture_output=True, text=True, cwd=CHECKOUT,
    )  # fmt: skip
    present = {name for name in listed.stdout.splitlines() if (CHECKOUT / name).exists()}
    assert present - set(artifact) == set()


def test_version_is_said_once(artifact: dict[str, bytes]) -> None:
    manifest = json.loads(artifact["MANIFEST.json"])["collection_info"]
    project = (CHECKOUT / "pyproject.toml").read_text()
    assert f'version = "{manifest["version"]}"' in project
    assert yaml.safe_load((CHECKOUT / "galaxy.yml").read_text())["version"] == manifest["version"]


def test_documentation_links_stay_inside(artifact: dict[str, bytes]) -> None:
    """A page of the artefact does not point to a file that is not there."""
    broken = []
    for name, content in artifact.items():
        if name.endswith(".md"):
            for target in content.decode().split("](")[1:]:
                link = target.split(")")[0].split("#")[0]
                if link and "://" not in link:
                    path = (CHECKOUT / name).parent / link
                    if not path.exists():
                        broken.append(f"{name}: {link}")
    assert broken == []
