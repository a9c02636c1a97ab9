"""The runtime without an orchestrator: settings, control store, builds, publishing, delivery, command line."""

__version__ = "0.1.0"
