"""Reading what the numbers say, as a scraper does."""

from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

from gql_app.lib.telemetry import Metrics
from tests.api import Api


@dataclass(frozen=True, slots=True)
class Numbers:
    """What one scrape told: each series by its name and its labels."""

    series: dict[tuple[str, frozenset[tuple[str, str]]], float]

    @property
    def names(self) -> set[str]:
        """Name what is counted."""
        return {name for name, _ in self.series}

    def of(self, name: str, **labels: str) -> float:
        """Return one number; of what never happened there may be none."""
        return self.series.get((name, frozenset(labels.items())), 0)

    def labels(self, label: str) -> set[str]:
        """List the values that a label has."""
        return {value for _, labels in self.series for key, value in labels if key == label}


def parsed(text: str) -> Numbers:
    """Take a scrape apart."""
    series = {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert len(series) == sum(not line.startswith("#") for line in text.splitlines())
    return Numbers(series)


def told(metrics: Metrics) -> Numbers:
    """Ask the numbers themselves."""
    text, _ = metrics.exposition("")
    return parsed(text.decode())


async def numbers(api: Api) -> Numbers:
    """Ask an application for its numbers."""
    response = await api.client.get("/metrics")
    assert response.status_code == 200
    return parsed(response.text)
