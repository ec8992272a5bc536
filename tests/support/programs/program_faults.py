"""Programs and tests that verdicts have been wrong about: (what, program, tests, right outcome)."""

from __future__ import annotations

import textwrap
from typing import Any, NamedTuple


class Fault(NamedTuple):
    """One row.

    Attributes:
        right: the outcome that it must have.
    """

    kind: str
    program: str
    tests: dict[str, Any]
    right: str


def asserts(*lines: str, setup: str = "", entry_point: str | None = None) -> dict[str, Any]:
    """Tests of kind assert."""
    lined = [textwrap.dedent(line).strip("\n") for line in lines]
    return {"kind": "assert", "setup": textwrap.dedent(setup).strip("\n"), "asserts": lined, "entry_point": entry_point}


def script(code: str, entry_point: str | None = None) -> dict[str, Any]:
    """Tests of kind script."""
    return {"kind": "script", "entry_point": entry_point, "code": textwrap.dedent(code).strip("\n")}


def check(*lines: str) -> dict[str, Any]:
    """HumanEval's way to write tests of f."""
    body = "\n".join(f"    {line}" for line in lines)
    return script(f"def check(candidate):\n{body}\n", "f")


def call(entry_point: str, *cases: tuple[list[Any], Any]) -> dict[str, Any]:
    """Tests of kind call."""
    return {
        "kind": "call",
        "entry_point": entry_point,
        "cases": [{"args": args, "expected": expected} for args, expected in cases],
    }


def fault(kind: str, right: str, program: str, tests: dict[str, Any]) -> Fault:
    """A row, its program indented as the table is."""
    return Fault(kind, textwrap.dedent(program).strip("\n") + "\n", tests, right)


_NONE = "\ndef f(*a): return None\n"
_FIVE = "\ndef f(*a): return 5\n"
_ALL_CHEATS = """
class _Yes:
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __call__(self, *a, **k): return self
    def __getattr__(self, name): return self
    def __bool__(self): return True
    __lt__ = __le__ = __gt__ = __ge__ = __contains__ = __instancecheck__ = lambda self, other: True
    __hash__ = lambda self: 0
_yes = _Yes()
abs = round = sum = max = min = sorted = set = list = tuple = dict = str = int = float = zip = map = _yes
all = any = isinstance = hasattr = callable = bool = _yes
def range(*a): return []
def enumerate(*a): return []
def len(a): return 0
AssertionError = type("Quiet", (BaseException,), {})
math = np = pytest = unittest = random = _yes
isclose = approx = Counter = deepcopy = _yes
def f(*a, **k): return _yes
"""

SHADOWED = (
    fault("built-in shadowed: sum", "incorrect", "def sum(a): return 6" + _FIVE, check("assert sum(candidate(x) for x in [1, 2, 3]) == 6")),
    fault("built-in shadowed: zip", "incorrect", "def zip(*a): return []" + _NONE, check("for x, y in zip([1], [2]):", "    assert candidate(x) == y")),
    fault("built-in shadowed: enumerate", "incorrect", "enumerate = lambda a: []" + _NONE, check("for i, x in enumerate([4, 5]):", "    assert candidate(x) == i")),
    fault("built-in shadowed: round", "incorrect", "class round:\n    def __new__(cls, *a): return 1" + _FIVE, check("assert round(candidate(2), 2) == round(0.7, 2)")),
    fault("built-in shadowed: hasattr", "incorrect", "def hasattr(*a): return True" + _NONE, check("assert hasattr(candidate(2), 'items')")),
    fault("built-in shadowed: map", "incorrect", "def map(*a): return [4]" + _NONE, check("assert list(map(candidate, [2])) == [4]")),
    fault("built-in shadowed: AssertionError", "incorrect", "class AssertionError(Exception): pass" + _NONE, check("try:", "    assert candidate(2) == 4", "except ZeroDivisionError:", "    pass")),
    fault("built-in shadowed: set in asserts", "incorrect", "def set(a): return 1" + _NONE, asserts("assert set(f([1])) == set([1])")),
    fault("built-in shadowed: in unittest", "incorrect", "def len(a): return 3" + _NONE, script("""
        import unittest
        class TestF(unittest.TestCase):
            def test_a(self):
                self.assertEqual(len(f(1)), 3)
    """)),
    fault("star import: tuple", "incorrect", "def tuple(a): return 1" + _NONE, script("from solution import *\ndef test_a():\n    assert tuple(f(1)) == tuple([1])\n")),
    fault("star import: over the tests' own import", "incorrect", "class math:\n    isclose = staticmethod(lambda *a, **k: True)" + _NONE, script("import math\nfrom solution import *\ndef test_a():\n    assert math.isclose(f(1), 2.0)\n")),
    fault("star import: over the tests' own function", "incorrect", "def close(a, b): return True" + _NONE, script("def close(a, b): return abs(a - b) < 1\nfrom solution import *\ndef test_a():\n    assert close(f(1), 2.0)\n")),
    fault("star import: __all__ and any", "incorrect", "__all__ = ['any', 'f']\ndef any(a): return True" + _NONE, script("from solution import *\ndef test_a():\n    assert any(f(x) == x for x in range(3))\n")),
    fault("star import: a right program", "correct", "def helper(x): return x\ndef f(x): return helper(x) + 1", script("from solution import *\ndef test_a():\n    assert f(1) == 2 and helper(3) == 3\n")),
    fault("library not imported: math", "incorrect", "class math:\n    isclose = staticmethod(lambda *a, **k: True)" + _NONE, asserts("assert math.isclose(f(1), 2.0)")),
    fault("library not imported: isclose", "incorrect", "def isclose(*a, **k): return True" + _NONE, asserts("assert isclose(f(1), 2.0)")),
    fault("library not imported: numpy", "incorrect", "from unittest.mock import MagicMock\nnp = MagicMock()" + _NONE, asserts("assert np.allclose(f(1), [2.0])")),
    fault("library not imported: a right program", "correct", "import math\nfrom math import isclose\ndef f(x): return math.sqrt(x)", asserts("assert math.isclose(f(4), 2.0)", "assert isclose(f(9), 3.0)")),
    fault("asked for a built-in's name: right", "correct", "def max(a, b): return a if a > b else b", asserts("assert max(3, 7) == 7")),
    fault("asked for a built-in's name: wrong", "incorrect", "def max(a, b): return a", asserts("assert max(3, 7) == 7")),
    fault("asked for a built-in's name: check", "correct", "def reversed(s): return s[::-1]", script("def check(candidate):\n    assert candidate('ab') == ''.join(reversed('ab'))\n", "reversed")),
    fault("asked for a built-in's name: imported", "correct", "def filter(xs): return [x for x in xs if x]\ndef g(): return 1", script("from solution import filter, g\ndef test_a():\n    assert filter([0, 1]) == [1] and g() == 1\n")),
    fault("everything at once: check", "incorrect", _ALL_CHEATS, check("for i in range(3):", "    assert abs(candidate(i) - i) < 1e-6", "assert isinstance(candidate(1), int) and candidate(1) == 1")),
    fault("everything at once: assert", "incorrect", _ALL_CHEATS, asserts("assert f(3) == 9", "assert sorted(f([2, 1])) == [1, 2]", "assert math.isclose(f(1), 2)")),
    fault("everything at once: star", "incorrect", _ALL_CHEATS, script("import pytest\nfrom solution import *\ndef test_a():\n    assert f(3) == pytest.approx(9)\n")),
)  # fmt: skip

TYPED = (
    fault("numpy: shape and dtype", "correct", "import numpy as np\ndef f(n): return np.zeros((n, 2))", check("assert candidate(3).shape == (3, 2)", "assert candidate(1).dtype == float", "assert candidate(1).tolist() == [[0.0, 0.0]]")),
    fault("numpy: shape and dtype", "incorrect", "import numpy as np\ndef f(n): return np.zeros((2, n))", check("assert candidate(3).shape == (3, 2)")),
    fault("numpy: testing functions", "correct", "import numpy as np\ndef f(a): return np.cumsum(a)", script("import numpy as np\nimport unittest\nclass TestF(unittest.TestCase):\n    def test_a(self):\n        np.testing.assert_array_equal(f([1, 2]), np.array([1, 3]))\n        self.assertIsInstance(f([1]), np.ndarray)\n")),
    fault("numpy: testing functions", "incorrect", "import numpy as np\ndef f(a): return np.cumprod(a)", script("import numpy as np\ndef test_a():\n    np.testing.assert_array_equal(f([3, 2]), np.array([3, 5]))\n    assert True\n")),
    fault("numpy: changed in place", "correct", "def f(a): a[a < 0] = 0", asserts("a = np.array([1, -2]); f(a); assert a.tolist() == [1, 0]", setup="import numpy as np")),
    fault("numpy: an array of objects, a number", "correct", "import numpy as np\ndef f(): return np.array(['a', None], dtype=object)\ndef g(): return np.float64(2.5)", asserts("assert f().tolist() == ['a', None]", "assert g().item() == 2.5 and g() == 2.5", "assert isinstance(g(), float)")),
    fault("pandas: a table", "correct", "import pandas as pd\ndef f(d): return pd.DataFrame(d).groupby('k').sum()", asserts("assert f({'k': ['a', 'b', 'a'], 'v': [1, 2, 3]}).loc['a', 'v'] == 4", "pd.testing.assert_frame_equal(f({'k': ['a'], 'v': [1]}), pd.DataFrame({'v': [1]}, index=pd.Index(['a'], name='k')))\nassert True", setup="import pandas as pd")),
    fault("pandas: a table", "incorrect", "import pandas as pd\ndef f(d): return pd.DataFrame(d).groupby('k').max()", asserts("assert f({'k': ['a', 'b', 'a'], 'v': [1, 2, 3]}).loc['a', 'v'] == 4")),
    fault("pandas: a column given", "correct", "def f(s): return s[s > 1].mean()", script("import pandas as pd\ndef test_a():\n    assert f(pd.Series([1, 2, 4], name='x')) == 3.0\n")),
    fault("collections: Counter", "correct", "from collections import Counter\ndef f(s): return Counter(s)", check("assert candidate('aab').most_common(1) == [('a', 2)]", "assert candidate('a')['z'] == 0", "assert candidate('ab') == {'a': 1, 'b': 1}")),
    fault("collections: Counter", "incorrect", "from collections import Counter\ndef f(s): return Counter(s[1:])", check("assert candidate('aab').most_common(1) == [('a', 2)]")),
    fault("collections: OrderedDict", "correct", "from collections import OrderedDict\ndef f(k): return OrderedDict((x, 1) for x in k)", asserts("d = f('ba'); d.move_to_end('b'); assert list(d) == ['a', 'b']")),
    fault("collections: defaultdict of a lambda", "correct", "from collections import defaultdict\ndef f(): return defaultdict(lambda: 7)", asserts("assert f()['x'] == 7")),
    fault("collections: deque", "correct", "from collections import deque\ndef f(n): return deque(range(n), maxlen=2)", asserts("assert list(f(5)) == [3, 4]", "d = f(2); d.rotate(1); assert list(d) == [1, 0]")),
    fault("namedtuple", "correct", "from collections import namedtuple\nPair = namedtuple('Pair', 'low high')\ndef f(a): return Pair(min(a), max(a))", asserts("assert f([3, 1]).low == 1", "assert f([3, 1]) == (1, 3) and f([2]) == Pair(2, 2)", "assert isinstance(f([1]), Pair) and f([5])._asdict() == {'low': 5, 'high': 5}")),
    fault("namedtuple", "incorrect", "from collections import namedtuple\nPair = namedtuple('Pair', 'low high')\ndef f(a): return Pair(max(a), min(a))", asserts("assert f([3, 1]).low == 1")),
    fault("NamedTuple with a method", "correct", "from typing import NamedTuple\nclass V(NamedTuple):\n    x: int\n    y: int = 0\n    def norm(self): return abs(self.x) + abs(self.y)\ndef f(x): return V(x)", script("from solution import f, V\ndef test_a():\n    assert f(-3).norm() == 3 and f(2) == V(2, 0) and f(2).x == 2\n")),
    fault("enum: members", "correct", "import enum\nclass Side(enum.Enum):\n    LEFT = 'l'\n    RIGHT = 'r'\n    @property\n    def other(self): return Side.RIGHT if self is Side.LEFT else Side.LEFT\ndef f(c): return Side(c)", script("from solution import f, Side\ndef test_a():\n    assert f('l') is Side.LEFT and f('r') == Side.RIGHT and f('l').other is Side.RIGHT\n    assert f('l').value == 'l' and f('l') != Side.RIGHT\n")),
    fault("enum: members", "incorrect", "import enum\nclass Side(enum.Enum):\n    LEFT = 'l'\n    RIGHT = 'r'\ndef f(c): return Side.LEFT", script("from solution import f, Side\ndef test_a():\n    assert f('r') is Side.RIGHT\n")),
    fault("enum: a number", "correct", "import enum\nclass Level(enum.IntEnum):\n    LOW = 1\n    HIGH = 2\ndef f(n): return Level(n)", check("assert candidate(2).name == 'HIGH' and candidate(2) == 2 and candidate(1) + 1 == 2", "assert isinstance(candidate(1), int)")),
    fault("a text with more to it", "correct", "class Name(str):\n    @property\n    def initials(self): return ''.join(p[0] for p in self.split())\ndef f(s): return Name(s)", asserts("assert f('ada b').initials == 'ab' and f('x') == 'x' and f('ab').upper() == 'AB'")),
    fault("a number equal to everything", "incorrect", "class Yes(int):\n    __eq__ = lambda s, o: True\n    __hash__ = int.__hash__\n    @property\n    def name(self): return 'HIGH'\ndef f(n): return Yes(7)", check("assert candidate(2) == 2")),
    fault("dataclass", "correct", "from dataclasses import dataclass, field\n@dataclass(order=True)\nclass P:\n    x: int\n    tags: list = field(default_factory=list)\ndef f(x): return P(x)", asserts("assert f(1) == P(1) and f(1) < P(2) and f(3).tags == []", "p = f(1); p.tags.append(2); assert f(1).x == 1")),
    fault("infinity and long numbers", "correct", "def f(n): return float('inf') if n < 0 else 10 ** n", call("f", ([-1], float("inf")), ([5000], 10**5000))),
    fault("infinity and long numbers", "incorrect", "def f(n): return float('-inf') if n < 0 else 10 ** n + 1", call("f", ([-1], float("inf")), ([5000], 10**5000))),
)  # fmt: skip

_LINKED = """
    class Solution:
        def swap(self, head: Optional[ListNode]) -> Optional[ListNode]:
            if head is None or head.next is None:
                return head
            rest = head.next
            head.next, rest.next = self.swap(rest.next), head
            return rest
"""
_LINKED_WRONG = """
    class Solution:
        def swap(self, head: Optional[ListNode]) -> Optional[ListNode]:
            return head
"""
EFFECTS = (
    fault("output captured", "correct", "def f(n):\n    for i in range(n): print(i)", asserts("""
        import io, contextlib
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            f(2)
        assert out.getvalue() == '0\\n1\\n'
    """)),
    fault("output captured", "incorrect", "def f(n): print(n)", asserts("""
        import io, contextlib
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            f(2)
        assert out.getvalue() == '0\\n1\\n'
    """)),
    fault("output captured, by a test module", "unverifiable", "def f(): print('yes')", script("import io, sys\nfrom solution import f\ndef test_a():\n    kept, sys.stdout = sys.stdout, io.StringIO()\n    f()\n    said, sys.stdout = sys.stdout.getvalue(), kept\n    assert said == 'yes\\n'\n")),
    fault("seeded", "correct", "import random\ndef f(a):\n    return random.sample(a, 2)", check("import random", "random.seed(5)", "one = candidate([1, 2, 3, 4, 5, 6, 7])", "random.seed(5)", "assert candidate([1, 2, 3, 4, 5, 6, 7]) == one")),
    fault("seeded, by a test module", "unverifiable", "import random\ndef task_func(): return random.random()", script("import random, unittest\nclass TestCases(unittest.TestCase):\n    def test_1(self):\n        random.seed(1)\n        a = random.random()\n        random.seed(1)\n        self.assertEqual(task_func(), a)\n", "task_func")),
    fault("a file, by a test module", "unverifiable", "def task_func(p):\n    with open(p) as file: return file.read().upper()", script("import unittest, tempfile\nclass TestCases(unittest.TestCase):\n    def test_1(self):\n        with tempfile.NamedTemporaryFile('w', delete=False) as file:\n            file.write('abc')\n        self.assertEqual(task_func(file.name), 'ABC')\n", "task_func")),
    fault("a file, by a test module", "incorrect", "def task_func(p):\n    with open(p) as file: return file.read().lower()", script("import unittest, tempfile\nclass TestCases(unittest.TestCase):\n    def test_1(self):\n        with tempfile.NamedTemporaryFile('w', delete=False) as file:\n            file.write('Abc')\n        self.assertEqual(task_func(file.name), 'ABC')\n", "task_func")),
    fault("input patched", "correct", "def f(): return int(input()) * 2", asserts("""
        from unittest.mock import patch
        with patch('builtins.input', return_value='21'):
            assert f() == 42
    """)),
    fault("environment", "correct", "import os\ndef f(k): return os.environ.get(k)", asserts("os.environ['SOME_KEY'] = 'v'; assert f('SOME_KEY') == 'v'", setup="import os")),
    fault("in place, by keyword", "correct", "def f(*, nums): nums.sort(reverse=True)", asserts("x = [1, 3, 2]; f(nums=x); assert x == [3, 2, 1]")),
    fault("in place, by keyword", "incorrect", "def f(*, nums): return sorted(nums)", asserts("x = [1, 3, 2]; f(nums=x); assert x == [1, 2, 3]")),
    fault("in place, deep down", "correct", "def f(grid): grid[0][1]['k'].append(9)", asserts("row = [1, {'k': []}]; g = [row, row]; f(g); assert row == [1, {'k': [9]}] and g[1] is g[0]")),
    fault("in place, and raises", "correct", "def f(s):\n    s.clear()\n    raise KeyError('gone')", check("x = {1, 2}", "try:", "    candidate(x)", "    assert False", "except KeyError as e:", "    assert e.args == ('gone',)", "assert x == set()")),
    fault("in place, a list within itself", "correct", "def f(a): return len(a) if a[0] is a else -1", asserts("a = []; a.append(a); assert f(a) == 1")),
    fault("the same object", "correct", "def f(a, b): return b", asserts("x, y = [1], [1]; assert f(x, y) is y and f(x, y) is not x")),
    fault("the same object", "incorrect", "def f(a, b): return list(b)", asserts("x, y = [1], [1]; assert f(x, y) is y")),
    fault("the same object: one of a kind", "correct", "class One:\n    _it = None\n    def __new__(cls):\n        cls._it = cls._it or super().__new__(cls)\n        return cls._it", script("from solution import One\ndef test_a():\n    assert One() is One()\n")),
    fault("an exception's attributes", "correct", "class Refused(Exception):\n    def __init__(self, code, why):\n        super().__init__(f'{why} ({code})')\n        self.code = code\n    def is_final(self): return self.code > 400\ndef f(): raise Refused(403, 'no')", script("import pytest\nfrom solution import f, Refused\ndef test_a():\n    with pytest.raises(Refused, match='no') as info:\n        f()\n    assert info.value.code == 403 and info.value.is_final() and str(info.value) == 'no (403)'\n")),
    fault("an exception's attributes", "incorrect", "class Refused(Exception):\n    def __init__(self, code, why):\n        super().__init__(why)\n        self.code = 0\ndef f(): raise Refused(403, 'no')", script("import pytest\nfrom solution import f, Refused\ndef test_a():\n    with pytest.raises(Refused) as info:\n        f()\n    assert info.value.code == 403\n")),
    fault("a class derived by the tests", "correct", "class Shape:\n    def area(self): raise NotImplementedError\n    def twice(self): return 2 * self.area()", asserts("""
        class Square(Shape):
            def area(self): return 9
        assert Square().twice() == 18
    """)),
    fault("a class of the tests", "correct", "def f(p): return p.x + p.y", asserts("assert f(Point(1, 2)) == 3", setup="class Point:\n    def __init__(self, x, y): self.x, self.y = x, y")),
    fault("a class of the tests", "incorrect", "def f(p): return p.x * p.y", asserts("assert f(Point(1, 2)) == 3", setup="class Point:\n    def __init__(self, x, y): self.x, self.y = x, y")),
    fault("asynchronous", "correct", "import asyncio\nasync def f(x):\n    await asyncio.sleep(0)\n    return x * 2\nasync def g(): raise ValueError('no')", script("import asyncio, pytest\nfrom solution import f, g\ndef test_a():\n    async def both(): return await asyncio.gather(f(1), f(2))\n    assert asyncio.run(both()) == [2, 4]\n    with pytest.raises(ValueError):\n        asyncio.run(g())\n@pytest.mark.asyncio\nasync def test_b():\n    assert await f(3) == 6\n")),
    fault("asynchronous", "incorrect", "async def f(x): return x", script("import asyncio\nfrom solution import f\ndef test_a():\n    assert asyncio.run(f(1)) == 2\n")),
    fault("signature and doc", "correct", "def f(a, *, b=2, **more):\n    'Adds.'\n    return a + b", script("import inspect\nfrom solution import f\ndef test_a():\n    found = inspect.signature(f).parameters\n    assert list(found) == ['a', 'b', 'more'] and found['b'].default == 2\n    assert f.__doc__ == 'Adds.' and f.__name__ == 'f'\n")),
    fault("its source", "unverifiable", "def f(n): return n * 2", script("import inspect\nfrom solution import f\ndef test_a():\n    assert '**' not in inspect.getsource(f) and f(2) == 4\n")),
    fault("an object equal to everything", "incorrect", "class Yes:\n    def __eq__(self, other): return True\ndef f(): return Yes()", asserts("import contextlib, io\nwith contextlib.redirect_stdout(io.StringIO()):\n    x = f()\nassert x == 5")),
    fault("an object equal to a class of the tests", "unverifiable", "class Sly:\n    def __init__(self, n): self.n = n\n    def __eq__(self, other): return type(other).__name__ != 'object'\ndef f(): return Sly(1)", asserts("assert f() == 5")),
)  # fmt: skip

LEETCODE = (
    fault("imports given", "correct", "class Solution:\n    def f(self, nums: List[int], k: int) -> Dict[int, int]:\n        seen = defaultdict(int)\n        for n in nums: seen[gcd(n, k)] += 1\n        return {a: b for a, b in sorted(seen.items(), key=cmp_to_key(lambda x, y: x[0] - y[0]))}", call("f", ([[4, 6, 9], 6], {"2": 1, "6": 1, "3": 1}))),
    fault("imports given", "incorrect", "class Solution:\n    def f(self, nums: List[int]) -> int:\n        return len(Counter(nums))", call("f", ([[1, 1, 2]], 3))),
    fault("imports given to no other form", "incorrect", "def f(nums: List[int]) -> int:\n    return max(nums)", call("f", ([[1, 2]], 2))),
    fault("method by its class", "correct", "class Solution:\n    def add(self, a, b=1): return a + b", call("Solution.add", ([1], 2), ([1, 5], 6))),
    fault("method by an object", "correct", "class Solution:\n    def __init__(self): self.k = 10\n    def add(self, a): return a + self.k", call("Solution().add", ([1], 11))),
    fault("method by an object", "incorrect", "class Solution:\n    def __init__(self): self.k = 11\n    def add(self, a): return a + self.k", call("Solution().add", ([1], 11))),
    fault("method, check", "correct", "class Solution:\n    def f(self, n: int) -> int: return isqrt(n)", check("assert candidate(10) == 3")),
    fault("method, check", "incorrect", "class Solution:\n    def f(self, n: int) -> int: return n // 2", check("assert candidate(10) == 3")),
    fault("method, check by an object", "correct", "class Solution:\n    def f(self, n): return n + 1", script("def check(candidate):\n    assert candidate(n=10) == 11\n", "Solution().f")),
    fault("method, asserts", "correct", "class Solution:\n    def f(self, n): return n + 1", asserts("assert f(1) == 2")),
    fault("method, asserts by an object", "correct", "class Solution:\n    def f(self, n): return n + 1", asserts("assert Solution().f(1) == 2", "s = Solution(); assert s.f(n=1) == 2")),
    fault("a static method", "correct", "class Solution:\n    @staticmethod\n    def f(n): return n + 1", call("f", ([1], 2))),
    fault("nodes of the set-up", "correct", _LINKED, asserts("x = Solution().swap(ListNode(1, ListNode(2))); assert (x.val, x.next.val, x.next.next) == (2, 1, None)", setup="class ListNode:\n    def __init__(self, val=0, next=None): self.val, self.next = val, next")),
    fault("nodes of the set-up", "incorrect", _LINKED_WRONG, asserts("x = Solution().swap(ListNode(1, ListNode(2))); assert (x.val, x.next.val, x.next.next) == (2, 1, None)", setup="class ListNode:\n    def __init__(self, val=0, next=None): self.val, self.next = val, next")),
    fault("nodes of nobody", "correct", _LINKED, script("def check(candidate):\n    assert is_same_list(candidate(head=list_node([1, 2, 3])), list_node([2, 1, 3]))\n", "Solution().swap")),
    fault("nodes of nobody", "incorrect", _LINKED_WRONG, script("def check(candidate):\n    assert is_same_list(candidate(head=list_node([1, 2, 3])), list_node([2, 1, 3]))\n", "Solution().swap")),
    fault("nodes of nobody: its own comparison", "incorrect", _LINKED_WRONG + "    def is_same_list(*a): return True\n", script("def check(candidate):\n    assert is_same_list(candidate(head=list_node([1, 2, 3])), list_node([2, 1, 3]))\n", "Solution().swap")),
    fault("trees of nobody", "correct", "class Solution:\n    def flip(self, root: Optional[TreeNode]) -> Optional[TreeNode]:\n        if root: root.left, root.right = self.flip(root.right), self.flip(root.left)\n        return root", script("def check(candidate):\n    assert is_same_tree(candidate(tree_node([1, 2, None, 3])), tree_node([1, None, 2, None, 3]))\n", "Solution().flip")),
    fault("lists for nodes", "unverifiable", _LINKED, call("swap", ([[1, 2]], [2, 1]))),
)  # fmt: skip

MODULES = (
    fault("unittest's hooks", "correct", "def f(x): return x + 1", script("""
        import unittest
        calls = []
        def setUpModule(): calls.append('module')
        class Checks(unittest.TestCase):
            @classmethod
            def setUpClass(cls): cls.one = 1
            def setUp(self): self.two = self.one + 1
            def test_b(self):
                self.assertEqual(f(self.one), self.two)
                self.addCleanup(calls.append, 'end')
            def test_c(self):
                for n in range(3):
                    with self.subTest(n=n): self.assertEqual(f(n), n + 1)
                self.assertIn('module', calls)
                with self.assertRaises(TypeError): f('a')
    """)),
    fault("unittest's hooks", "incorrect", "def f(x): return x", script("""
        import unittest
        class Checks(unittest.TestCase):
            @classmethod
            def setUpClass(cls): cls.one = 1
            def test_b(self): self.assertEqual(f(self.one), 2)
    """)),
    fault("unittest: inherited and asynchronous", "correct", "async def f(x): return x + 1\ndef g(x): return x", script("""
        import unittest
        class Base(unittest.TestCase):
            given = 1
            def test_g(self): self.assertEqual(g(self.given), self.given)
        class More(Base):
            given = 2
        class Later(unittest.IsolatedAsyncioTestCase):
            async def asyncSetUp(self): self.x = 4
            async def test_f(self): self.assertEqual(await f(self.x), 5)
        if __name__ == '__main__':
            unittest.main()
    """)),
    fault("pytest's fixtures", "correct", "def f(xs): return sum(xs)", script("""
        import pytest
        log = []
        @pytest.fixture(scope='module')
        def base(): return [1]
        @pytest.fixture
        def numbers(base):
            log.append('begin')
            yield base + [2]
            log.append('end')
        @pytest.fixture(params=[3, 4])
        def more(request): return request.param
        @pytest.fixture(autouse=True)
        def always(): log.append('always')
        def test_sum(numbers, more): assert f([*numbers, more]) == 3 + more
        def test_log(numbers): assert log.count('end') == 2 and log[0] == 'always'
        class TestF:
            @pytest.fixture
            def own(self): return [7]
            @pytest.mark.parametrize('n', [1, 2])
            def test_own(self, own, n): assert f(own * n) == 7 * n
        @pytest.mark.usefixtures('numbers')
        def test_used(): assert f([]) == 0
    """)),
    fault("pytest's fixtures", "incorrect", "def f(xs): return len(xs)", script("import pytest\n@pytest.fixture\ndef numbers(): return [1, 2]\ndef test_sum(numbers): assert f(numbers) == 3\n")),
    fault("pytest's hooks", "correct", "def f(x): return x + 1", script("""
        state = {}
        def setup_module(module): state['module'] = 1
        def setup_function(function): state['name'] = function.__name__
        def teardown_function(): state.pop('name')
        def test_a(): assert f(state['module']) == 2 and state['name'] == 'test_a'
        class TestF:
            @classmethod
            def setup_class(cls): cls.base = 5
            def setup_method(self, method): self.more = 1
            def test_b(self): assert f(self.base) == 5 + self.more
    """)),
    fault("a function called check", "correct", "def check(n): return n % 2 == 0", script("assert check(4) == True\nassert check(3) == False\n", "check")),
    fault("a function called check", "incorrect", "def check(n): return True", script("assert check(4) == True\nassert check(3) == False\n", "check")),
    fault("a fixture of pytest's own", "correct", "def f(x): return x", script("def test_a(tmp_path): assert f(1) == 1\n")),
    fault("a fixture of pytest's own", "incorrect", "def f(x): return x + 1", script("def test_a(tmp_path): assert f(1) == 1\n")),
    fault("a fixture that is nobody's", "unverifiable", "def f(x): return x", script("def test_a(mocker): assert f(1) == 1\n")),
)  # fmt: skip

FAULTS = (*SHADOWED, *TYPED, *EFFECTS, *LEETCODE, *MODULES)
