// What the numbers and words of the wire are called on the page.

const modes = new Map([
  [-1, "disabled"], [1, "input"], [3, "output"], [4, "pull-up"], [5, "input, pull-up"], [8, "pull-down"], [9, "input, pull-down"],
  [16, "open drain"], [19, "output, open drain"], [192, "analog"],
]);

export const presenceNames = { online: "Online", offline: "Offline", unknown: "Unknown" };

const reasonNames = { birth: "by its birth message", traffic: "by its updates", "last-will": "by its last will", silence: "by its silence" };

export const isOutput = pin => pin.mode === 3 || pin.mode === 19;

export const modeName = mode => mode === null ? "mode unknown" : modes.get(mode) ?? `mode ${mode}`;

export const stateName = state => state === null ? "unknown" : state === 0 ? "low" : state === 1 ? "high" : String(state);

export const levelOf = state => state === 0 ? "low" : state === 1 ? "high" : "other";

export function ago(time, now) {
  if (time === null) {
    return "never seen";
  }

  const seconds = Math.max(0, Math.round((now - time) / 1000));
  // Updates of the last-seen time come every few seconds.
  return seconds < 10 ? "seen just now"
    : seconds < 60 ? `seen ${seconds - seconds % 10} s ago`
    : seconds < 3600 ? `seen ${Math.floor(seconds / 60)} min ago`
    : seconds < 86400 ? `seen ${Math.floor(seconds / 3600)} h ago`
    : `seen ${Math.floor(seconds / 86400)} d ago`;
}

export const clock = time => time === null ? "" : new Date(time).toLocaleString();

export function presenceInWords(device, now) {
  const reason = reasonNames[device.reason];
  const since = device.since === null ? "" : `, since ${clock(device.since)}`;
  return `${presenceNames[device.presence]}${reason ? ` ${reason}` : ""}${since}; ${ago(device.seen, now)}`;
}

// A device may call itself what it likes: what would turn its name around, or does not show, shows.
export const visible = id => id.replace(
  /[\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g,
  character => `\u27e8U+${character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}\u27e9`);
