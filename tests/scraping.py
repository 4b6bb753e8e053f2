"""Parsing of the metrics, as a scraper does."""

from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

from gql_app.lib.telemetry import Metrics
from tests.api import Api


@dataclass(frozen=True, slots=True)
class Numbers:
    """One scrape: the series by name and labels."""

    series: dict[tuple[str, frozenset[tuple[str, str]]], float]

    @property
    def names(self) -> set[str]:
        """The names of the metrics."""
        return {name for name, _ in self.series}

    def of(self, name: str, **labels: str) -> float:
        """Return the value of a series, zero if it is missing."""
        return self.series.get((name, frozenset(labels.items())), 0)

    def labels(self, label: str) -> set[str]:
        """Return the values of a label."""
        return {value for _, labels in self.series for key, value in labels if key == label}


def parsed(text: str) -> Numbers:
    """Parse a scrape."""
    series = {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert len(series) == sum(not line.startswith("#") for line in text.splitlines())
    return Numbers(series)


def told(metrics: Metrics) -> Numbers:
    """Return the series of a Metrics object."""
    text, _ = metrics.exposition("")
    return parsed(text.decode())


async def numbers(api: Api) -> Numbers:
    """Return the series of an application's /metrics."""
    response = await api.client.get("/metrics")
    assert response.status_code == 200
    return parsed(response.text)
