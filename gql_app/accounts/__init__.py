"""The rules of accounts; every SQL statement of theirs is here."""
