"""Browser windows that tests use one after the other: a new one costs more than what most tests do
in it."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Browser, BrowserContext, CDPSession, Page

#: What a site may store in a browser and a test may not leave behind; cookies go as well. The cache
#: of files stays: an address of a picture or script always has the same content.
STORED = "local_storage,indexeddb,cache_storage,service_workers,websql,file_systems"


class Window:
    """A window that is empty again after ``clear``.

    A blank page stays open in it, so that Chromium keeps the process that shows the pages.
    """

    def __init__(self, browser: Browser, url: str, **facts: Any) -> None:
        self.url = url
        self.context: BrowserContext = browser.new_context(base_url=url, **facts)
        self._blank: Page = self.context.new_page()
        self._developer: CDPSession = self.context.new_cdp_session(self._blank)

    def open(self, width: int, height: int) -> Page:
        """Return a new page."""
        page = self.context.new_page()
        page.set_viewport_size({"width": width, "height": height})
        return page

    def clear(self) -> None:
        """Close the pages and forget who was signed in and what was stored."""
        for page in self.context.pages:
            if page is not self._blank:
                page.close()
        self.context.clear_cookies()
        facts = {"origin": self.url, "storageTypes": STORED}
        self._developer.send("Storage.clearDataForOrigin", facts)


class Windows:
    """The windows of one browser on one site, by what was asked of them."""

    def __init__(self, browser: Browser, url: str) -> None:
        self._browser = browser
        self._url = url
        self._free: dict[tuple[Any, ...], list[Window]] = {}
        self._taken: list[tuple[tuple[Any, ...], Window]] = []

    def take(self, **facts: Any) -> Window:
        """Return a window that nobody uses; ``facts`` are those of Playwright's ``new_context``."""
        kind = tuple(sorted(facts.items()))
        free = self._free.setdefault(kind, [])
        window = free.pop() if free else Window(self._browser, self._url, **facts)
        self._taken.append((kind, window))
        return window

    def clear(self) -> None:
        """Take back all windows, empty."""
        while self._taken:
            kind, window = self._taken.pop()
            window.clear()
            self._free[kind].append(window)
