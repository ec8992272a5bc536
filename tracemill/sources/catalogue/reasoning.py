"""Catalogue of maths, science and mixed traces."""

from __future__ import annotations

from typing import Final

from tracemill.core import Category
from tracemill.sources.catalogue.dataset import Dataset
from tracemill.sources.layouts.traces import GEMINI_THINKING, R1, UNKNOWN_MODEL

_OPENR1 = "open-r1/OpenR1-Math-220k"
_OPENR1_CARD = "licence, configs and columns: card. An old revision names the configs as splits of config all."
_DOLPHIN = "QuixiAI/dolphin-r1"
_DOLPHIN_FORMER = ("cognitivecomputations/dolphin-r1",)
_OPEN_THOUGHTS = "open-thoughts/OpenThoughts-114k"

REASONING: Final[dict[str, Dataset]] = {
    "numina-math-1.5": Dataset(
        hub="AI-MO/NuminaMath-1.5",
        layout="numina",
        licence="Apache-2.0",
        evidence="licence and columns: card; sentinels proof and notfound: code",
    ),
    "metamathqa": Dataset(
        hub="meta-math/MetaMathQA",
        layout="metamath",
        licence="MIT",
        evidence="licence: card's header (an early commit lacks it); columns: code. Responses are GPT-3.5's.",
    ),
    "math-lighteval": Dataset(
        hub="DigitalLearningGmbH/MATH-lighteval",
        layout="math",
        licence="MIT",
        evidence="licence: card (recollection); columns: code. Split test holds MATH-500: never use it as a source.",
    ),
    "omni-math": Dataset(
        hub="KbsdJames/Omni-MATH",
        layout="omni_math",
        split="test",  # it has no other
        licence="Apache-2.0",
        evidence="licence: card's header; columns: code. refs/pr/2 adds split test_rule_based. Also inside full59K.",
    ),
    "openr1-math-default": Dataset(
        hub=_OPENR1,
        config="default",
        layout="openr1_math",
        licence="Apache-2.0",
        traces=(R1,),
        evidence=_OPENR1_CARD,
    ),
    "openr1-math-extended": Dataset(
        hub=_OPENR1,
        config="extended",
        layout="openr1_math",
        licence="Apache-2.0",
        traces=(R1,),
        evidence=_OPENR1_CARD + " Adds easier problems (cn_k12).",
    ),
    "deepmath-103k": Dataset(
        hub="zwhe99/DeepMath-103K",
        layout="deepmath",
        licence="MIT",
        traces=(R1,),
        evidence="licence and columns: card. Revised on 2025-05-08: 48 questions had told their answers.",
    ),
    "big-math": Dataset(
        hub="SynthLabsAI/Big-Math-RL-Verified",
        layout="big_math",
        licence="Apache-2.0",
        evidence="licence and columns: card. Gated. Made of other sets here, Omni-MATH and GSM8K among them.",
    ),
    "limo": Dataset(
        hub="GAIR/LIMO",
        layout="limo",
        licence="Apache-2.0",
        evidence="licence: card's header; columns: code; authors of the solutions: recollection. Other repositories "
        "carry the file as CC-BY-SA.",
    ),
    "full59k": Dataset(
        hub="simplescaling/data_ablation_full59K",
        layout="s1",
        licence="Apache-2.0",
        traces=(GEMINI_THINKING,),
        evidence="licence: inferred from its sister sets' cards; columns, authors and the test sets in it: s1's code",
    ),
    "s1k": Dataset(
        hub="simplescaling/s1K",
        layout="s1",
        licence="Apache-2.0",
        traces=(GEMINI_THINKING,),
        evidence="licence: card's header; columns and authors: code",
    ),
    "s1k-1.1": Dataset(
        hub="simplescaling/s1K-1.1",
        layout="s1",
        licence="MIT",
        traces=(R1, GEMINI_THINKING),
        evidence="licence: card's header; columns: code. An early revision keeps the traces in lists.",
    ),
    "natural-reasoning": Dataset(
        hub="facebook/natural_reasoning",
        layout="natural_reasoning",
        category=Category.OTHER,
        licence="CC-BY-NC-4.0",
        non_commercial=True,
        evidence="licence and shares: card; columns: code. Responses are Llama-3.3-70B's.",
    ),
    "general-thought-195k": Dataset(
        hub="GeneralReasoning/GeneralThought-195K",
        layout="general_thought",
        category=Category.OTHER,
        licence="MIT",
        row_licences=True,
        traces=(R1, UNKNOWN_MODEL),
        evidence="licence: card; columns: derived sets. Every row names its model and its question's licence. "
        "P1 names GeneralThought-Feb25, which is not public: these are its successors.",
    ),
    "general-thought-430k": Dataset(
        hub="GeneralReasoning/GeneralThought-430K",
        layout="general_thought",
        category=Category.OTHER,
        licence="MIT",
        row_licences=True,
        traces=(R1, UNKNOWN_MODEL),
        evidence="licence: card; columns: derived sets. Every row names its model and its question's licence.",
    ),
    "dolphin-r1-deepseek": Dataset(
        hub=_DOLPHIN,
        also=_DOLPHIN_FORMER,
        config="reasoning-deepseek",
        layout="dolphin_deepseek",
        category=Category.OTHER,
        licence="Apache-2.0",
        traces=(R1,),
        evidence="licence, configs and columns: card. No references.",
    ),
    "dolphin-r1-flash": Dataset(
        hub=_DOLPHIN,
        also=_DOLPHIN_FORMER,
        config="reasoning-flash",
        layout="dolphin_flash",
        category=Category.OTHER,
        licence="Apache-2.0",
        traces=(GEMINI_THINKING,),
        evidence="licence, configs and columns: card. No references.",
    ),
    "dolphin-r1-nonreasoning": Dataset(
        hub=_DOLPHIN,
        also=_DOLPHIN_FORMER,
        config="nonreasoning",
        layout="dolphin_nonreasoning",
        category=Category.OTHER,
        licence="Apache-2.0",
        evidence="licence, configs and columns: card. No references, and replies without reasoning.",
    ),
    "open-thoughts": Dataset(
        hub=_OPEN_THOUGHTS,
        config="metadata",
        layout="open_thoughts_metadata",
        licence="Apache-2.0",
        traces=(R1,),
        evidence="licence: recollection; columns: derived card and the authors' code. Has tests and references.",
    ),
    "open-thoughts-default": Dataset(
        hub=_OPEN_THOUGHTS,
        config="default",
        layout="thoughts",
        licence="Apache-2.0",
        traces=(R1,),
        evidence="licence: recollection; columns: derived card and the authors' code. Nothing to judge answers by.",
    ),
    "bespoke-stratos-17k": Dataset(
        hub="bespokelabs/Bespoke-Stratos-17k",
        layout="thoughts",
        licence="Apache-2.0",
        traces=(R1,),
        evidence="licence: card's header; columns: code. Nothing to judge answers by.",
    ),
}
