"""Messages to people: an outbox in the control store, a sender to Slack, a preview without a token."""
