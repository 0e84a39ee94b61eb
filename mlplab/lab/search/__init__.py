"""Search, where a grid is too much: configurations are proposed, and only the better ones are trained on."""
