"""Prefect's UI as a person sees it, in a real headless Chromium: pages, fields, buttons; nothing leaves the machine."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.common.exceptions import (
    ElementClickInterceptedException,
    ElementNotInteractableException,
    StaleElementReferenceException,
    TimeoutException,
    WebDriverException,
)
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

# The page was redrawn, or something is in front for a moment, such as a message that goes away by itself.
NOT_YET = (ElementClickInterceptedException, ElementNotInteractableException, StaleElementReferenceException)
PATIENCE_S = 120.0  # for a page to show what it should; a loaded machine takes a few seconds
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # Analytics of Prefect's UI and whatever else looks for the world finds none.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
# A screen of four pictures a second: the graph on a run's page draws as many as there can be, which takes a whole core
# where there is no graphics card.
FEW_PICTURES = """
window.requestAnimationFrame = draw => setTimeout(() => draw(performance.now()), 250)
window.cancelAnimationFrame = clearTimeout
"""


@contextlib.contextmanager
def browser(folder: Path, width: int = 1400, height: int = 1100, *, smooth: bool = False) -> Iterator[WebDriver]:
    """A fresh Chromium whose profile is in ``folder``; ``smooth`` for pictures, on which what moves has arrived."""
    options = webdriver.ChromeOptions()
    for flag in (*FLAGS, f"--user-data-dir={folder / 'profile'}", f"--window-size={width},{height}"):
        options.add_argument(flag)
    options.binary_location = str(shutil.which("chromium"))
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(str(shutil.which("chromedriver"))))
    try:
        if not smooth:
            driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": FEW_PICTURES})
        yield driver
    finally:
        driver.quit()


class Pages:
    """What a person does with the UI; whatever does not come in time is shown in a screenshot that the error names.

    Args:
        driver: the browser.
        url: of the UI.
        folder: of the screenshots.
    """

    def __init__(self, driver: WebDriver, url: str, folder: Path) -> None:
        self.driver, self.url, self.folder = driver, url, folder

    def open(self, path: str) -> None:
        """Goes to a page of the UI."""
        self.driver.get(f"{self.url}/v2/{path}")

    @property
    def text(self) -> str:
        """All that the page shows."""
        return str(self.driver.execute_script("return document.body ? document.body.innerText : ''"))

    def until(self, what: str, ready: Callable[[], Any], patience_s: float = PATIENCE_S) -> Any:
        """Waits for something, and returns it."""

        def look(_: WebDriver) -> Any:
            with contextlib.suppress(*NOT_YET):
                return ready()

        try:
            return WebDriverWait(self.driver, patience_s, poll_frequency=0.4).until(look)
        except WebDriverException as error:
            got = f"({error.msg}) but {self.text[-500:]!r}"
            raise AssertionError(f"the page does not show {what} {got}: {self.picture('failure')}") from error

    def settle(self) -> None:
        """Waits until the page's text is the same for a second: for pictures, where nothing in particular must come."""
        seen = [""]

        def is_still() -> bool:
            before, seen[0] = seen[0], self.text
            return before == seen[0]

        WebDriverWait(self.driver, PATIENCE_S, poll_frequency=1.0).until(lambda _: is_still())

    def picture(self, name: str) -> Path:
        """A screenshot of what is there now."""
        path = self.folder / f"{name}.png"
        self.driver.save_screenshot(str(path))
        return path

    def see(self, *texts: str, patience_s: float = PATIENCE_S) -> str:
        """Waits until the page shows all of these; returns its text."""

        def shown() -> str:
            read = self.text
            return read if all(text in read for text in texts) else ""

        return str(self.until(repr(texts), shown, patience_s))

    def shown(self, xpath: str) -> list[WebElement]:
        """The visible elements."""
        return [element for element in self.driver.find_elements(By.XPATH, xpath) if element.is_displayed()]

    def click(self, name: str, kind: str = "button") -> None:
        """Clicks the element of a kind that says exactly this.

        Of several links the first: it names the thing itself. Of several buttons the last: a dialog comes after what it
        covers.
        """
        place = 0 if kind == "a" else -1
        xpath = f"//*[self::{kind} or @role='{kind}'][normalize-space()='{name}']"

        self.until(f"a {kind} {name!r}", lambda: self._clicked(xpath, place))

    def _clicked(self, xpath: str, place: int) -> bool:
        found = self.shown(xpath)
        if found:
            self.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", found[place])
            found[place].click()
        return bool(found)

    def open_artifact(self, key: str) -> None:
        """From a run's artifacts to one of them: its card leads to its versions, of which the first is the newest."""
        card = f"//main//*[not(*)][normalize-space()='{key}']"
        self.until(f"artifact {key!r}", lambda: self._clicked(card, 0))
        version = "//main//a[contains(@href, '/artifacts/artifact/')]"
        self.until(f"a version of artifact {key!r}", lambda: self._clicked(version, 0))
        self.see("Show Raw Data")

    def submit(self) -> None:
        """Sends the form by the keyboard: the message of a refusal lies over the button while the mouse is there.

        Again where nothing comes of it: a form that has not yet taken in the last field does not hear the key.
        """

        def pressed() -> bool:
            found = self.shown("//button[@type='submit'][normalize-space()='Submit']")
            before = self.text
            if found:
                found[0].send_keys(Keys.ENTER)
            return bool(found) and self._changes(before)

        self.until("a form to submit", pressed)

    def send(self) -> None:
        """Sends a form that nothing is wrong with, again until it is gone.

        A message about an earlier mistake goes away by itself, so that a change of the page says nothing here.
        """
        button = "//button[@type='submit'][normalize-space()='Submit']"

        def taken() -> bool:
            for found in self.shown(button):
                found.send_keys(Keys.ENTER)
            with contextlib.suppress(TimeoutException):
                WebDriverWait(self.driver, 15.0).until(lambda _: not self.shown(button))
            return not self.shown(button)

        self.until("a form to be taken", taken)

    def _changes(self, before: str) -> bool:
        with contextlib.suppress(TimeoutException):
            return bool(WebDriverWait(self.driver, 15.0).until(lambda _: self.text != before))
        return False

    def fill(self, label: str, text: str) -> None:
        """Types into the field below a label of the form, in place of what stands there."""
        self._write(
            f"//label[starts-with(normalize-space(), '{label}')]/following::*[self::textarea or self::input][1]", text
        )

    def custom_run(self, deployment: str) -> None:
        """From the list of deployments to a deployment's form."""
        self.open("deployments")
        self.click(deployment, "a")
        self.see("Deployment ID")
        self.click("Run")
        self.click("Custom run", "menuitem")
        self.see("Parameters", "Submit")

    def set_override(self, number: int, setting: str) -> None:
        """The override of that number, from 0; it is added where it is missing."""
        fields = "//label[starts-with(normalize-space(), 'overrides')]/following::textarea"
        after = "[following::label[starts-with(normalize-space(), 'out')]]"
        if len(self.shown(fields + after)) <= number:
            self.click("Add item")
        self._write(fields + after, setting, number)

    def _write(self, xpath: str, text: str, place: int = 0) -> None:
        """Types into a field, again until it holds the text alone: the page may put back what was there."""

        def holds() -> bool:
            found = self.shown(xpath)[place:]
            if not found:
                return False
            if found[0].get_property("value") == text:
                return True
            found[0].send_keys(Keys.CONTROL, "a")  # the page puts back what is merely cleared
            found[0].send_keys(text)
            return False  # looked at once more, after the page has had the time

        self.until(f"{text!r} in field {place}", holds)

    def follow_run(self, asked: str, called: str) -> None:
        """From a deployment's page to a run: the name that the form asked for holds until the flow gives it its own."""
        links = f"//a[normalize-space()='{asked}' or normalize-space()='{called}']"

        self.see("Deployment ID", "Newest to oldest")
        self.until(f"run {asked!r} or {called!r}", lambda: self._clicked(links, 0))
        self.see("Task Runs", "Artifacts")

    def ended(self, patience_s: float) -> str:
        """Waits until a run's page shows that it has ended, on a tab that lists no other runs; returns its state."""
        states = ("Completed", "Failed", "Crashed", "Cancelled")
        lines = "the end of the run"
        return str(
            self.until(lines, lambda: next((s for s in states if s in self.text.splitlines()), None), patience_s)
        )

    def reload(self) -> None:
        """Asks for the page anew: what a run's page lists in its tabs is not brought up to date by itself."""
        self.driver.refresh()
        self.see("Task Runs", "Artifacts")

    def tab(self, name: str) -> None:
        """Turns to a tab."""
        self.click(name, "tab")
