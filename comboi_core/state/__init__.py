"""Pure reducers `(state, input) -> (state, result)`: what durable entities remember."""
