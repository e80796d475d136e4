"""Root file systems: one read-only folder per Debian release, shared by all machines and labs."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path

from lab.config import LabError, cache_dir
from lab.run import follow, say, step

COMMON = (
    "systemd", "systemd-sysv", "dbus", "openssh-server", "python3", "iproute2", "iptables",
    "nftables", "procps", "ca-certificates", "curl", "sudo", "hostname",
)  # fmt: skip

# What every image gets after its packages: a user as administrators have one, and no identity
# that two machines would share.
CUSTOMIZE = r"""
chroot "$1" useradd --create-home --shell /bin/bash ops
echo 'ops ALL=(ALL) NOPASSWD: ALL' > "$1/etc/sudoers.d/ops"
chmod 0440 "$1/etc/sudoers.d/ops"
rm -f "$1"/etc/ssh/ssh_host_* "$1/etc/resolv.conf" "$1/etc/machine-id" "$1/etc/hostname"
rm -rf "$1"/usr/share/doc/* "$1"/usr/share/man/* "$1"/var/cache/apt/*
for unit in etcd postgresql systemd-networkd apt-daily.timer apt-daily-upgrade.timer; do
  chroot "$1" systemctl disable -q "$unit" 2>/dev/null || true
done
"""


@dataclass(frozen=True)
class Image:
    """A Debian release and what it carries beyond the common packages."""

    release: str
    packages: tuple[str, ...]


IMAGES = {
    # The plain resolv.conf, and the programs of the control plane and the database.
    "bookworm": Image("bookworm", ("postgresql", "dnsmasq-base", "etcd-server")),
    # systemd-resolved as resolver.
    "trixie": Image("trixie", ("systemd-resolved", "libnss-resolve")),
}


def path(name: str) -> Path:
    """The image's folder, built when it is missing. Raises LabError when it cannot be built."""
    image = IMAGES[name]
    packages = [*COMMON, *image.packages]
    key = hashlib.sha256(" ".join([image.release, *packages, CUSTOMIZE]).encode()).hexdigest()[:16]
    target = cache_dir() / "images" / f"{name}-{key}"
    if target.is_dir():
        return target
    if shutil.which("mmdebstrap") is None:
        raise LabError("mmdebstrap is not installed; run `make bootstrap`")
    say(f"  building the image {name} (once; about a minute)")
    partial = target.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.parent.mkdir(parents=True, exist_ok=True)
    with step(f"image {name}"):
        follow(
            [
                "mmdebstrap", "--variant=minbase", "--include=" + ",".join(packages),
                "--customize-hook=" + CUSTOMIZE, image.release, str(partial),
            ],
            f"image {name}",
        )  # fmt: skip
    partial.rename(target)
    return target
