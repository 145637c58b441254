// Sets an output: asks, sends, and says what became of it.

import { presenceInWords, stateName, modeName, visible } from "./words.js";

const $ = id => document.getElementById(id);
const dialog = $("confirm");
let asked = null;

// Resolves with "low", "high", or "" when it was cancelled.
export function ask(device, pin, now) {
  asked = { device, pin };
  dialog.returnValue = "";
  $("confirm-title").textContent = `Set pin ${pin.number}?`;
  $("confirm-device").textContent = visible(device.id);
  $("confirm-low").hidden = pin.state === 0;
  $("confirm-high").hidden = pin.state === 1;
  refresh(now);
  dialog.showModal();
  return new Promise(resolve => dialog.addEventListener("close", () => {
    asked = null;
    resolve(dialog.returnValue);
  }, { once: true }));
}

// What is asked about may change meanwhile.
export function refresh(now) {
  if (!asked) {
    return;
  }

  const { device, pin } = asked;
  setText($("confirm-now"), `${stateName(pin.state)} (${modeName(pin.mode)})`);
  setText($("confirm-presence"), presenceInWords(device, now));
  const warning = $("confirm-warning");
  warning.hidden = device.presence !== "offline";
  setText(warning, "The device is thought to be offline. It will most likely not act, or not confirm.");
}

export async function send(device, number, state) {
  let response;
  let answer;
  try {
    response = await fetch("fleet/pins", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ device: device.id, pin: number, state }),
    });

    // The connection may be lost in the middle of the answer, too. A refusal tells something without it.
    answer = response.ok ? await response.json() : await response.json().catch(() => ({}));
  } catch {
    return { ok: false, text: "The silo did not answer. The pin may or may not have been set." };
  }

  if (response.ok) {
    const { evidence } = answer;
    return {
      ok: true,
      text: evidence === "echoed" ? "The device confirmed this command."
        : evidence === "observed" ? "The device reported this state after the command."
        : "The broker took the command; nothing was heard from the device.",
    };
  }

  if (response.status === 401) {
    location.reload();
  }

  return { ok: false, text: answer.detail ?? `The silo answered ${response.status}. The pin may or may not have been set.` };
}

export function tell(device, number, state, outcome) {
  const toast = document.createElement("div");
  toast.className = `toast ${outcome.ok ? "good" : "bad"}`;
  const text = document.createElement("p");
  const title = document.createElement("b");
  title.textContent = outcome.ok ? `✓ Pin ${number} is ${state}.` : `✕ Pin ${number} was not confirmed ${state}.`;
  const id = document.createElement("bdi");
  id.className = "id";
  id.textContent = visible(device.id);
  text.append(title, " ", id, document.createElement("br"), outcome.text);
  const close = document.createElement("button");
  close.textContent = "✕";
  close.ariaLabel = "Dismiss";
  close.addEventListener("click", () => toast.remove());
  toast.append(text, close);
  const toasts = $("toasts");
  toasts.append(toast);
  while (toasts.children.length > 4) {
    toasts.firstChild.remove();
  }

  if (outcome.ok) {
    setTimeout(() => toast.remove(), 6000);
  }

  say(outcome.ok, `Pin ${number} of ${visible(device.id)}: ${outcome.ok ? state : "not confirmed"}. ${outcome.text}`);
}

export function say(isCalm, text) {
  const region = $(isCalm ? "said" : "warned");
  // The same text twice is news too.
  region.textContent = "";
  requestAnimationFrame(() => region.textContent = text);
}

function setText(element, text) {
  if (element.textContent !== text) {
    element.textContent = text;
  }
}
