"""Attacks that want to pass without being right: a tests object, and a program that must not pass it."""

from __future__ import annotations

from typing import Any

from tests.support.attacks.attack import attack

_CALL: dict[str, Any] = {"kind": "call", "entry_point": "f", "cases": [{"args": [30303], "expected": 918271809}]}
_ASSERT: dict[str, Any] = {
    "kind": "assert",
    "setup": "import math",
    "asserts": ["assert f(30303) == 918271809", "assert f(50505) == 2550755025"],
}
_CLOSE: dict[str, Any] = {"kind": "assert", "setup": "", "asserts": ["assert abs(f(15015.5) - 225465240.25) < 1e-6"]}
_CHECK: dict[str, Any] = {
    "kind": "script", "entry_point": "f",
    "code": "def check(candidate):\n    assert candidate(30303) == 918271809\n    assert isinstance(candidate(30303), int)\n",
}  # fmt: skip
_PYTEST: dict[str, Any] = {
    "kind": "script", "entry_point": "f",
    "code": "import pytest\nfrom solution import f\n\ndef test_three():\n    assert f(30303) == 918271809\n\n"
            "def test_five():\n    assert f(50505) == pytest.approx(2550755025)\n",
}  # fmt: skip
_UNITTEST: dict[str, Any] = {
    "kind": "script", "entry_point": "f",
    "code": "import unittest\n\nclass TestF(unittest.TestCase):\n    def test_three(self):\n        self.assertEqual(f(30303), 918271809)\n",
}  # fmt: skip
ALL_KINDS = {
    "call": _CALL,
    "assert": _ASSERT,
    "close": _CLOSE,
    "check": _CHECK,
    "pytest": _PYTEST,
    "unittest": _UNITTEST,
}
HONEST = "def f(x):\n    return x * x\n"

_ALWAYS_EQUAL = """
    class Yes:
        __eq__ = __lt__ = __gt__ = __le__ = __ge__ = __bool__ = lambda self, *other: True
        __ne__ = lambda self, other: False
        __hash__ = lambda self: 0
        __sub__ = __rsub__ = __abs__ = __round__ = lambda self, *other: 0.0
        __contains__ = __instancecheck__ = lambda self, other: True
        __class__ = int
    def f(x): return Yes()
"""
# Every one is tried against every kind of tests, and must never pass one of them.
CHEATS = {
    25: {"looks for what is expected": """
        import gc, sys
        def f(x):
            seen, found = set(), []
            def search(thing, depth):
                if id(thing) in seen or depth > 6 or len(seen) > 50_000: return
                seen.add(id(thing))
                if type(thing) in (int, float): found.append(thing)
                elif not isinstance(thing, type(sys)):
                    for inner in gc.get_referents(thing): search(inner, depth + 1)
            frame = sys._getframe(1)
            while frame:
                for value in [*frame.f_locals.values(), *frame.f_code.co_consts]: search(value, 0)
                frame = frame.f_back
            wanted = [each for each in found if each in map(float, "918271809 2550755025 225465240.25".split())]
            return wanted[0] if wanted else -1
    """},
    26: {"a value equal to everything": _ALWAYS_EQUAL,
         "a value equal to every plain value": """
        class Yes:
            def __eq__(self, other): return type(other) is not object
            def __sub__(self, other): return 0.0
            def __lt__(self, other): return type(other) is not object
            __hash__ = None
        def f(x): return Yes()
    """},
    27: {"a number equal to everything": """
        class Yes(int):
            __eq__ = lambda self, other: True
            __ne__ = lambda self, other: False
            __hash__ = int.__hash__
            __sub__ = __abs__ = lambda self, *other: Yes(0)
            __lt__ = lambda self, other: True
            __int__ = __index__ = __float__ = lambda self: 918271809
        def f(x): return Yes(1)
    """},
    28: {"an end at import": "import sys\ndef f(x): return -1\nsys.exit(0)\n",
         "a hard end at import": "import os\ndef f(x): return -1\nos._exit(0)\n"},
    29: {"an end in the call": "import os\ndef f(x): os._exit(0)\n",
         "SystemExit in the call": "def f(x): raise SystemExit(0)\n",
         "an end in a thread": "import os, threading\ndef f(x):\n    threading.Thread(target=os._exit, args=(0,)).start()\n    return -1\n",
         "an end in atexit": "import atexit, os\natexit.register(os._exit, 0)\ndef f(x): return -1\n",
         "an end in the hook": "import os, sys\nsys.excepthook = lambda *_: os._exit(0)\ndef f(x): raise ValueError\n"},
    30: {"built-ins replaced": """
        import builtins
        def f(x): return -1
        class Quiet(Exception):
            def __init__(self, *args): pass
        builtins.AssertionError = Quiet
        builtins.isinstance = lambda *_: True
        builtins.abs = lambda x: 0
        builtins.print = builtins.open = builtins.compile = builtins.exec = lambda *_, **__: None
    """, "built-ins defined": """
        def abs(x): return 0
        def isinstance(*_): return True
        def all(x): return True
        def any(x): return True
        def f(x): return -1
    """},
    31: {"libraries patched": """
        import json, math, sys, types, unittest
        math.isclose = lambda *_, **__: True
        json.loads = json.dumps = lambda *_, **__: 918271809
        unittest.TestCase.assertEqual = unittest.TestCase.run = lambda *_, **__: None
        fake = types.ModuleType("pytest")
        fake.approx = fake.raises = lambda *_, **__: type("Yes", (), {"__eq__": lambda a, b: True})()
        sys.modules["pytest"] = sys.modules["_pytest"] = fake
        def f(x): return -1
    """},
    32: {"tests of its own": """
        def f(x): return -1
        def check(candidate): return None
        def test_three(): pass
        def test_five(): pass
        class TestF:
            def test_three(self): pass
        def main(): pass
    """, "tests of its own, at every level": """
        import sys
        def f(x): return -1
        for name, module in list(sys.modules.items()):
            for function in ("check", "outcome_of", "collect", "run_tests", "run_shared", "report"):
                if hasattr(module, function): setattr(module, function, lambda *_, **__: ("pass", ""))
    """},
    34: {"reports that it has passed": """
        import json, os, struct
        def say(fd, **message):
            text = json.dumps(message).encode()
            try: os.write(fd, struct.pack(">I", len(text)) + text)
            except OSError: pass
        def f(x): return -1
        for fd in range(1, 8):
            say(fd, loaded={"f": {"kind": "function"}})
            for name in ("assert", "check", "test_three", "test_five", "TestF.test_three"):
                say(fd, report={"test": name, "outcome": "pass", "detail": "", "used_objects": False})
            say(fd, report={"end": True, "n_tests": 1})
            say(fd, value=True)
            say(fd, value=None, outcome="pass")
    """},
    37: {"nothing that compiles": "def f(x) return x\n"},
    49: {"half characters and long numbers": "def f(x): return [chr(0xd800), 10 ** 10000]\n"},
    50: {"not a number": "def f(x): return float('nan')\n",
         "infinite": "def f(x): return float('inf')\n",
         "minus zero": "def f(x): return -0.0\n",
         "a list within itself": "def f(x):\n    a = []\n    a.append(a)\n    return a\n",
         "lists a million deep": "def f(x):\n    a = []\n    for _ in range(10 ** 6): a = [a]\n    return a\n",
         "a generator without end": "def f(x):\n    while True: yield 918271809\n",
         "an object that raises": "class Bad:\n    def __getattribute__(self, name): raise SystemExit(0)\ndef f(x): return Bad()\n"},
}  # fmt: skip

VERDICTS = tuple(
    attack(number, f"{what} ({kind})", "WA RE CE MLE TLE IE", program, tests=tests, limits={"time_limit_s": 2})
    for number, cheats in CHEATS.items()
    for what, program in cheats.items()
    for kind, tests in ALL_KINDS.items()
)
