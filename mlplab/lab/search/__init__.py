"""Search for configurations: proposals, successive halving, a budget."""
