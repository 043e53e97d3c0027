"""Formats that bundles are exported to, as data; the checks before, and the build of a bundle for a device."""
