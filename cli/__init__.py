"""The `mesh` command: what producers, consumers and operators type (`docs/cli.md`)."""
