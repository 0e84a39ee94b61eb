"""The network, from scratch: every formula beside its derivative."""
