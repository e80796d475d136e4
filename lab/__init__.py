"""The lab: a real mesh on one Linux host. See docs/how-to/lab.md."""
