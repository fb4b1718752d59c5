"""Runs the whole house on one machine: embedded servers, migrations, demo data, processes."""
