"""Catalogue of chat and of instructions with constraints."""

from __future__ import annotations

from typing import Final

from tracemill.core import Category
from tracemill.sources.catalogue.dataset import Dataset
from tracemill.sources.layouts.traces import R1, UNKNOWN_MODEL

_NEMOTRON = "nvidia/Llama-Nemotron-Post-Training-Dataset"


def _infinity(config: str) -> Dataset:
    return Dataset(
        hub="BAAI/Infinity-Instruct",
        config=config,
        layout="infinity_instruct",
        category=Category.OTHER,
        licence="CC-BY-SA-4.0",
        evidence="licence: card's header; columns: derived sets. Perhaps gated. P1 names no config.",
    )


def _nemotron(split: str) -> Dataset:
    return Dataset(
        hub=_NEMOTRON,
        config="SFT",
        split=split,
        layout="nemotron_sft",
        category=Category.OTHER,
        licence="CC-BY-4.0",
        row_licences=True,
        traces=(R1, UNKNOWN_MODEL),
        evidence="licence and splits: card; columns: code, recollection. Rows name generator and licence.",
    )


CHAT: Final[dict[str, Dataset]] = {
    "infinity-instruct-0625": _infinity("0625"),
    "infinity-instruct-3m": _infinity("3M"),
    "infinity-instruct-7m": _infinity("7M"),
    "infinity-instruct-7m-core": _infinity("7M_core"),
    "infinity-instruct-gen": _infinity("Gen"),
    "openhermes-2.5": Dataset(
        hub="teknium/OpenHermes-2.5",
        layout="evol_instruct",
        category=Category.OTHER,
        licence="unknown",
        evidence="columns: code. Its card names no licence (recollection); it is put together of many sets.",
    ),
    "openorca": Dataset(
        hub="Open-Orca/OpenOrca",
        layout="open_orca",
        category=Category.OTHER,
        licence="MIT",
        evidence="licence and columns: a derived set's card. FLAN is in it, and with it test sets.",
    ),
    "wizardlm-evol-v2": Dataset(
        hub="WizardLMTeam/WizardLM_evol_instruct_V2_196k",
        also=("WizardLM/WizardLM_evol_instruct_V2_196k",),
        layout="evol_instruct",
        category=Category.OTHER,
        licence="MIT",
        evidence="licence and file: its page on the Hub; columns: a derived set's schema. 143k rows; a re-upload "
        "has them twice.",
    ),
    "wizardlm-evol-70k": Dataset(
        hub="WizardLMTeam/WizardLM_evol_instruct_70k",
        also=("WizardLM/WizardLM_evol_instruct_70k",),
        layout="evol_instruct",
        category=Category.OTHER,
        licence="MIT",
        evidence="licence: card's header; columns: recollection",
    ),
    "tulu-3-sft-mixture": Dataset(
        hub="allenai/tulu-3-sft-mixture",
        layout="tulu",
        category=Category.OTHER,
        licence="ODC-By-1.0",
        non_commercial=True,
        row_licences=True,
        evidence="licence and columns: card. Parts are non-commercial; rows of a part that is not known count so.",
    ),
    "nemotron-sft-code": _nemotron("code"),
    "nemotron-sft-math": _nemotron("math"),
    "nemotron-sft-science": _nemotron("science"),
    "nemotron-sft-chat": _nemotron("chat"),
    "nemotron-sft-safety": _nemotron("safety"),
    "nemotron-rl-instructions": Dataset(
        hub=_NEMOTRON,
        config="RL",
        split="instruction_following",
        layout="nemotron_rl",
        category=Category.INSTRUCTION,
        licence="CC-BY-4.0",
        evidence="licence: card; columns: code",
    ),
    "rlvr-ifeval": Dataset(
        hub="allenai/RLVR-IFeval",
        layout="rlvr_ifeval",
        category=Category.INSTRUCTION,
        licence="ODC-By-1.0",
        evidence="licence and columns: card; names of constraints: code",
    ),
}
