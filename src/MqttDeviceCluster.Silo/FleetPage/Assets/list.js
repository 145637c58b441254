// Draws the devices that are in view, and no others: each row has a height that can be counted from its number of pins.

import { ago, clock, isOutput, levelOf, modeName, presenceInWords, presenceNames, stateName, visible } from "./words.js";

// In rem, as in fleet.css.
const chip = 2.75;
const chipWidth = 7.25;
const chipGap = 0.375;
const rowGap = 0.375;
const wide = { beside: 13 + 9.5 + 2 + 1.5, above: 0, padding: 0.75 };
const narrow = { beside: 1.25, above: 2.75, padding: 1 };
const phone = matchMedia("(max-width: 37.5rem)");
const still = matchMedia("(prefers-reduced-motion: reduce)");

export class List {
  #devices;
  #scroller;
  #list;
  #onSet;
  #rows = new Map();
  #spare = [];
  #tops = new Float64Array(1);
  #rem = 16;
  #columns = 1;
  #active = { id: null, pin: null };

  constructor(devices, scroller, list, onSet) {
    this.#devices = devices;
    this.#scroller = scroller;
    this.#list = list;
    this.#onSet = onSet;
    list.addEventListener("keydown", event => this.#key(event));
    list.addEventListener("focusin", event => this.#focused(event.target));
    list.addEventListener("click", event => {
      const pin = event.target.closest("button.pin");
      if (pin) {
        this.#onSet(pin.closest(".row").device, +pin.dataset.pin);
      }
    });
  }

  // The places of all rows: after a change of what is shown, and of the size of the window or of its letters.
  layout() {
    this.#rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
    const form = phone.matches ? narrow : wide;
    const width = this.#list.clientWidth / this.#rem - form.beside;
    this.#columns = Math.max(1, Math.floor((width + chipGap) / (chipWidth + chipGap)));
    this.#list.style.setProperty("--columns", this.#columns);

    const shown = this.#devices.shown;
    if (this.#tops.length < shown.length + 1) {
      this.#tops = new Float64Array(shown.length * 2 + 1);
    }

    let top = 0;
    for (let i = 0; i < shown.length; i++) {
      this.#tops[i] = top;
      top += this.#height(shown[i], form) + rowGap * this.#rem;
    }

    this.#tops[shown.length] = top;
    this.#list.style.height = `${top}px`;
  }

  draw(now) {
    const shown = this.#devices.shown;
    const top = this.#scroller.scrollTop - this.#list.offsetTop;
    const first = Math.max(0, this.#at(top) - 4);
    const last = Math.min(shown.length - 1, this.#at(top + this.#scroller.clientHeight) + 4);
    const wanted = new Set();
    for (let i = first; i <= last; i++) {
      wanted.add(i);
    }

    // The row that has the focus, or would get it, stays: a focus that scrolls out of view is not lost.
    let active = this.#active.id === null ? -1 : this.#indexOf(this.#active.id);
    if (active < 0) {
      active = shown.length > 0 ? Math.min(first + 4, this.#at(Math.max(0, top + 1)), last) : -1;
      if (!this.#list.contains(document.activeElement)) {
        this.#active = { id: null, pin: null };
      }
    }

    if (active >= 0) {
      wanted.add(active);
    }

    const ids = new Set([...wanted].map(i => shown[i].id));
    for (const [id, row] of this.#rows) {
      if (!ids.has(id)) {
        this.#rows.delete(id);
        row.remove();
        this.#spare.push(row);
      }
    }

    for (const i of wanted) {
      this.#place(i, shown[i], now, i === active);
    }
  }

  // Puts the focus back to where a set began, when it is still there.
  focus(device, pin) {
    this.#rows.get(device.id)?.querySelector(`[data-pin="${pin}"]`)?.focus({ preventScroll: true });
  }

  #height(device, form) {
    const lines = Math.max(form === wide ? 1 : 0, Math.ceil(device.pins.length / this.#columns));
    // Two for the lines of its border.
    return (form.above + form.padding + lines * chip + Math.max(0, lines - 1) * chipGap) * this.#rem + 2;
  }

  // The index of the row at a height.
  #at(y) {
    let low = 0;
    let high = Math.max(0, this.#devices.shown.length - 1);
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#tops[middle] <= y) {
        low = middle;
      } else {
        high = middle - 1;
      }
    }

    return low;
  }

  #indexOf(id) {
    const shown = this.#devices.shown;
    let low = 0;
    let high = shown.length - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      if (shown[middle].id === id) {
        return middle;
      }

      if (shown[middle].id < id) {
        low = middle + 1;
      } else {
        high = middle - 1;
      }
    }

    return -1;
  }

  #place(index, device, now, isActive) {
    let row = this.#rows.get(device.id);
    if (!row) {
      row = this.#spare.pop() ?? createRow();
      row.device = device;
      row.version = -1;
      row.parts.id.textContent = row.parts.id.title = visible(device.id);
      row.dataset.id = device.id;
      row.parts.pins.replaceChildren();
      this.#rows.set(device.id, row);
      this.#insert(row, index);
    }

    if (row.device !== device) {
      row.device = device;
      row.version = -1;
    }

    const transform = `translateY(${this.#tops[index]}px)`;
    const height = `${this.#tops[index + 1] - this.#tops[index] - rowGap * this.#rem}px`;
    if (row.transform !== transform || row.height !== height) {
      row.style.transform = row.transform = transform;
      row.style.height = row.height = height;
    }

    if (row.index !== index || row.total !== this.#devices.shown.length) {
      row.index = index;
      row.total = this.#devices.shown.length;
      row.ariaPosInSet = index + 1;
      row.ariaSetSize = row.total;
    }

    // One stop of the Tab key for the whole list: a row, or one of its outputs.
    const tab = isActive && (this.#active.id !== device.id || this.#active.pin === null) ? 0 : -1;
    if (row.tabIndex !== tab) {
      row.tabIndex = tab;
    }

    setText(row.parts.seen, ago(device.seen, now));
    if (row.version !== device.version) {
      this.#fill(row, device, now);
    }
  }

  #fill(row, device, now) {
    const { presence, seen, pins } = row.parts;
    const isFirst = row.version === -1;
    row.version = device.version;
    setText(presence, presenceNames[device.presence]);
    presence.dataset.is = device.presence;
    presence.title = presenceInWords(device, now);
    seen.title = clock(device.seen) + (device.firmware ? `, firmware ${device.firmware}` : "");

    device.pins.forEach((pin, i) => {
      const tag = isOutput(pin) ? "BUTTON" : "SPAN";
      let item = pins.children[i];
      if (!item) {
        item = document.createElement("li");
        pins.append(item);
      }

      let element = item.firstChild;
      if (element?.tagName !== tag) {
        element = createPin(tag);
        item.replaceChildren(element);
      }

      fillPin(element, device, pin, isFirst);
      if (tag === "BUTTON") {
        const tab = this.#active.id === device.id && this.#active.pin === pin.number ? 0 : -1;
        element.tabIndex = tab;
      }
    });
    while (pins.children.length > device.pins.length) {
      pins.lastChild.remove();
    }
  }

  // In the order in which they are read.
  #insert(row, index) {
    row.index = index;
    let next = null;
    for (const other of this.#list.children) {
      if (other.device.id > row.device.id) {
        next = other;
        break;
      }
    }

    this.#list.insertBefore(row, next);
  }

  #focused(target) {
    const row = target.closest(".row");
    if (!row) {
      return;
    }

    const before = this.#rows.get(this.#active.id);
    this.#active = { id: row.device.id, pin: target.dataset.pin === undefined ? null : +target.dataset.pin };
    for (const element of [before, ...before?.querySelectorAll("button.pin") ?? []]) {
      if (element) {
        element.tabIndex = -1;
      }
    }

    target.tabIndex = 0;
  }

  #key(event) {
    const row = event.target.closest(".row");
    if (!row || event.ctrlKey || event.altKey || event.metaKey) {
      return;
    }

    const index = this.#indexOf(row.device.id);
    const page = Math.max(1, this.#at(this.#tops[Math.max(0, index)] + this.#scroller.clientHeight) - index - 1);
    const moves = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    if (event.key in moves && index >= 0) {
      event.preventDefault();
      this.#go(Math.min(this.#devices.shown.length - 1, Math.max(0, index + moves[event.key])), event.target.dataset.pin);
    } else if (event.key === "ArrowRight" || event.key === "ArrowLeft") {
      event.preventDefault();
      const stops = [row, ...row.querySelectorAll("button.pin")];
      const step = (event.key === "ArrowRight") === (getComputedStyle(row).direction === "ltr") ? 1 : -1;
      stops[Math.min(stops.length - 1, Math.max(0, stops.indexOf(event.target) + step))].focus();
    }
  }

  #go(index, pin) {
    const top = this.#tops[index] + this.#list.offsetTop;
    const bottom = this.#tops[index + 1] + this.#list.offsetTop;
    if (top < this.#scroller.scrollTop) {
      this.#scroller.scrollTop = top - 8;
    } else if (bottom > this.#scroller.scrollTop + this.#scroller.clientHeight) {
      this.#scroller.scrollTop = bottom - this.#scroller.clientHeight + 8;
    }

    const id = this.#devices.shown[index].id;
    this.#active = { id, pin: null };
    this.draw(this.now());
    const row = this.#rows.get(id);
    ((pin === undefined ? null : row.querySelector(`button[data-pin="${pin}"]`)) ?? row).focus({ preventScroll: true });
  }

  // Set by the page: the silo's clock.
  now = () => Date.now();
}

function createRow() {
  const row = document.createElement("li");
  row.className = "row";
  const id = document.createElement("bdi");
  id.className = "id";
  const presence = document.createElement("span");
  presence.className = "presence";
  const seen = document.createElement("span");
  seen.className = "seen";
  const pins = document.createElement("ul");
  pins.ariaLabel = "Pins";
  const name = document.createElement("div");
  name.append(id);
  const facts = document.createElement("div");
  facts.append(presence, seen);
  row.append(name, facts, pins);
  row.parts = { id, presence, seen, pins };
  return row;
}

function createPin(tag) {
  const element = document.createElement(tag);
  element.className = "pin";
  const number = document.createElement("b");
  const level = document.createElement("span");
  level.className = "level";
  const mode = document.createElement("small");
  const text = document.createElement("span");
  text.append(level, mode);
  element.append(number, text);
  element.parts = { number, level, mode };
  return element;
}

function fillPin(element, device, pin, isFirst) {
  const { number, level, mode } = element.parts;
  const pending = device.pending.get(pin.number);
  const text = pending ? `to ${pending}` : stateName(pin.state);
  const isSame = element.dataset.pin === String(pin.number);
  if (isSame && level.textContent === text && mode.textContent === modeName(pin.mode) && element.at === pin.at) {
    return;
  }

  element.at = pin.at;
  element.dataset.pin = pin.number;
  element.dataset.level = levelOf(pin.state);
  setText(number, String(pin.number));
  const isNews = isSame && !isFirst && level.textContent !== text && !pending;
  setText(level, text);
  setText(mode, modeName(pin.mode));
  element.title = `Pin ${pin.number}: ${stateName(pin.state)}, ${modeName(pin.mode)}, received ${clock(pin.at)}`;
  if (element.tagName === "BUTTON") {
    element.ariaLabel = `Pin ${pin.number}, ${text}, ${modeName(pin.mode)}. Set.`;
    element.ariaBusy = pending ? "true" : "false";
  }

  if (isNews && !still.matches) {
    element.animate([{ boxShadow: "0 0 0 3px var(--accent)" }, { boxShadow: "0 0 0 3px transparent" }], 900);
  }
}

function setText(element, text) {
  if (element.textContent !== text) {
    element.textContent = text;
  }
}
