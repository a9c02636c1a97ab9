"""The product's own thinking as pure functions: tables and dataclasses in and out, no files, no database, no Slack."""
