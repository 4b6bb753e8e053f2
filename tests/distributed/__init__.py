"""The program on a Citus cluster, which a run has to name."""
