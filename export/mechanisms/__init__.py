"""The papers' mechanisms in compact form, each measured against its absence: `python -m export.mechanisms.cli`."""
