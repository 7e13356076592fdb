/*
 * The next legend: fetched while this one is read, and shown without loading a page.
 *
 *   screen.nextLegend.fetchWhenIdle();
 *   screen.nextLegend.open(url); // loads the page if it was not fetched ahead
 */

const FETCH_AFTER = 300; // milliseconds, where the browser does not say when it is idle

export class NextLegend {
  constructor(screen) {
    Object.assign(this, { screen, fetched: null });
  }

  fetchWhenIdle() {
    if (window.requestIdleCallback) requestIdleCallback(() => this.fetch());
    else setTimeout(() => this.fetch(), FETCH_AFTER);
  }

  async fetch() {
    const { urls } = this.screen.facts;
    if (!urls.next) return;
    try {
      const { signal } = this.screen.life;
      const response = await fetch(urls.next, { credentials: "same-origin", signal });
      if (!response.ok || response.redirected) return;
      this.fetched = { url: urls.next, html: await response.text() };
    } catch {
      // Not fetched ahead: the page is loaded when it is opened.
    }
  }

  get isFetched() {
    return this.fetched !== null && this.fetched.url === this.screen.facts.urls.next;
  }

  open(url) {
    if (this.fetched?.url !== url) return location.assign(url);
    const page = new DOMParser().parseFromString(this.fetched.html, "text/html");
    this.screen.close();
    document.title = page.title;
    document.body.replaceChildren(...page.body.childNodes);
    history.pushState({}, "", url);
    scrollTo(0, 0);
    window.htmx?.process(document.body);
    return this.screen.restart();
  }
}
