"""What touches the world: one small function each, JSON in, JSON out, over `comboi_core.app`."""
