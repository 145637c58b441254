// The devices as the silo told them, and those of them that are searched for, in the order of their ids.

import { modeName, stateName } from "./words.js";

export class Devices {
  all = new Map();
  shown = [];
  counts = { all: 0, online: 0, offline: 0, unknown: 0 };

  // What has to be done before the next frame.
  #sorted = [];
  #unsorted = false;
  #unfiltered = false;
  #filter = { words: [], presence: "" };
  #generation = 0;
  #lookedAt = 0;

  // A new connection tells everything again. Until it is through, what was known stays.
  begin() {
    this.#generation++;
  }

  complete() {
    for (const device of this.all.values()) {
      if (device.generation !== this.#generation) {
        this.#remove(device);
      }
    }
  }

  // See FleetRowWriter.
  apply(rows) {
    for (const row of rows) {
      let device = this.all.get(row.id);
      if (row.gone) {
        if (device) {
          this.#remove(device);
        }

        continue;
      }

      if (!device) {
        device = { id: row.id, search: row.id.toLowerCase(), presence: "unknown", reason: "none", since: null, firmware: null, seen: null, pins: [], pending: new Map(), version: 0 };
        this.all.set(row.id, device);
        this.counts.all++;
        this.counts.unknown++;
        this.#unsorted = true;
      }

      if (row.new) {
        device.pins = [];
        this.#unfiltered = true;
      }

      device.generation = this.#generation;
      device.seen = row.seen;
      if (row.presence) {
        this.counts[device.presence]--;
        this.counts[row.presence]++;
        this.#unfiltered ||= device.presence !== row.presence && this.#filter.byState;
        device.presence = row.presence;
        device.reason = row.reason;
        device.since = row.since;
        device.firmware = row.firmware;
      }

      for (const [number, mode, state, at] of row.pins ?? []) {
        this.#unfiltered ||= this.#filter.byState;
        const index = device.pins.findIndex(pin => pin.number >= number);
        if (index >= 0 && device.pins[index].number === number) {
          Object.assign(device.pins[index], { mode, state, at });
        } else {
          device.pins.splice(index < 0 ? device.pins.length : index, 0, { number, mode, state, at });
          // Its row may have become higher.
          this.#unfiltered = true;
        }
      }

      device.version++;
    }
  }

  // Words such as "online", "13=high" or a part of an id; a device must fit them all.
  find(text, presence) {
    const words = text.toLowerCase().split(/\s+/).filter(word => word).map(word => {
      const pin = /^(\d+)=(.+)$/.exec(word);
      return pin ? device => device.pins.some(p => p.number === +pin[1] && fits(p, pin[2]))
        : ["online", "offline", "unknown"].includes(word) ? device => device.presence === word
        : Object.assign(device => device.search.includes(word), { byId: true });
    });
    this.#filter = { words, presence, byState: presence !== "" || words.some(word => !word.byId) };
    this.#unfiltered = true;
    this.#lookedAt = 0;
  }

  // Brings "shown" up to date, when it is worth it: while thousands of devices come in or change, not at every frame.
  // Returns whether it changed, and null when that has to wait.
  refresh(now) {
    if (!this.#unsorted && !this.#unfiltered) {
      return false;
    }

    if (now - this.#lookedAt < 400) {
      return null;
    }

    if (this.#unsorted) {
      this.#sorted = [...this.all.values()].sort((a, b) => a.id < b.id ? -1 : 1);
    }

    const { words, presence } = this.#filter;
    this.shown = words.length === 0 && presence === "" ? this.#sorted
      : this.#sorted.filter(device => (presence === "" || device.presence === presence) && words.every(word => word(device)));
    this.#unsorted = this.#unfiltered = false;
    this.#lookedAt = now;
    return true;
  }

  #remove(device) {
    this.all.delete(device.id);
    this.counts.all--;
    this.counts[device.presence]--;
    this.#unsorted = true;
  }
}

function fits(pin, value) {
  return value === stateName(pin.state) || value === String(pin.state) || modeName(pin.mode).split(", ")[0] === value;
}
