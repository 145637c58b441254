// The page: what comes in is kept, and drawn once a frame.

import { Devices } from "./devices.js";
import { List } from "./list.js";
import { ask, refresh, say, send, tell } from "./setpin.js";
import { Stream } from "./stream.js";
import { visible } from "./words.js";

const $ = id => document.getElementById(id);
const devices = new Devices();
const list = new List(devices, $("scroller"), $("list"), set);
const numbers = new Intl.NumberFormat("en");
let isDrawing = false;
let isLaidOut = false;
let clockOffset = 0;
let presence = "";
let isComplete = false;

// The silo's clock, whatever the browser's says.
const now = () => Date.now() + clockOffset;
list.now = now;

function draw() {
  if (!isDrawing) {
    isDrawing = true;
    requestAnimationFrame(frame);
  }
}

function frame(time) {
  isDrawing = false;
  const changed = devices.refresh(time);
  if (changed || !isLaidOut) {
    isLaidOut = true;
    list.layout();
  } else if (changed === null) {
    setTimeout(draw, 100);
  }

  list.draw(now());
  refresh(now());
  drawCounts();
  const isEmpty = devices.shown.length === 0;
  $("empty").hidden = !isEmpty;
  if (isEmpty) {
    setText($("empty"), devices.all.size > 0 ? "No device fits this search."
      : isComplete ? "No device was heard of yet. As soon as one sends something, it appears here."
      : "Looking for devices…");
  }
}

function drawCounts() {
  for (const button of $("counts").children) {
    setText(button.lastChild, numbers.format(devices.counts[button.dataset.presence || "all"]));
  }
}

function show(state, text, problem = "") {
  $("state").dataset.state = state;
  setText($("state-text"), text);
  $("list").classList.toggle("old", state === "lost" || state === "stale");
  $("banner").hidden = problem === "";
  setText($("banner"), problem);
}

function search() {
  devices.find($("search").value, presence);
  $("scroller").scrollTop = 0;
  draw();
}

async function set(device, number) {
  const pin = device.pins.find(p => p.number === number);
  if (!pin || device.pending.has(number)) {
    return;
  }

  const state = await ask(device, pin, now());
  list.focus(device, number);
  if (state === "") {
    return;
  }

  device.pending.set(number, state);
  device.version++;
  say(true, `Setting pin ${number} of ${visible(device.id)} to ${state}.`);
  draw();
  try {
    tell(device, number, state, await send(device, number, state));
  } finally {
    // Whatever happened: while it is pending, the pin cannot be set again.
    device.pending.delete(number);
    device.version++;
    draw();
  }
}

const stream = new Stream({
  hello({ now: time, login }) {
    clockOffset = time - Date.now();
    $("logout").hidden = !login;
    devices.begin();
    isComplete = false;
  },
  devices(rows) {
    devices.apply(rows);
    draw();
  },
  status({ state, problem }) {
    if (state === "live") {
      devices.complete();
      isComplete = true;
      show("live", "Live");
    } else if (state === "stale") {
      show("stale", "Not up to date", problem ?? "");
    } else {
      show("listing", "Loading…");
    }

    draw();
  },
  lost() {
    show("lost", "Connection lost", "The connection to the silo is lost. What you see may be old. Trying again…");
  },
});

$("search").addEventListener("input", search);
$("counts").addEventListener("click", event => {
  const button = event.target.closest("button");
  if (button) {
    presence = button.dataset.presence;
    for (const other of $("counts").children) {
      other.ariaPressed = other === button;
    }

    search();
  }
});
$("scroller").addEventListener("scroll", draw, { passive: true });
new ResizeObserver(() => {
  isLaidOut = false;
  draw();
}).observe($("scroller"));
document.addEventListener("keydown", event => {
  if (event.key === "/" && !event.target.closest("input, dialog")) {
    event.preventDefault();
    $("search").focus();
  }
});

// Times grow old by themselves.
setInterval(draw, 5000);
stream.open();

function setText(element, text) {
  if (element.textContent !== text) {
    element.textContent = text;
  }
}
