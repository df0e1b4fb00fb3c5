"""What is remembered: durable entities, thin wrappers over `comboi_core.state`."""
