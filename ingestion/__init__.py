"""From landing files to the raw store: contracts, readers, accounting, quarantine, and the demo company. No Dagster."""
