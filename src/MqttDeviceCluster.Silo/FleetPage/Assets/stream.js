// The silo's events, with a new connection whenever one is lost.

// The silo sends something every 15 s.
const silence = 40_000;
const longest = 15_000;

// A page that nobody sees need not be told anything.
const unseen = 60_000;

export class Stream {
  #handlers;
  #source = null;
  #watchdog = 0;
  #retry = 0;
  #unseen = 0;
  #failures = 0;

  // hello, devices, status: called with what came. lost: called when the connection is.
  constructor(handlers) {
    this.#handlers = handlers;
    document.addEventListener("visibilitychange", () => {
      clearTimeout(this.#unseen);
      if (document.hidden) {
        this.#unseen = setTimeout(() => this.#close(), unseen);
      } else if (!this.#source) {
        this.open();
      }
    });
    addEventListener("online", () => this.#source || this.open());
  }

  open() {
    this.#close();
    const source = this.#source = new EventSource("fleet/events");
    this.#alive();
    source.onerror = () => this.#lose();
    for (const name of ["hello", "devices", "status", "heartbeat"]) {
      source.addEventListener(name, event => {
        this.#failures = 0;
        this.#alive();
        this.#handlers[name]?.(JSON.parse(event.data));
      });
    }
  }

  #alive() {
    clearTimeout(this.#watchdog);
    this.#watchdog = setTimeout(() => this.#lose(), silence);
  }

  #close() {
    clearTimeout(this.#watchdog);
    clearTimeout(this.#retry);
    this.#source?.close();
    this.#source = null;
  }

  // The browser would try again by itself, but neither after an error such as 503, nor ever less often.
  async #lose() {
    this.#close();
    this.#handlers.lost();
    const delay = Math.min(longest, 1000 * 2 ** this.#failures++);
    this.#retry = setTimeout(() => this.#again(), delay / 2 + Math.random() * delay / 2);
  }

  async #again() {
    if (document.hidden) {
      return;
    }

    try {
      const page = await fetch("./", { method: "HEAD", cache: "no-store" });
      if (page.status === 401) {
        // The session is over: there the page asks for the token.
        location.reload();
        return;
      }
    } catch {
      // The silo is away: the event source will say so too.
    }

    this.open();
  }
}
