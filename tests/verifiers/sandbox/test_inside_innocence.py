"""Whose text has no means to reach the tests beside it: what is not allowed by name is not innocent."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verifiers.sandbox.inside.testing.innocence import why_not

INNOCENT = [
    "",
    "def f(x):\n    return x + 1\n",
    "from typing import *\nfrom collections import Counter\nimport heapq, math\nprint(math.pi)",
    "import numpy as np\ndef f(a):\n    return np.array(a).reshape(-1, 1).tolist()",
    "import pandas as pd\ndef f(d):\n    return pd.DataFrame(d).to_dict()",
    "import json\ndef f(s):\n    return json.loads(s)",
    "import os\nprint(os.path.join('a', 'b'), os.environ['HOME'], os.getenv('K'))",
    "import sys\nsys.setrecursionlimit(10000)\nfor line in sys.stdin:\n    print(line)",
    "from io import StringIO\nStringIO('a')",
    "class Node:\n    def __init__(self, val=0, next=None):\n        self.val = val\n        self._seen = False\n",
    "class P:\n    def __lt__(self, other):\n        return self.a < other.a\n",
    "def f(node):\n    node.next = None\n    node.val += 1\n",
    "class A(B):\n    def __init__(self):\n        super().__init__()\n",
    "def f(x):\n    return type(x)",
    "if __name__ == '__main__':\n    print(int(input()))",
    "import random\ndef f(a):\n    random.shuffle(a)",
    "import csv, io\ndef f(s):\n    return list(csv.reader(io.StringIO(s)))",
    "import logging\nlog = logging.getLogger('a')\nlog.warning('b')",
    "from contextlib import contextmanager, suppress\n@contextmanager\ndef f():\n    yield 1",
    "import warnings\nwarnings.warn('old')",
]

# A program, and a word of what it is told for.
SUSPECT = [
    ("import subprocess", "subprocess"),
    ("import logging\nlogging.FileHandler('/proc/self/mem')", "FileHandler"),
    ("from contextlib import redirect_stdout", "redirect_stdout"),
    ("import warnings\nwarnings.sys", "sys"),
    ("import importlib", "importlib"),
    ("import os.path, ctypes", "ctypes"),
    ("import numpy.testing", "numpy.testing"),
    ("from unittest import mock", "unittest"),
    ("from . import x", "imports"),
    ("from os import system", "system"),
    ("from sys import modules", "modules"),
    ("from numpy import testing", "testing"),
    ("import sys\nsys.modules", "modules"),
    ("import sys\nsys.exit()", "exit"),
    ("import sys as s\ns.settrace(f)", "settrace"),
    ("import os\nos._exit(0)", "_exit"),
    ("import io\nio.open('f')", "open"),
    ("import sys\nx = sys", "hands sys on"),
    ("import math\nmath.sqrt = abs", "replaces sqrt"),
    ("from math import sqrt\nsqrt = abs", "replaces sqrt"),
    ("import math\ndel math.pi", "replaces pi"),
    ("x.equals = f", "replaces equals"),
    ("eval('1')", "eval"),
    ("exec('1')", "exec"),
    ("open('f')", "open"),
    ("getattr(x, 'a')", "getattr"),
    ("globals()['abs'] = f", "globals"),
    ("vars(x)", "vars"),
    ("__builtins__", "__builtins__"),
    ("__import__('os')", "__import__"),
    ("exit()", "exit"),
    ("raise SystemExit", "SystemExit"),
    ("try:\n    f()\nexcept BaseException:\n    pass", "BaseException"),
    ("def f(x):\n    return x.__class__", "__class__"),
    ("f.__globals__", "__globals__"),
    ("x._private", "_private"),
    ("class A:\n    def __eq__(self, other):\n        return True", "__eq__"),
    ("class A:\n    def __contains__(self, other):\n        return True", "__contains__"),
    ("class A:\n    def __bool__(self):\n        return True", "__bool__"),
    ("class A:\n    async def __aenter__(self): pass", "__aenter__"),
    ("class A(metaclass=M): pass", "metaclass"),
    ("A = type('A', (), {'__eq__': f})", "parts"),
    ("import operator\noperator.attrgetter('__class__')", "attrgetter"),
    ("import numpy as np\nnp.load('f')", "load"),
    ("import pandas as pd\npd.read_csv('f')", "read_csv"),
    ("df.to_csv('f')", "to_csv"),
    ("df.to_pickle('f')", "to_pickle"),
    ("def f(:", "SyntaxError"),
    ("a\0b", "cannot be read"),
    ("(" * 3000 + ")" * 3000, "cannot be read"),
]


@pytest.mark.parametrize("program", INNOCENT)
def test_ordinary_programs_are_innocent(program: str) -> None:
    """Calculating libraries, own classes and their attributes, input and output give no means to reach the tests."""
    assert why_not(program) == ""


@pytest.mark.parametrize(("program", "word"), SUSPECT)
def test_whatever_reaches_further_is_not(program: str, word: str) -> None:
    """Look-ups at run time, foreign attributes, own equality, files, processes and exits are named."""
    assert word in why_not(program)


@pytest.mark.parametrize(("program", "word"), SUSPECT[:-3])
def test_innocence_ends_wherever_it_is(program: str, word: str) -> None:
    """What an innocent program is not hides no better behind a right function or within it."""
    indented = program.replace("\n", "\n    ")
    behind = f"def right(x):\n    return x + 1\n\n{program}\n"
    assert word in why_not(behind)
    if "from ." not in program:
        assert word in why_not(f"def right(x):\n    {indented}\n    return x + 1\n")


@given(st.text(max_size=200))
def test_any_text_is_looked_at(text: str) -> None:
    """Whatever the text, the answer is a text."""
    assert isinstance(why_not(text), str)
