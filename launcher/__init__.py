"""Runs the whole gateway on one machine: embedded servers, migrations, demo data, processes."""
