"""The tests in a module: functions, classes and fixtures as pytest has them, and unittest's cases, with their set-up.

Done here and not by pytest itself, which takes longer to start than most tests take to run. What comes after the last
test of a class or module decides nothing, and is left out.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
import itertools
import types
import unittest
from collections.abc import Callable, Iterator
from typing import Any

from verifiers.sandbox.inside.testing import given_fixtures
from verifiers.sandbox.inside.testing.remote import Remote

Test = tuple[str, Callable[[], object]]
_UNRUN = ("skip", "skipif", "xfail")


class InvalidTests(Exception):  # noqa: N818 - the problem's fault, as data
    """The tests themselves cannot be run."""


def tests_in(scope: dict[str, Any]) -> list[Test]:
    """Return the tests of a module that has been run, by name.

    Args:
        scope: its names.

    Raises:
        InvalidTests: one wants a fixture that there is none of, or is marked not to be run.
    """
    fixtures = _Fixtures(scope, given=True)
    prepare = _once(_hooks(scope, ("setup_module", "setUpModule")))
    tests: list[Test] = []
    for name, found in list(scope.items()):
        if isinstance(found, Remote):
            continue
        if inspect.isclass(found) and issubclass(found, unittest.TestCase):
            tests += _of_unittest(found, prepare)
        elif inspect.isclass(found) and name.startswith("Test"):
            tests += _of_class(name, found, fixtures, prepare)
        elif name.startswith("test") and inspect.isfunction(found):
            around = _Around(_hooks(scope, ("setup_function",)), _hooks(scope, ("teardown_function",)))
            tests += _cases(name, found, fixtures, prepare, lambda f=found, a=around: (f, a, f))  # type: ignore[misc]
    return tests


class _Around:
    """What is called before and after a test."""

    def __init__(self, before: Callable[..., None], after: Callable[..., None]) -> None:
        self.before, self.after = before, after


def _hooks(owner: Any, names: tuple[str, ...]) -> Callable[..., None]:
    """Call those of the owner's functions that there are, with as many arguments as they take."""

    def call(*arguments: Any) -> None:
        for name in names:
            hook = owner.get(name) if isinstance(owner, dict) else getattr(owner, name, None)
            if callable(hook) and not isinstance(hook, Remote):
                hook(*arguments[: len(inspect.signature(hook).parameters)])

    return call


def _once(action: Callable[..., None]) -> Callable[[], None]:
    """Do it at the first call; where that failed, every call fails."""
    done: list[BaseException | None] = []

    def call() -> None:
        if not done:
            try:
                action(None)
                done.append(None)
            except BaseException as error:
                done.append(error)
                raise
        elif done[0] is not None:
            raise done[0]

    return call


def _of_unittest(kind: type[unittest.TestCase], prepare: Callable[[], None]) -> list[Test]:
    prepare_class = _once(lambda _: kind.setUpClass())
    names = unittest.defaultTestLoader.getTestCaseNames(kind)
    for name in names:
        function = getattr(kind, name)
        for marked in (kind, function):
            if getattr(marked, "__unittest_skip__", False) or getattr(marked, "__unittest_expecting_failure__", False):
                raise InvalidTests(f"{kind.__name__}.{name} is marked skip")

    def run(name: str) -> None:
        prepare()
        prepare_class()
        kind(name).debug()

    return [(f"{kind.__name__}.{name}", functools.partial(run, name)) for name in names]


def _of_class(name: str, kind: type, fixtures: _Fixtures, prepare: Callable[[], None]) -> list[Test]:
    prepare_class = _once(_hooks(kind, ("setup_class",)))
    own = fixtures.with_those_of(kind)

    def prepare_both() -> None:
        prepare()
        prepare_class()

    tests: list[Test] = []
    for method in dict.fromkeys(each for base in reversed(kind.__mro__) for each in vars(base)):
        function = getattr(kind, method)
        if method.startswith("test") and callable(function):

            def make(method: str = method) -> Any:
                instance = kind()
                bound = getattr(instance, method)
                before = _hooks(instance, ("setup_method", "setup", "setUp"))
                after = _hooks(instance, ("teardown_method", "teardown", "tearDown"))
                return bound, _Around(before, after), instance

            tests += _cases(f"{name}.{method}", function, own, prepare_both, make)
    return tests


def _cases(
    name: str,
    function: Callable[..., object],
    fixtures: _Fixtures,
    prepare: Callable[[], None],
    make: Callable[[], tuple[Callable[..., object], _Around, Any]],
) -> list[Test]:
    """Return one test, or one for each set of arguments that it is marked with, and each parameter of its fixtures.

    Args:
        name: of the test.
        function: that the tests' author has written.
        fixtures: that it may ask for.
        prepare: is called before all.
        make: the function to call, what is to be called around it, and the object that it belongs to.
    """
    arguments: list[dict[str, Any]] = [{}]
    used: list[str] = []
    for mark in getattr(function, "pytestmark", []):
        if mark.name in _UNRUN:
            raise InvalidTests(f"{name} is marked {mark.name}")
        if mark.name == "parametrize":
            arguments = [{**one, **more} for one in arguments for more in _parameters(*mark.args[:2])]
        if mark.name == "usefixtures":
            used += mark.args
    parameters = list(inspect.signature(function).parameters.values())
    wanted = [each.name for each in parameters if _is_wanted(each) and each.name not in ("self", *arguments[0])]
    needed = fixtures.needed_by(name, [*fixtures.automatic, *used, *wanted])
    chosen = list(itertools.product(arguments, fixtures.choices(needed)))

    def run(one: dict[str, Any], choice: dict[str, Any]) -> None:
        prepare()
        bound, around, owner = make()
        with contextlib.ExitStack() as after:
            around.before(bound)
            after.callback(around.after, bound)
            values = fixtures.values(needed, choice, after, owner)
            found = bound(**one, **{each: values[each] for each in wanted})
            if inspect.iscoroutine(found):
                asyncio.run(found)

    several = len(chosen) > 1
    return [
        (f"{name}[{number}]" if several else name, functools.partial(run, one, choice))
        for number, (one, choice) in enumerate(chosen)
    ]


def _is_wanted(parameter: inspect.Parameter) -> bool:
    several = (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    return parameter.default is parameter.empty and parameter.kind not in several


def _parameters(names: Any, values: Any) -> list[dict[str, Any]]:
    """Return the arguments of ``pytest.mark.parametrize``."""
    if isinstance(names, str):
        names = [name.strip() for name in names.split(",") if name.strip()]
    rows = []
    for value in values:
        marked = type(value).__name__ == "ParameterSet"  # pytest.param(...)
        row = value.values if marked else value if len(names) > 1 else (value,)
        rows.append(dict(zip(names, row)))  # noqa: B905 - Python 3.9
    return rows


class _Fixture:
    """A function that is marked as a fixture, and with what."""

    def __init__(self, name: str, function: Callable[..., Any], marker: Any) -> None:
        self.name, self.function = marker.name or name, function
        self.lasts = marker.scope in ("class", "module", "package", "session")
        self.automatic = bool(marker.autouse)
        self.choices = list(marker.params) if marker.params else []
        parameters = list(inspect.signature(function).parameters)
        self.of_class = bool(parameters) and parameters[0] == "self"
        self.wants = parameters[1:] if self.of_class else parameters


def _fixtures_in(names: dict[str, Any]) -> Iterator[_Fixture]:
    """Pytest's fixtures, as versions before and after 8.4 mark them."""
    for name, found in names.items():
        if isinstance(found, Remote):
            continue
        for attribute in ("_pytestfixturefunction", "_fixture_function_marker"):
            marker = inspect.getattr_static(found, "__dict__", None) and vars(found).get(attribute)
            if marker is not None:
                wrapped = getattr(found, "__pytest_wrapped__", None)
                function = wrapped.obj if wrapped is not None else getattr(found, "_fixture_function", found)
                yield _Fixture(name, function, marker)


class _Fixtures:
    """The fixtures that a test may ask for, and the values of those that last longer than a test."""

    def __init__(self, names: dict[str, Any], lasting: dict[Any, Any] | None = None, *, given: bool = False) -> None:
        of_pytest = given_fixtures.given() if given else {}
        marker = given_fixtures.marker()
        self._by_name = {name: _Fixture(name, function, marker) for name, function in of_pytest.items()}
        self._by_name.update({each.name: each for each in _fixtures_in(names)})
        self._lasting = {} if lasting is None else lasting

    @property
    def automatic(self) -> list[str]:
        """Names of those that every test uses."""
        return [name for name, each in self._by_name.items() if each.automatic]

    def with_those_of(self, kind: type) -> _Fixtures:
        """These and a class's own."""
        inner = _Fixtures({}, self._lasting)
        methods = {name: value for base in reversed(kind.__mro__) for name, value in vars(base).items()}
        inner._by_name = {**self._by_name, **_Fixtures(methods)._by_name}  # noqa: SLF001 - another one of its own kind
        return inner

    def needed_by(self, test: str, names: list[str]) -> list[str]:
        """Those of the names and what they ask for themselves, in the order in which they are made.

        Raises:
            InvalidTests: one of them is neither the module's own nor given.
        """
        ordered: dict[str, None] = {}
        missing: list[str] = []

        def add(name: str, above: tuple[str, ...]) -> None:
            found = self._by_name.get(name)
            if found is None or name in above:
                missing.append(name)
                return
            for wanted in found.wants:
                if wanted != "request":
                    add(wanted, (*above, name))
            ordered.setdefault(name)

        for name in dict.fromkeys(names):
            if name != "request":
                add(name, ())
        if missing:
            raise InvalidTests(f"{test} wants fixtures: {', '.join(dict.fromkeys(missing))}")
        return list(ordered)

    def choices(self, needed: list[str]) -> list[dict[str, Any]]:
        """Return every combination of the parameters of those that have any."""
        having = [name for name in needed if self._by_name[name].choices]
        combined = itertools.product(*[self._by_name[name].choices for name in having])
        return [dict(zip(having, one)) for one in combined]  # noqa: B905 - Python 3.9

    def values(
        self, needed: list[str], choice: dict[str, Any], after: contextlib.ExitStack, owner: Any
    ) -> dict[str, Any]:
        """Return the value of each; those that do not last are ended by ``after``."""
        found: dict[str, Any] = {}
        for name in needed:
            fixture = self._by_name[name]
            key = (name, id(fixture.function), repr(choice.get(name)))
            if key not in self._lasting or not fixture.lasts:
                self._lasting[key] = self._made(fixture, found, choice.get(name), after, owner)
            found[name] = self._lasting[key]
        found["request"] = _request(owner, None, after)
        return found

    def _made(
        self, fixture: _Fixture, values: dict[str, Any], choice: Any, after: contextlib.ExitStack, owner: Any
    ) -> Any:
        arguments = {name: values[name] for name in fixture.wants if name != "request"}
        if "request" in fixture.wants:
            arguments["request"] = _request(owner, choice, after)
        made = fixture.function(owner, **arguments) if fixture.of_class else fixture.function(**arguments)
        if inspect.isgenerator(made):
            if not fixture.lasts:
                after.callback(next, made, None)
            return next(made)
        return made


def _request(owner: Any, choice: Any, after: contextlib.ExitStack) -> Any:
    """Return what fixtures use most of pytest's ``request``."""
    return types.SimpleNamespace(
        param=choice, instance=owner, cls=type(owner), function=owner, addfinalizer=after.callback
    )
