"""Several servers on one database, which behave as one."""
