"""Tests on a Citus cluster, whose URL is an option of the run."""
