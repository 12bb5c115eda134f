"""The iris lab's checks. They live here, outside labs/, because they contain the answers."""
