"""What deploy/ ships, tried by the programs that it is for: `make test-operating`."""
