// Settings as the server sends them, and as an address holds them.

// What other data begin anew with; the rest stays.
const OF_DATA = ["n", "noise", "test", "table", "columns", "box", "batch", "loss", "out"];
const OF_KIND = ["features", "hidden", "act", "lr"];
const SPECIAL = ["parabola", "digits", "csv"];

export function toAddress(settings) {
  return Object.entries(settings)
    .map(([name, value]) => `${name}=${encodeURIComponent(String(value)).replaceAll("%2C", ",")}`)
    .join("&");
}

// Settings after a change; what belongs to other data is left to the server's defaults.
export function changed(settings, change) {
  const next = { ...settings, ...change };
  if (change.data !== undefined && change.data !== settings.data) {
    const special = SPECIAL.includes(change.data) || SPECIAL.includes(settings.data);
    for (const name of [...OF_DATA, ...(special ? OF_KIND : [])]) {
      if (!(name in change)) delete next[name];
    }
    if (!("epoch" in change) && special) next.epoch = 0;
  }
  if (change.hidden && !change.act) {
    next.act = next.hidden.map((_, i) => settings.act[Math.min(i, settings.act.length - 1)] ?? "relu");
  }
  if (!("epoch" in change) && "batch_at" in next) next.batch_at = 0;
  return next;
}

// The course's systems, each an address.
export const EXAMPLES = {
  perceptron: "data=four&model=perceptron&lr=0.1&batch=0&epoch=20",
  linear: "data=four&model=linear&lr=0.1&epoch=100",
  "linear-xor": "data=xor&model=linear&lr=0.1&epoch=100",
  "features-xor": "data=xor&model=linear&features=x1,x2,x1x1,x1x2,x2x2&lr=0.1&epoch=1000",
  "bp-xor": "data=xor&hidden=10&act=sigmoid&loss=half_squared_error&solver=sgd&lr=0.1&init=uniform&epoch=100001",
  regression: "data=parabola&hidden=20&act=relu&loss=sum_squared_error&solver=sgd&lr=0.1&batch=0&init=normal&bias=0.1&epoch=1000",
  disc: "data=disc&hidden=8,8,8,8&act=relu&lr=0.01&epoch=100",
  spirals: "data=spirals&epoch=100",
  digits: "data=digits&hidden=30&act=relu&lr=0.003&epoch=2",
};
