"""teacher: what comes back, what is paid for, and what happens when servers misbehave; against a real HTTP server."""

from __future__ import annotations

import logging
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from demo.free_port import free_port
from tests.support.servers import chat_server
from tests.support.servers.chat_server import ChatServer, Fault
from tracemill.core import LedgerError, Problem, ServerUnavailableError, TeacherError, TeacherMisconfiguredError
from tracemill.generate import build_request
from tracemill.inference import ModelClient, Refusal, Request, shared_client
from tracemill.inference.servers import Patience
from tracemill.ledger import Completion, Ledger
from tracemill.recipe.sections.server import Teacher as TeacherSettings
from tracemill.text.think import split_think

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

QUICK = Patience(base_s=0.01, cap_s=0.1, connect_s=2.0, say_every_s=0.05)


@pytest.fixture
def server() -> Iterator[ChatServer]:
    """A chat server that is always right."""
    with ChatServer(wrong_percent=0) as running:
        yield running


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., ModelClient]]:
    """Makes teachers over one ledger, and closes them."""
    made: list[ModelClient] = []

    def teacher(*servers: ChatServer | str, **settings: Any) -> ModelClient:
        made.append(ModelClient(_settings(*servers, **settings), Ledger(tmp_path / "ledger"), patience=QUICK))
        return made[-1]

    yield teacher
    for one in made:
        one.close()


def _settings(*servers: ChatServer | str, **settings: Any) -> TeacherSettings:
    urls = tuple(one if isinstance(one, str) else one.url for one in servers)
    defaults = {"model": "demo", "max_tokens": 100, "request_timeout_s": 5, "give_up_after_s": 5, "max_in_flight": 8}
    return TeacherSettings(base_urls=urls, **{**defaults, **settings})


def _problem(prompt: str) -> Problem:
    return Problem(prompt, "s", 0, "math", prompt, [], None, None, None, [], "", non_commercial=False, info={})


def _requests(n: int, start: int = 0) -> list[Request]:
    settings = TeacherSettings(model="demo", max_tokens=100)
    return [build_request(_problem(f"What is {number} + 1?"), settings, 0) for number in range(start, start + n)]


def _sums(results: list[Completion | Refusal]) -> list[str]:
    assert all(isinstance(result, Completion) for result in results)
    return [result.content.rpartition("{")[2].rstrip("}.") for result in results if isinstance(result, Completion)]


def _in_thread(work: Callable[[], object]) -> tuple[threading.Thread, list[object]]:
    """Runs ``work`` in a thread; what it returned or raised is in the list."""
    outcome: list[object] = []

    def run() -> None:
        try:
            outcome.append(work())
        except Exception as error:  # noqa: BLE001 - looked at by the test
            outcome.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread, outcome


def _until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.005)


# -- what comes back ---------------------------------------------------------------------------------------------------


def test_answers_come_in_the_order_of_requests(server: ChatServer, make: Any) -> None:
    """Results stand in input order, doubled requests included, and the server is asked once per key."""
    requests = _requests(50)
    results = make(server).complete([*requests, *reversed(requests)])
    expected = [str(number + 1) for number in range(50)]
    assert _sums(results) == [*expected, *reversed(expected)]
    assert server.completed == 50


def test_what_is_in_the_ledger_is_not_asked_and_needs_no_server(server: ChatServer, make: Any) -> None:
    """A second run asks for the missing only, and for nothing at all when nothing is missing."""
    make(server).complete(_requests(10))
    make(server).complete(_requests(15))
    assert server.completed == 15
    server.stop()
    teacher = make(server)
    assert len(_sums(teacher.complete(_requests(15)))) == 15
    progress = teacher.progress()
    assert (progress.n_asked, progress.n_done, progress.n_from_ledger) == (15, 15, 15)


def test_the_request_is_what_the_recipe_says(server: ChatServer, make: Any) -> None:
    """The body holds model, messages and sampling, never seed or n; the sample index is in the key only."""
    settings = _settings(server, temperature=0.7, top_p=0.9)
    requests = [build_request(_problem("What is 1 + 1?"), settings, index) for index in range(3)]
    make(server).complete(requests)
    message = {"role": "user", "content": requests[0].messages[0]["content"]}
    sampling = {"temperature": 0.7, "top_p": 0.9, "max_tokens": 100}
    assert list(server.bodies) == [{"model": "demo", "messages": [message], **sampling, "stream": False}] * 3
    assert len({request.key for request in requests}) == 3


@pytest.mark.parametrize("field", ["reasoning", "reasoning_content"])
def test_split_off_reasoning_is_kept(make: Any, field: str) -> None:
    """Reasoning that the server returns apart is recorded and fits split_think."""
    with ChatServer(wrong_percent=0, reasoning_field=field) as server:
        make(server).complete(_requests(1))
        (result,) = make(server).complete(_requests(1))
    assert split_think(result.content, result.reasoning).answer == "The answer is \\boxed{1}."
    assert split_think(result.content, result.reasoning).fault is None


def test_the_meter_adds_up(server: ChatServer, make: Any) -> None:
    """Progress counts what was asked, had, retried and refused, and the tokens as the server counted them."""
    server.max_model_len = 1000
    server.faults.extend([Fault(500), Fault(500)])
    teacher = make(server)
    results = teacher.complete([*_requests(5), Request("a" * 64, [{"role": "user", "content": "x" * 2000}], {})])
    progress = teacher.progress()
    answered = [result for result in results if isinstance(result, Completion)]
    assert (progress.n_asked, progress.n_done, progress.n_from_ledger, progress.n_refused) == (6, 6, 0, 1)
    assert (progress.n_retried, progress.n_in_flight, progress.waiting_since) == (2, 0, None)
    assert progress.completion_tokens == sum(result.completion_tokens or 0 for result in answered)


# -- bounded, shared ---------------------------------------------------------------------------------------------------


def test_all_threads_together_stay_below_max_in_flight(server: ChatServer, make: Any) -> None:
    """max_in_flight bounds the requests of all calls together, and is reached."""
    server.latency_s = 0.05
    teacher = make(server, max_in_flight=6)
    threads = [_in_thread(lambda start=start: teacher.complete(_requests(10, start)))[0] for start in (0, 100, 200)]
    for thread in threads:
        thread.join()
    assert server.peak == 6
    assert server.completed == 30


def test_threads_that_want_the_same_ask_once(server: ChatServer, make: Any) -> None:
    """Keys that several calls want at the same time are asked once and given to all of them."""
    server.latency_s = 0.05
    teacher = make(server)
    calls = [_in_thread(lambda: teacher.complete(_requests(20))) for _ in range(4)]
    for thread, _ in calls:
        thread.join()
    assert server.received == 20
    assert all(outcome == calls[0][1] for _, outcome in calls)


def test_threads_that_compute_give_way(server: ChatServer, make: Any) -> None:
    """Python's switch interval, which every system call of the client may cost beside each, is cut when it starts."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(0.005)
    try:
        make(server).complete(_requests(1))
        assert sys.getswitchinterval() == pytest.approx(0.0001)
    finally:
        sys.setswitchinterval(before)


def test_one_teacher_a_process(server: ChatServer, tmp_path: Path) -> None:
    """Equal settings over one ledger share a teacher; other settings, also another secret, do not."""
    first = shared_client(_settings(server), tmp_path)
    assert shared_client(_settings(server), tmp_path) is first
    assert shared_client(_settings(server, api_key="x"), tmp_path) is not shared_client(
        _settings(server, api_key="y"), tmp_path
    )
    assert _sums(first.complete(_requests(1))) == ["1"]
    first.close()


def test_load_goes_where_there_is_least(make: Any) -> None:
    """Of several servers the one with the fewest requests in flight is asked, so a slow one gets fewer."""
    with ChatServer(wrong_percent=0, latency_s=0.01) as fast, ChatServer(wrong_percent=0, latency_s=0.3) as slow:
        make(fast, slow, max_in_flight=4).complete(_requests(60))
    assert fast.completed + slow.completed == 60
    assert 2 <= slow.completed < 15


# -- faults that pass --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [Fault(500), Fault(502, body="<html>"), Fault(503), Fault(429), Fault(408), Fault(0), Fault(200, body="{}"),
     Fault(200, body='{"choices": [{"message": {"content": "half"}, "finish_reason": "abort"}]}')],
)  # fmt: skip
def test_faults_that_pass_are_waited_out(server: ChatServer, make: Any, fault: Fault) -> None:
    """5xx, 429, 408, broken connections, non-answers and aborted generations are tried again until answered."""
    server.faults.extend([fault] * 5)
    teacher = make(server)
    assert len(_sums(teacher.complete(_requests(10)))) == 10
    assert server.completed == 10
    assert teacher.progress().n_retried == 5


def test_retry_after_is_honoured(server: ChatServer, make: Any) -> None:
    """A request is not sent again before the time that the server asked for."""
    server.faults.append(Fault(429, headers={"Retry-After": "1"}))
    started = time.monotonic()
    make(server).complete(_requests(1))
    assert time.monotonic() - started >= 1.0


def test_a_socket_closed_while_idle_is_retried_at_once(server: ChatServer, make: Any, caplog: Any) -> None:
    """A server that dies and is back between two calls is met by a free retry, without a wait or a word."""
    teacher = make(server)
    teacher.complete(_requests(8))
    server.stop()
    server.start()
    with caplog.at_level(logging.WARNING, "tracemill.teacher"):
        teacher.complete(_requests(8, 100))
    assert server.completed == 16
    assert not caplog.records


def test_a_hanging_request_is_sent_again(server: ChatServer, make: Any) -> None:
    """A request without an answer after request_timeout_s is sent again."""
    server.faults.append(Fault(hang_s=60))
    assert len(_sums(make(server, request_timeout_s=0.3).complete(_requests(3)))) == 3
    assert server.received == 4


def test_a_server_that_dies_and_returns(server: ChatServer, make: Any, caplog: Any) -> None:
    """Death in mid-run is waited out with log lines; only requests that were in flight are sent again."""
    server.latency_s = 0.02
    teacher = make(server)
    with caplog.at_level(logging.WARNING, "tracemill.teacher"):
        thread, outcome = _in_thread(lambda: teacher.complete(_requests(100)))
        _until(lambda: server.completed >= 30)
        server.stop()
        _until(lambda: bool(caplog.records))
        assert teacher.progress().waiting_since == pytest.approx(time.time(), abs=5)
        n_probes_before = server.received
        time.sleep(0.3)
        assert server.received == n_probes_before
        server.start()
        thread.join(20)
    assert len(outcome[0]) == 100  # type: ignore[arg-type]
    assert server.received <= 100 + 2 * 8
    assert "no teacher answers at" in caplog.messages[0]
    assert "of 100 done are kept" in caplog.messages[0]
    assert "answers again" in caplog.messages[-1]
    assert teacher.progress().waiting_since is None


def test_the_others_work_while_one_rests(make: Any) -> None:
    """A server that is away costs the others nothing, and is used again when it is back."""
    with ChatServer(wrong_percent=0, latency_s=0.01) as one, ChatServer(wrong_percent=0, latency_s=0.01) as two:
        teacher = make(one, two)
        teacher.complete(_requests(20))
        two.stop()
        before = two.completed
        teacher.complete(_requests(50, 100))
        assert two.completed == before
        two.start()
        teacher.complete(_requests(100, 1000))
        assert two.completed > before
        assert one.completed + two.completed == 170


def test_one_dead_url_at_the_start_is_only_a_warning(server: ChatServer, make: Any, caplog: Any) -> None:
    """With one URL answering, another at which nothing listens is named in a warning and left out."""
    dead = f"http://127.0.0.1:{free_port()}/v1"
    with caplog.at_level(logging.WARNING, "tracemill.teacher"):
        assert len(_sums(make(dead, server).complete(_requests(20)))) == 20
    assert dead in caplog.messages[0]


# -- faults that do not ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_refused_request_is_data(server: ChatServer, make: Any, status: int) -> None:
    """A request that is refused for good comes back as a Refusal in its place, and is not recorded."""
    server.faults.append(Fault(status, body='{"error": {"message": "maximum context length is 7"}}'))
    teacher = make(server, max_in_flight=1)
    results = teacher.complete(_requests(3))
    assert results[0] == Refusal(_requests(1)[0].key, status, f"HTTP {status}: maximum context length is 7")
    assert len(_sums(results[1:])) == 2
    assert len(_sums(teacher.complete(_requests(3)))) == 3


def test_a_request_that_always_fails_is_given_up_while_others_are_answered(server: ChatServer, make: Any) -> None:
    """One request that gets 500 for ever becomes a Refusal and does not stop the others."""
    server.latency_s = 0.05
    poison = Request("f" * 64, [{"role": "user", "content": "POISON"}], {"max_tokens": 5})
    results = make(server, max_in_flight=4).complete([poison, *_requests(60)])
    assert isinstance(results[0], Refusal)
    assert results[0].status == 500
    assert "while others were answered" in results[0].message
    assert len(_sums(results[1:])) == 60


def test_refusing_everything_is_a_wrong_set_up(server: ChatServer, make: Any) -> None:
    """When every one of the first hundred requests is refused, no row is dropped: it is an error."""
    server.always = Fault(400, body='{"error": {"message": "top_p is not supported"}}')
    with pytest.raises(TeacherMisconfiguredError, match="top_p is not supported"):
        make(server).complete(_requests(150))


def test_giving_up_names_servers_error_and_what_is_kept(server: ChatServer, make: Any) -> None:
    """When nothing is answered for give_up_after_s, the error names the URL, the last trouble and what is kept."""
    teacher = make(server, give_up_after_s=0.5)
    teacher.complete(_requests(4))
    server.always = Fault(500, body="engine dead")
    with pytest.raises(ServerUnavailableError) as caught:
        teacher.complete(_requests(10))
    assert server.url in caught.value.what
    assert "HTTP 500: engine dead" in caught.value.got
    assert "8 of 14 done are kept" in caught.value.remedy  # over both calls: 4 of 4, and the same 4 of 10
    server.always = None
    assert len(_sums(teacher.complete(_requests(10)))) == 10
    asked = [body["messages"][-1]["content"] for body in server.bodies]
    assert [asked.count(prompt) for prompt in asked[:4]] == [1] * 4, "what was kept was asked for again"


def test_a_server_at_work_is_not_given_up(server: ChatServer, make: Any) -> None:
    """While a server works on a long generation, another request's failures do not end the wait."""
    server.latency_s = 1.2
    teacher = make(server, give_up_after_s=0.3)
    calls = [_in_thread(lambda: teacher.complete(_requests(1)))]
    _until(lambda: server.n_busy == 1)
    server.always = Fault(500)
    calls.append(_in_thread(lambda: teacher.complete(_requests(1, 10))))
    time.sleep(0.8)
    server.always = None
    for thread, outcome in calls:
        thread.join(10)
        assert len(outcome[0]) == 1  # type: ignore[arg-type]


def test_giving_up_when_nothing_listens_any_more(server: ChatServer, make: Any) -> None:
    """A server that goes away and stays away ends the call after give_up_after_s, and every call that waits."""
    server.latency_s = 0.02
    teacher = make(server, give_up_after_s=0.6)
    calls = [_in_thread(lambda start=start: teacher.complete(_requests(100, start))) for start in (0, 1000)]
    _until(lambda: server.completed >= 10)
    server.stop()
    gone = time.monotonic()
    for thread, outcome in calls:
        thread.join(30)
        assert isinstance(outcome[0], ServerUnavailableError)
        assert "no connection" in outcome[0].got
    assert 0.5 <= time.monotonic() - gone < 15
    server.start()
    teacher.complete(_requests(100))
    assert server.received <= 100 + 2 * 8 + 8


def test_nothing_listens_at_the_start(make: Any) -> None:
    """Without any server the first call fails at once, with the remedy."""
    url = f"http://127.0.0.1:{free_port()}/v1"
    started = time.monotonic()
    with pytest.raises(ServerUnavailableError, match=f"nothing answers at {url}") as caught:
        make(url, give_up_after_s=600).complete(_requests(3))
    assert "start vLLM" in caught.value.remedy
    assert time.monotonic() - started < 60


@pytest.mark.parametrize(
    ("model", "settings", "words"),
    [
        ("demo-7b", {}, ["served: demo-7b", "did you mean demo-7b"]),
        ("demo", {"max_tokens": 5000}, ["max_model_len 2000", "--max-model-len"]),
        ("demo", {"api_key": "wrong"}, ["refuses the key", "api_key"]),
    ],
)
def test_a_server_that_does_not_fit(make: Any, model: str, settings: dict[str, Any], words: list[str]) -> None:
    """A model that is not served, answers that do not fit, and a wrong key are refused before any request."""
    key = "right" if "api_key" in settings else None
    with ChatServer(models=(model,), max_model_len=2000, api_key=key) as server:
        with pytest.raises(TeacherMisconfiguredError) as caught:
            make(server, **settings).complete(_requests(1))
        assert server.received == 0
    assert all(word in str(caught.value) for word in words)


def test_a_model_without_a_chat_template(make: Any) -> None:
    """A server that cannot render a chat is a wrong set-up, with its own words, before any request."""
    words = "As of transformers v4.44, default chat template is no longer allowed, so you must provide a chat template"
    with ChatServer(template=words) as server:
        with pytest.raises(TeacherMisconfiguredError, match=r"(?s)cannot be asked as a chat.*v4\.44.*--chat-template"):
            make(server).complete(_requests(1))
        assert server.received == 0


@pytest.mark.parametrize("template", [None, "sound", "field required: prompt"])
def test_servers_that_say_nothing_of_templates_are_left_alone(make: Any, template: str | None) -> None:
    """Servers with a sound template, without that endpoint or with another one under its name, are asked as before."""
    with ChatServer(template=template, wrong_percent=0) as server:
        assert _sums(make(server).complete(_requests(1))) == ["1"]


def test_something_else_listens(server: ChatServer, make: Any) -> None:
    """A URL that answers but does not list models is a wrong set-up, with /v1 as the hint."""
    with pytest.raises(TeacherMisconfiguredError, match="/v1"):
        make(server.url.replace("/v1", "/api")).check()


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_server_that_changes_its_mind(server: ChatServer, make: Any, status: int) -> None:
    """401, 403 and 404 on a chat request end the call as a wrong set-up."""
    server.always = Fault(status)
    with pytest.raises(TeacherMisconfiguredError, match=f"HTTP {status}"):
        make(server).complete(_requests(20))


def test_a_teacher_that_breaks_down_at_every_request(server: ChatServer, make: Any) -> None:
    """A server that comes back each time but breaks the connection at every request ends the call."""
    server.always = Fault(0)
    with pytest.raises(ServerUnavailableError, match="breaks down at every request"):
        make(server, give_up_after_s=60).complete(_requests(3))


def test_closing_ends_the_wait(server: ChatServer, make: Any) -> None:
    """A call that waits when the teacher is closed ends with an error."""
    server.latency_s = 5
    teacher = make(server)
    thread, outcome = _in_thread(lambda: teacher.complete(_requests(3)))
    _until(lambda: server.n_busy == 3)
    teacher.close()
    thread.join(5)
    assert isinstance(outcome[0], ServerUnavailableError)


def test_the_check_is_made_once(server: ChatServer, make: Any) -> None:
    """The servers' models are asked for once, not per call."""
    teacher = make(server)
    for start in range(5):
        teacher.complete(_requests(2, 10 * start))
    assert server.n_models_asked == 1


# -- what is kept ------------------------------------------------------------------------------------------------------


def test_what_was_answered_before_an_error_is_kept(server: ChatServer, make: Any, tmp_path: Path) -> None:
    """When a call fails half-way, every response is in the ledger but those that were still on their way."""
    server.latency_s = 0.005
    server.faults.extend([Fault(500, hang_s=0.01)] * 3)
    teacher = make(server)
    thread, outcome = _in_thread(lambda: teacher.complete(_requests(100)))
    _until(lambda: server.completed >= 30)
    server.always = Fault(404)
    thread.join(10)
    assert isinstance(outcome[0], TeacherError)
    server.stop()
    n_kept = len(Ledger(tmp_path / "ledger"))
    assert server.completed - 8 <= n_kept <= server.completed
    server.always, n_before = None, server.completed
    server.start()
    make(server).complete(_requests(100))
    assert server.completed - n_before == 100 - n_kept


def test_a_ledger_that_cannot_record_ends_the_call(server: ChatServer, make: Any, monkeypatch: Any) -> None:
    """When a response cannot be recorded, the call raises instead of paying for more."""
    teacher = make(server, max_in_flight=2)

    def full(_: object, __: Completion) -> bool:
        raise LedgerError("disk full")

    monkeypatch.setattr(Ledger, "put", full)
    with pytest.raises(LedgerError, match="disk full"):
        teacher.complete(_requests(100))
    assert server.received <= 4


def test_an_abandoned_call_is_cancelled(server: ChatServer, make: Any, monkeypatch: Any) -> None:
    """A call that is interrupted takes its pending requests with it, but not those that another call waits for."""
    server.latency_s = 0.1
    teacher = make(server, max_in_flight=2)
    thread, outcome = _in_thread(lambda: teacher.complete(_requests(4)))
    _until(lambda: server.received >= 2)

    def interrupted(_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("tracemill.inference.request_table.Batch.wait", interrupted)
        with pytest.raises(KeyboardInterrupt):
            teacher.complete(_requests(50))
    thread.join(10)
    assert len(outcome[0]) == 4  # type: ignore[arg-type]
    time.sleep(0.3)
    assert server.received <= 6
    assert teacher.progress().n_in_flight == 0


def test_killed_and_started_again_pays_only_for_what_was_in_flight(server: ChatServer, tmp_path: Path) -> None:
    """After kill -9 at any time, a second process asks again at most for what was in flight."""
    server.latency_s = 0.02
    code = (
        "import sys\n"
        "from tests.inference.test_teacher import _requests, _settings, ModelClient, Ledger\n"
        "ModelClient(_settings(sys.argv[1]), Ledger(sys.argv[2])).complete(_requests(200))"
    )
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-c", code, server.url, str(tmp_path)]
    process = subprocess.Popen(command, cwd=root)
    _until(lambda: server.completed >= 50)
    process.kill()
    process.wait()
    server.stop()
    server.start()
    with_rest = subprocess.run(command, cwd=root, check=False)
    assert with_rest.returncode == 0
    assert len(Ledger(tmp_path)) == 200
    assert server.completed <= 200 + 8


def test_the_chat_server_runs_by_itself() -> None:
    """The test server starts from the command line, solves sums and counts."""
    port = free_port()
    command = [sys.executable, str(Path(chat_server.__file__)), "--port", str(port)]
    process = subprocess.Popen(command)
    try:
        _until(lambda: _listens(port))
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/count") as reply:
            assert reply.read() == b'{"completed": 0, "received": 0, "distinct": 0}'
    finally:
        process.kill()
        process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
