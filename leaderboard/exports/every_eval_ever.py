"""The schema of Every Eval Ever (EvalEval coalition, arXiv 2606.14516), version 0.3.0: one JSON file per run.

Its file of samples wants questions and answers, which may not be handed on; so there is none, and the rows stay in the
bundle.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any
from uuid import UUID

from egobench.prompts import MAX_NEW_TOKENS
from egobench.scoring.entry import ScoreEntry

from .facts import PROJECT, UNKNOWN, Exported, task_home

SCHEMA_VERSION = "0.3.0"


def every_eval_ever(exported: Exported) -> Mapping[str, str]:
    """The file of a run, by its path in the data store."""
    spec, names = exported.content.spec, exported.attribution
    digest = sha256(f"{spec.id} {exported.level} {names}".encode()).digest()
    path = (
        f"data/{PROJECT.lower()}/{exported.developer}/{exported.model_name}/{UUID(bytes=digest[:16], version=4)}.json"
    )
    record = {
        "schema_version": SCHEMA_VERSION,
        "evaluation_id": f"{PROJECT.lower()}/{exported.model_id}/{names.timestamp}/{spec.id}",
        "evaluation_timestamp": str(names.timestamp),
        "retrieved_timestamp": str(names.timestamp),
        "source_metadata": {
            "source_name": PROJECT,
            "source_type": "evaluation_run",
            "source_organization_name": names.organization,
            **({"source_organization_url": names.url} if names.url else {}),
            "evaluator_relationship": names.relationship,
            "additional_details": {"level": exported.level},
        },
        "eval_library": {"name": PROJECT.lower(), "version": spec.harness},
        "model_info": {
            "name": str(spec.model["name"]),
            "id": exported.model_id,
            "developer": exported.developer,
            "additional_details": {
                "deployment_type": UNKNOWN,
                "model_availability": UNKNOWN,
                "revision": str(spec.model["revision"]),
                **{key: str(spec.model[key]) for key in ("weights", "dtype") if spec.model[key]},
            },
        },
        "evaluation_results": [_result(exported, entry, value) for entry, value in exported.values()],
    }
    return {path: json.dumps(record, indent=1, ensure_ascii=False) + "\n"}


def _result(exported: Exported, entry: ScoreEntry, value: float) -> dict[str, Any]:
    part, home = entry.id.part, task_home(entry.id.part.task)
    where: dict[str, Any] = {"source_type": "url", "url": [home]} if home else {"source_type": "other"}
    generation = {"temperature": 0.0, "max_tokens": MAX_NEW_TOKENS.get(part.protocol, 0)}
    generated = entry.id.method == "generate"
    return {
        "evaluation_result_id": str(entry.id),
        "evaluation_name": part.task if part.subset == "all" else f"{part.task} {part.subset}",
        "source_data": {
            "dataset_name": part.task,
            **where,
            "additional_details": {
                "subset": part.subset,
                "construction": part.construction,
                "samples_sha256": entry.samples_sha256,
                "samples_number": str(entry.n_expected),
            },
        },
        "metric_config": {
            "metric_id": str(entry.id),
            "metric_name": entry.id.metric,
            "metric_unit": "proportion",
            "lower_is_better": entry.id.metric.startswith("position_bias"),
            "score_type": "continuous",
            "min_score": 0.0,
            "max_score": 1.0,
            **({"llm_scoring": _judge(entry)} if entry.judge else {}),
        },
        "score_details": {"score": value, "details": _details(entry), "uncertainty": _uncertainty(entry)},
        "generation_config": {
            **({"generation_args": generation} if generated else {}),
            "additional_details": dict(exported.setup()),
        },
    }


def _uncertainty(entry: ScoreEntry) -> dict[str, Any]:
    method = "clustered by source video"
    known: dict[str, Any] = {"num_samples": entry.n}
    if entry.se is not None:
        known["standard_error"] = {"value": entry.se, "method": method}
    if entry.low is not None and entry.high is not None:
        bounds = {"lower": entry.low, "upper": entry.high}
        known["confidence_interval"] = {**bounds, "confidence_level": 0.95, "method": method}
    return known


def _details(entry: ScoreEntry) -> dict[str, str]:
    facts = {
        "clusters": entry.clusters,
        "n_expected": entry.n_expected,
        "chance": entry.chance,
        "blind": entry.blind,
        "blind_trained": entry.blind_trained,
        "answered_only": entry.answered_only,
        **entry.outcomes,
    }
    return {key: str(fact) for key, fact in facts.items() if fact is not None}


def _judge(entry: ScoreEntry) -> dict[str, Any]:
    availability = {"deployment_type": UNKNOWN, "model_availability": UNKNOWN}
    model = {"name": entry.id.judge, "id": entry.id.judge, "additional_details": availability}
    return {"judges": [{"model_info": model, "temperature": 0.0}], "input_prompt": f"EgoBench rubric {entry.id.rubric}"}
