"""The row browser: what its filters leave, what a row's page shows, whom it answers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from demo.free_port import free_port
from tests.support.browser.prefect_pages import browser as chromium
from tests.support.browser.ui_server import running
from tests.support.runs.audited_set import write
from tests.support.runs.browsed_run import ADDER, EVIL, browsed_run, samples
from tests.support.runs.small_run import SmallRun, audit, question
from tests.support.servers.chat_server import ChatServer
from tracemill.browse import address, browser, opened
from tracemill.core import StoreError
from tracemill.runs import story
from tracemill.runs.why import story_by


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return browsed_run(tmp_path_factory.mktemp("browsed") / "run")


@pytest.fixture(scope="module")
def client(run: Path) -> Iterator[TestClient]:
    with TestClient(browser(opened(run)), base_url="http://127.0.0.1:4280") as client:
        yield client


def prompts(page: str) -> list[str]:
    return re.findall(r'<td class="prompt">(.*?)</td>', page, re.DOTALL)


FILTERS: list[tuple[dict[str, Any], int]] = [
    ({}, 8),
    ({"stage": "published"}, 4),
    ({"stage": "deduplicate", "reason": "near_duplicate"}, 1),
    ({"stage": "decontaminate", "source": "a"}, 1),
    ({"source": "programs"}, 1),
    ({"source": "nobody's"}, 0),
    ({"category": "code"}, 1),
    ({"outcome": "incorrect"}, 1),
    ({"outcome": "correct"}, 4),
    ({"rate_from": "40", "rate_to": "60"}, 1),
    ({"rate_from": "100"}, 3),
    ({"text": "TWO NUMBERS"}, 1),
    ({"text": "sum of the first", "stage": "published"}, 1),
    ({"text": "(", "stage": "collect"}, 0),
    ({"after": "5"}, 2),
    ({"unknown": "x"}, 8),
    (dict.fromkeys(("stage", "reason", "source", "category", "outcome", "rate_from", "rate_to", "text"), ""), 8),
]


@pytest.mark.parametrize(("asked", "n_rows"), FILTERS)
def test_a_filter_leaves(client: TestClient, asked: dict[str, Any], n_rows: int) -> None:
    """By stage, reason, source, category, outcome, pass rate and text, each alone and together."""
    answered = client.get("/", params=asked)
    assert answered.status_code == 200
    assert len(prompts(answered.text)) == n_rows, answered.text


@pytest.mark.parametrize("asked", ["rate_from=x", "rate_to=101", "rate_from=nan", "outcome=perfect", "after=-2"])
def test_a_filter_that_cannot_be_read_says_so(client: TestClient, asked: str) -> None:
    """Which field, and what stood there."""
    answered = client.get(f"/?{asked}")
    assert answered.status_code == 400
    assert asked.partition("=")[0] in answered.text
    assert asked.partition("=")[2] in answered.text


def test_a_rows_page_has_everything(client: TestClient) -> None:
    """Prompt, trace, drawn answer, every verdict, duplicates and benchmark items beside it, and what why tells."""
    maths = samples()[0]
    told = client.get(f"/row/{maths.id}").text
    expected = (
        "<details><summary>Trace",
        "<mfrac>",
        '<span class="k">def</span>',
        "the judge agrees",
        "dropped for it · minhash · near_duplicate · score 0.91",
        "<mark>m</mark>",
        "bench, item 3",
        "export         published",
    )
    assert [part for part in expected if part not in told] == []


def test_a_programs_tests_have_their_results(client: TestClient) -> None:
    """Each test with input, what is expected and what came of it; also of the response that was rejected."""
    told = client.get(f"/row/{samples()[1].id}").text
    assert ADDER in told
    assert '<b class="right">AC</b>' in told
    assert '<b class="wrong">WA</b>' in told
    assert "not published: incorrect" in told
    assert '<span class="nb">print</span><span class="p">(</span><span class="mi">1</span>' in told


def test_rows_without_an_id_and_copies_have_a_page(client: TestClient) -> None:
    """What could not be read is shown as it came; a row that was dropped leads to the one that stayed."""
    places = [client.get(f"/place/{place}").text for place in range(8)]
    assert any("{broken" in told for told in places)
    assert any(f'href="/row/{samples()[0].id}"' in told for told in places)
    assert any("found in holdout, item 7" in told for told in places)


def test_strangers_write_no_pages(client: TestClient) -> None:
    """HTML, scripts and addresses planted in every field are text, on every page; and nothing comes from elsewhere."""
    paths = ["/", f"/?text={EVIL[:20]}", *(f"/row/{row.id}" for row in samples()), *(f"/place/{n}" for n in range(8))]
    for path in paths:
        answered = client.get(path)
        assert answered.status_code == 200, path
        assert re.search(r"<(script|img|iframe)\b|<style>", answered.text) is None, path
        assert re.search(r"<[^>]* on\w+=", answered.text) is None, path
        targets = re.findall(r'(?:href|src|action)="([^"]*)"', answered.text)
        assert [each for each in targets if not each.startswith(("/", "?"))] == [], path
        assert len(answered.text) < 1_500_000
        assert "default-src 'none'; style-src 'self'" in answered.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("method", "host", "path", "status"),
    [
        ("GET", "127.0.0.1:4280", "/", 200),
        ("GET", "localhost:4280", "/style.css", 200),
        ("GET", "evil.example", "/", 400),
        ("GET", "127.0.0.1.evil.example:4280", "/", 400),
        ("POST", "127.0.0.1", "/", 405),
        ("GET", "127.0.0.1", "/row/0000", 404),
        ("GET", "127.0.0.1", "/place/8", 404),
        ("GET", "127.0.0.1", "/place/99999999999999999999999999", 404),
        ("GET", "127.0.0.1", "/row/..%2f..%2fetc%2fpasswd", 404),
        ("GET", "127.0.0.1", "/nowhere", 404),
    ],
)
def test_whom_it_answers(client: TestClient, method: str, host: str, path: str, status: int) -> None:
    """Only this machine's own names, only GET, only pages that there are; every answer forbids scripts and frames."""
    answered = client.request(method, path, headers={"host": host})
    assert answered.status_code == status
    assert "frame-ancestors 'none'" in answered.headers["content-security-policy"]
    assert answered.headers["x-content-type-options"] == "nosniff"


def test_a_build_its_store_and_an_audit(tmp_path: Path) -> None:
    """A run's directory tells what why does, the store of a run its rows before they are published; so do audits."""
    rows: list[Any] = [question(n) for n in range(10)] + [question(0), "{broken"]
    with ChatServer() as teacher:
        built = SmallRun(tmp_path, teacher.url, rows=rows)
        built.build()
    index = opened(built.out)
    store = browser(opened(tmp_path / "store"), tmp_path / "store" / "ledger")
    with TestClient(store, base_url="http://localhost") as of:
        under_way = of.get("/").text
        assert "of all its runs" in under_way
        assert len(prompts(under_way)) == index.n_rows
        name = re.findall(r'href="(/place/\d+)"', of.get("/?stage=verify").text)[0]
        assert "<menclose" in of.get(name).text  # what the teacher said, though nothing is published yet
    for record in index.rows(np.arange(index.n_rows)):
        if record.get("id"):
            assert story_by(index, record["id"]) == story(built.out, record["id"])
    audit(write(tmp_path), tmp_path / "audit", [f"run.store={tmp_path / 'other'}"])
    with TestClient(browser(opened(tmp_path / "audit")), base_url="http://localhost") as of:
        told = of.get("/?outcome=incorrect").text
        assert prompts(told)
        assert of.get(re.findall(r'href="(/row/\w+)"', told)[0]).status_code == 200


def test_what_is_no_run(tmp_path: Path) -> None:
    """A folder without a run, and one whose files are no Parquet, say so and what to do."""
    with pytest.raises(StoreError, match=r"nothing to browse(?s:.*)run.store"):
        opened(tmp_path)
    (tmp_path / "manifest.json").write_text("{}")
    (tmp_path / "dataset").mkdir()
    (tmp_path / "dataset" / "a.parquet").write_text("none")
    with pytest.raises(StoreError, match="cannot be read"):
        opened(tmp_path)


@pytest.mark.needs_browser
def test_in_a_browser(run: Path, tmp_path: Path) -> None:
    """The command serves it; a row is filtered for and opened; nothing runs, nothing is asked of anywhere, it fits."""
    port = free_port()
    with (
        running(["-m", "tracemill", "browse", str(run), "--port", str(port)], {}, tmp_path / "log"),
        chromium(tmp_path, 420, 900) as driver,
    ):
        _until(lambda: "rows at" in (tmp_path / "log").read_text())
        driver.implicitly_wait(20)
        driver.get(address(port))
        driver.find_element("name", "stage").send_keys("published")
        driver.find_element("name", "text").send_keys("first")
        driver.find_element("css selector", ".filter button").click()
        _until(lambda: "stage=published" in driver.current_url)
        driver.find_element("css selector", ".rows a").click()
        _until(lambda: "/row/" in driver.current_url)
        assert driver.find_elements("css selector", "article math mfrac")
        for path in ["/", *(f"/row/{row.id}" for row in samples())]:
            driver.get(address(port, path))
            assert driver.title != "owned"
            assert driver.execute_script("return document.documentElement.scrollWidth <= innerWidth"), path
            asked = driver.execute_script("return performance.getEntriesByType('resource').map(e => e.name)")
            assert asked == [address(port, "/style.css")]


def _until(ready: Any) -> None:
    from selenium.webdriver.support.ui import WebDriverWait

    WebDriverWait(None, 60, poll_frequency=0.2).until(lambda _: ready())
