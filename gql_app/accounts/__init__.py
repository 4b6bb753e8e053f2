"""The rules of accounts, with every SQL statement that they need."""
