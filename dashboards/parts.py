"""What the dashboards are made of: numbers, lines, states, tables, and the page around them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from ansible_collections.brownfield.mesh.plugins.plugin_utils.monitoring.dashboards import (
    RUNBOOKS,
)
from grafana_foundation_sdk.builders import (
    common,
    dashboard,
    prometheus,
    stat,
    statetimeline,
    table,
    timeseries,
)
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common as kinds
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

TAG = "brownfield-mesh"
GREEN, YELLOW, RED, PLAIN = "green", "yellow", "red", "text"
SOURCE = model.DataSourceRef(type_val="prometheus", uid="${datasource}")

Panel = Builder[model.Panel]
# From which value on which colour; None is the beginning. A text is one of the alarms' thresholds
# (monitoring.dashboards.threshold), whose value the user's variables say.
Steps = Sequence[tuple[float | str | None, str]]
CALM: Steps = ((None, PLAIN),)
NONE: Steps = ((None, GREEN), (1, RED))
# What 0 and 1 mean.
Words = Mapping[int, tuple[str, str]]
YES: Words = {1: ("yes", GREEN), 0: ("no", RED)}


def at_least(limit: float | str) -> Steps:
    """Red below ``limit``."""
    return ((None, RED), (limit, GREEN))


def at_most(limit: float | str) -> Steps:
    """Red from ``limit`` on."""
    return ((None, GREEN), (limit, RED))


@dataclass(frozen=True)
class Ask:
    """A query over time. ``legend`` names each of its lines by labels in double braces."""

    expression: str
    legend: str


@dataclass(frozen=True)
class Column:
    """A query of a table: one column, beside those of its labels."""

    title: str
    expression: str
    unit: str = units.NoUnit
    steps: Steps = CALM
    words: Words | None = None


def number(
    title: str, meaning: str, expression: str, steps: Steps = CALM, unit: str = units.NoUnit,
    words: Words | None = None,
) -> Panel:  # fmt: skip
    """One number of now, an eighth of a page wide."""
    panel = (
        stat.Panel()
        .title(title).description(meaning).datasource(SOURCE).span(3).height(4)
        .unit(unit).thresholds(_thresholds(steps)).graph_mode(kinds.BigValueGraphMode.NONE)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .with_target(_query("A", expression).instant())
    )  # fmt: skip
    return panel.mappings([_mapping(words)]) if words else panel


def lines(
    title: str, meaning: str, asks: Sequence[Ask], unit: str = units.NoUnit, steps: Steps = CALM,
    top: float | None = None,
) -> Panel:  # fmt: skip
    """Values over time, half a page wide; a threshold is a line across."""
    panel = (
        timeseries.Panel()
        .title(title).description(meaning).datasource(SOURCE).span(12).height(8)
        .unit(unit).min(0).thresholds(_thresholds(steps))
        .thresholds_style(
            common.GraphThresholdsStyleConfig().mode(
                kinds.GraphThresholdsStyleMode.OFF if steps == CALM
                else kinds.GraphThresholdsStyleMode.DASHED
            )
        )
        .legend(
            common.VizLegendOptions()
            .display_mode(kinds.LegendDisplayMode.LIST)
            .placement(kinds.LegendPlacement.BOTTOM).show_legend(True)
        )
        .tooltip(common.VizTooltipOptions().mode(kinds.TooltipDisplayMode.MULTI))
    )  # fmt: skip
    if top is not None:
        panel = panel.max(top)
    for name, ask in zip(_NAMES, asks, strict=False):
        panel = panel.with_target(_query(name, ask.expression).legend_format(ask.legend).range())
    return panel


def states(title: str, meaning: str, asks: Sequence[Ask], words: Words = YES) -> Panel:
    """What was on and off, over time, half a page wide."""
    panel = (
        statetimeline.Panel()
        .title(title).description(meaning).datasource(SOURCE).span(12).height(8)
        .mappings([_mapping(words)]).thresholds(_thresholds(at_least(1)))
        .color_scheme(dashboard.FieldColor().mode(model.FieldColorModeId.THRESHOLDS))
        .show_value(kinds.VisibilityMode.NEVER)
    )  # fmt: skip
    for name, ask in zip(_NAMES, asks, strict=False):
        panel = panel.with_target(_query(name, ask.expression).legend_format(ask.legend).range())
    return panel


def rows(
    title: str, meaning: str, labels: Sequence[str], columns: Sequence[Column], width: int = 24
) -> Panel:
    """A table of now. Columns are joined by the first of ``labels``; labels that have a page of
    their own lead there."""
    panel = (
        table.Panel()
        .title(title).description(meaning).datasource(SOURCE).span(width).height(9)
        .thresholds(_thresholds(CALM))
    )  # fmt: skip
    for name, column in zip(_NAMES, columns, strict=False):
        query = _query(name, column.expression).instant().format(PromQueryFormat.TABLE)
        panel = panel.with_target(query)
    if len(columns) > 1:
        join = {"byField": labels[0], "mode": "outer"}
        panel = panel.with_transformation(model.DataTransformerConfig("joinByField", options=join))
    shown = {"include": {"pattern": "^(%s|Value.*)$" % "|".join(labels)}}
    panel = panel.with_transformation(
        model.DataTransformerConfig("filterFieldsByName", options=shown)
    )
    for name, column in zip(_NAMES, columns, strict=False):
        panel = panel.override_by_name(
            f"Value #{name}" if len(columns) > 1 else "Value", _shown(column)
        )
    for label in labels:
        if label in _LINKS:
            panel = panel.override_by_name(
                label, [model.DynamicConfigValue("links", [_LINKS[label]])]
            )
    return panel


@dataclass(frozen=True)
class Page:
    """A dashboard: rows of panels. ``variables`` are names of labels by which it is narrowed."""

    uid: str
    title: str
    meaning: str
    variables: Sequence[Builder[model.VariableModel]]
    rows: Mapping[str, Sequence[Panel]]


def some(label: str, among: str) -> Builder[model.VariableModel]:
    """A variable of any number of a label's values in the series ``among``; all, to begin with."""
    return (
        _variable(label, among).multi(True).include_all(True).all_value(".*")
        .current(model.VariableOption(selected=True, text="All", value="$__all"))
    )  # fmt: skip


def one(label: str, among: str) -> Builder[model.VariableModel]:
    """A variable of one of a label's values in the series ``among``."""
    return _variable(label, among)


def encode(page: Page) -> str:
    """The dashboard as Grafana's JSON."""
    builder = (
        dashboard.Dashboard(page.title)
        .uid(page.uid).description(page.meaning).tags([TAG]).readonly()
        .refresh("30s").time("now-3h", "now").timezone("browser")
        .tooltip(model.DashboardCursorSync.CROSSHAIR)
        .link(
            dashboard.DashboardLink("Mesh").type(model.DashboardLinkType.DASHBOARDS).tags([TAG])
            .include_vars(True).keep_time(True)
        )
        .with_variable(
            dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus")
        )
    )  # fmt: skip
    for variable in page.variables:
        builder = builder.with_variable(variable)
    for title, panels in page.rows.items():
        builder = builder.with_row(dashboard.Row(title))
        for panel in panels:
            builder = builder.with_panel(panel)
    built = builder.build()
    for number_, panel_ in enumerate(built.panels or [], 1):
        panel_.id_val = number_
    return JSONEncoder(sort_keys=True, indent=1).encode(built) + "\n"


_NAMES = "ABCDEFGHIJKL"
_TIME = "${__url_time_range}&var-datasource=${datasource}"
_LINKS: dict[str, dict[str, Any]] = {
    "machine": {
        "title": "This machine",
        "url": "/d/brownfield-mesh-machine?var-machine=${__value.raw}&" + _TIME,
    },
    "workload": {
        "title": "This workload",
        "url": "/d/brownfield-mesh-workload?var-workload=${__value.raw}&" + _TIME,
    },
    "alertname": {"title": "Runbook", "url": RUNBOOKS + "/${__value.raw}.md", "targetBlank": True},
}


def _query(name: str, expression: str) -> prometheus.Dataquery:
    return prometheus.Dataquery().ref_id(name).datasource(SOURCE).expr(expression)


def _variable(label: str, among: str) -> dashboard.QueryVariable:
    return (
        dashboard.QueryVariable(label).label(label.capitalize()).datasource(SOURCE)
        .query(f"label_values({among}, {label})").sort(model.VariableSort.ALPHABETICAL_ASC)
        .refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
    )  # fmt: skip


def _steps(steps: Steps) -> list[model.Threshold]:
    # A threshold that is yet to be filled in is a text, which the SDK's type does not have.
    return [model.Threshold(cast("float | None", value), color) for value, color in steps]


def _thresholds(steps: Steps) -> dashboard.ThresholdsConfig:
    return dashboard.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(_steps(steps))


def _mapping(words: Words) -> model.ValueMap:
    return model.ValueMap(
        {
            str(value): model.ValueMappingResult(text=text, color=color)
            for value, (text, color) in words.items()
        }
    )


def _shown(column: Column) -> list[model.DynamicConfigValue]:
    found = [
        model.DynamicConfigValue("displayName", column.title),
        model.DynamicConfigValue("unit", column.unit),
    ]
    if column.steps != CALM or column.words:
        color = {"type": "color-text"}
        steps = model.ThresholdsConfig(model.ThresholdsMode.ABSOLUTE, _steps(column.steps))
        found.append(model.DynamicConfigValue("custom.cellOptions", color))
        found.append(model.DynamicConfigValue("thresholds", steps))
    if column.words:
        found.append(model.DynamicConfigValue("mappings", [_mapping(column.words)]))
    return found
