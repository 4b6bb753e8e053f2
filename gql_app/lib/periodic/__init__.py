"""Tasks that run again and again while a server does something else."""

from gql_app.lib.periodic.tasks import PeriodicTask, longer, running

__all__ = ["PeriodicTask", "longer", "running"]
