"""Tests of several servers on one database, which have to behave as one."""
