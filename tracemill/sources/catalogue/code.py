"""Catalogue of programs and their tests."""

from __future__ import annotations

from typing import Final

from tracemill.core import Category
from tracemill.sources.catalogue.dataset import Dataset
from tracemill.sources.layouts.traces import R1

_SFT_R1 = "KodCode/KodCode-V1-SFT-R1"
_SFT_R1_CARD = "licence, splits and columns: card; its renamed columns: code"
_STAGE_1 = "OpenCoder-LLM/opc-sft-stage1"
_STAGE_2 = "OpenCoder-LLM/opc-sft-stage2"
_CODEFORCES = "open-r1/codeforces-cots"


def _kodcode(split: str) -> Dataset:
    return Dataset(
        hub=_SFT_R1,
        split=split,
        layout="kodcode",
        category=Category.CODE,
        licence="CC-BY-NC-4.0",
        non_commercial=True,
        traces=(R1,),
        evidence=_SFT_R1_CARD,
    )


def _opencoder(hub: str, config: str) -> Dataset:
    return Dataset(
        hub=hub,
        config=config,
        layout="opencoder",
        category=Category.OTHER,
        licence="MIT",
        evidence="licence and configs: card (an interim one said ODC-By); columns: early card, derived sets",
    )


def _codeforces(config: str) -> Dataset:
    return Dataset(
        hub=_CODEFORCES,
        config=config,
        layout="codeforces_cots",
        category=Category.CODE,
        licence="CC-BY-4.0",
        traces=(R1,),
        evidence="licence, configs and columns: card. The tests are the samples of the statement.",
    )


CODE: Final[dict[str, Dataset]] = {
    "kodcode-v1": Dataset(
        hub="KodCode/KodCode-V1",
        layout="kodcode",
        category=Category.CODE,
        licence="CC-BY-NC-4.0",
        non_commercial=True,
        evidence="licence and columns: card; renamed columns and the import before the tests: code",
    ),
    "kodcode-sft-r1": _kodcode("train"),
    "kodcode-sft-r1-incorrect": _kodcode("incorrect"),
    "kodcode-sft-r1-use-with-caution": _kodcode("use_with_caution"),
    "opc-stage1-filtered-infinity": _opencoder(_STAGE_1, "filtered_infinity_instruct"),
    "opc-stage1-largescale-diverse": _opencoder(_STAGE_1, "largescale_diverse_instruct"),
    "opc-stage1-realuser": _opencoder(_STAGE_1, "realuser_instruct"),
    "opc-stage2-educational": _opencoder(_STAGE_2, "educational_instruct"),
    "opc-stage2-evol": _opencoder(_STAGE_2, "evol_instruct"),
    "opc-stage2-mceval": _opencoder(_STAGE_2, "mceval_instruct"),
    "opc-stage2-package": _opencoder(_STAGE_2, "package_instruct"),
    "eurus-2-rl": Dataset(
        hub="PRIME-RL/Eurus-2-RL-Data",
        layout="eurus",
        licence="MIT",
        evidence="licence and columns: card; tests: code. 455,261 of 482,019 rows are mathematics, mostly NuminaMath.",
    ),
    "codeio-pyedu": Dataset(
        hub="hkust-nlp/CodeIO-PyEdu-Reasoning",
        layout="codeio",
        category=Category.OTHER,
        licence="ODC-By-1.0",
        evidence="licence and columns: card's header",
    ),
    "codeio-pyedu-raw": Dataset(
        hub="hkust-nlp/CodeIO-PyEdu-Reasoning-Raw",
        layout="codeio_raw",
        category=Category.OTHER,
        licence="ODC-By-1.0",
        evidence="licence and columns: card",
    ),
    "verifiable-coding-python": Dataset(
        hub="open-r1/verifiable-coding-problems-python",
        layout="verifiable_coding",
        category=Category.CODE,
        licence="unknown",
        evidence="columns: card, which names no licence (recollection)",
    ),
    "codeforces-cots": _codeforces("solutions"),
    "codeforces-cots-decontaminated": _codeforces("solutions_decontaminated"),
    "codeforces-cots-py": _codeforces("solutions_py"),
    "codeforces-cots-py-decontaminated": _codeforces("solutions_py_decontaminated"),
    "acecode-87k": Dataset(
        hub="TIGER-Lab/AceCode-87K",
        layout="acecode",
        category=Category.CODE,
        licence="MIT",
        evidence="licence and columns: card. A model made the tests.",
    ),
    "apps": Dataset(
        hub="codeparrot/apps",
        files="train.jsonl",
        layout="apps",
        category=Category.CODE,
        licence="MIT",
        evidence="licence and files: its page on the Hub; columns: recollection. It brings a script: hence the file.",
    ),
    "taco": Dataset(
        hub="BAAI/TACO",
        files="ALL/train-*.parquet",
        layout="apps",
        category=Category.CODE,
        licence="Apache-2.0",
        evidence="licence, files and columns: code. It brings a script, so that its files are named here.",
    ),
    "code-contests": Dataset(
        hub="deepmind/code_contests",
        layout="code_contests",
        category=Category.CODE,
        licence="CC-BY-4.0",
        evidence="recollection; columns: also files at hand. Many problems take several answers; tests know one.",
    ),
}
