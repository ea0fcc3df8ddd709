"use strict";

// Draws every figure of the page. Figures over time (layout.meta.group) share cursor and zoom within their group, and have a
// legend beside them that shows the values at the cursor. A curve with meta.position moves a marker along: its customdata is time.

const CONFIG = { responsive: true, displaylogo: false, modeBarButtons: [["toImage", "zoom2d", "pan2d", "resetScale2d"]] };
const plots = [...document.querySelectorAll("figure.plot")].map(draw);
document.querySelector(".hint").hidden = !plots.some((plot) => plot.group);

function draw(figure) {
  const { data, layout } = JSON.parse(figure.querySelector("script").textContent);
  const canvas = figure.querySelector(".canvas");
  const plot = { canvas, group: layout.meta?.group, entries: [], strips: [] };
  figure.classList.toggle("timed", Boolean(plot.group));
  Plotly.newPlot(canvas, data, { ...layout, ...theme(layout) }, CONFIG);
  if (plot.group) {
    addLegend(plot, figure.querySelector(".signals"));
    addCursor(plot);
    fitTracks(plot);
    canvas.on("plotly_relayout", (change) => zoomed(plot, change));
  }
  return plot;
}

// --- colours ------------------------------------------------------------------------------------------------------------------

function theme(layout) {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim();
  const patch = {
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { color: colour("--text"), family: getComputedStyle(document.body).fontFamily, size: 12 },
    modebar: { bgcolor: "rgba(0,0,0,0)", color: colour("--axis"), activecolor: colour("--text") },
  };
  for (const axis of axesOf(layout)) {
    patch[axis] = { ...layout[axis], gridcolor: colour("--grid"), zerolinecolor: colour("--axis"), linecolor: colour("--axis") };
  }
  return patch;
}

function axesOf(layout) {
  return ["xaxis", "yaxis", ...Object.keys(layout).filter((key) => /^[xy]axis\d+$/.test(key))];
}

function repaint() {
  for (const { canvas } of plots) {
    const patch = theme(canvas.layout);
    const flat = { "font.color": patch.font.color, "modebar.color": patch.modebar.color };
    for (const axis of axesOf(canvas.layout)) {
      for (const key of ["gridcolor", "zerolinecolor", "linecolor"]) flat[`${axis}.${key}`] = patch[axis][key];
    }
    Plotly.relayout(canvas, flat);
  }
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);

// On paper there is less width than on the screen, and no dark scheme.
matchMedia("print").addEventListener("change", () => { repaint(); plots.forEach(({ canvas }) => Plotly.Plots.resize(canvas)); });

// --- legend -------------------------------------------------------------------------------------------------------------------

function element(tag, className, text) {
  const node = document.createElement(tag);
  node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

function addLegend(plot, legend) {
  const groups = new Map();
  const layout = plot.canvas._fullLayout;
  const groupOf = (trace) => {
    const axis = layout["yaxis" + trace.yaxis.slice(1)];
    if (!groups.has(axis)) {
      const group = element("div", "group");
      group.style.top = `${layout._size.t + (1 - axis.domain[1]) * layout._size.h}px`;
      groups.set(axis, legend.appendChild(group));
    }
    return groups.get(axis);
  };
  plot.canvas._fullData.forEach((trace, index) => {
    if (trace.meta?.silent) return;
    if (trace.meta?.band) addStripEntry(plot, groupOf(trace), trace);
    else addCurveEntry(plot, groupOf(trace), trace, index);
  });
  for (const entry of plot.entries) {
    entry.digits = digitsFor(plot.entries.filter(({ trace }) => trace.yaxis === entry.trace.yaxis).map(({ trace }) => trace.y));
  }
  addKeys(plot);
}

function addCurveEntry(plot, group, trace, index) {
  const button = group.appendChild(element("button", ""));
  const dash = { dash: "6 4", dot: "2 3", dashdot: "6 3 2 3" }[trace.line.dash] ?? "none";
  button.innerHTML = `<svg width="22" height="10"><line x1="0" y1="5" x2="22" y2="5" stroke="${trace.line.color}" `
    + `stroke-width="2.4" stroke-dasharray="${dash}"/></svg>`;
  button.append(element("span", "name", trace.name));
  const value = button.appendChild(element("span", "value"));
  button.title = "hide or show";
  button.onclick = () => {
    const off = button.classList.toggle("off");
    Plotly.restyle(plot.canvas, { visible: off ? "legendonly" : true }, [index]).then(() => fitTracks(plot));
  };
  plot.entries.push({ trace, value });
}

function addStripEntry(plot, group, trace) {
  let strip = plot.strips.find((other) => other.name === trace.meta.band);
  if (!strip) {
    const line = group.appendChild(element("div", "strip"));
    line.append(element("span", "name", trace.meta.band));
    strip = { name: trace.meta.band, group, value: line.appendChild(element("span", "value")), traces: [] };
    plot.strips.push(strip);
  }
  strip.traces.push(trace);
}

// Each label that occurs stands once below the strips, with its colour; a strip with a single label explains itself.
function addKeys(plot) {
  const shown = new Map();
  for (const strip of plot.strips) {
    if (strip.traces.length < 2) continue;
    for (const trace of strip.traces) if (trace.x?.length) shown.set(trace.name, trace.line.color);
  }
  if (!shown.size) return;
  const keys = plot.strips[0].group.appendChild(element("div", "keys"));
  for (const [name, colour] of shown) {
    const key = keys.appendChild(element("span", ""));
    key.appendChild(element("i", "")).style.background = colour;
    key.append(name);
  }
}

// --- cursor and zoom ----------------------------------------------------------------------------------------------------------

function addCursor(plot) {
  const { canvas } = plot;
  plot.cursor = canvas.appendChild(element("div", "cursor"));
  plot.cursor.hidden = true;
  plot.clock = plot.cursor.appendChild(element("span", ""));
  canvas.addEventListener("pointermove", (event) => {
    const axis = canvas._fullLayout.xaxis;
    const pixel = event.clientX - canvas.getBoundingClientRect().left - axis._offset;
    if (pixel >= 0 && pixel <= axis._length) moveCursors(plot.group, axis.p2d(pixel));
  });
}

const times = {}; // of the cursors [s], by group

function moveCursors(group, time = times[group]) {
  if (time === undefined) return;
  times[group] = time;
  for (const plot of plots) {
    if (plot.group === group) showCursor(plot, time);
    else if (!plot.group) showPosition(plot, group, time);
  }
}

function showCursor(plot, time) {
  const { xaxis, _size: size } = plot.canvas._fullLayout;
  const pixel = xaxis.d2p(time);
  plot.cursor.hidden = pixel < 0 || pixel > xaxis._length;
  plot.cursor.style.cssText = `left: ${xaxis._offset + pixel}px; top: ${size.t}px; height: ${size.h}px`;
  plot.clock.textContent = `${time.toFixed(3)} s`;
  for (const { trace, value, digits } of plot.entries) {
    const y = trace.y[lastBefore(trace.x, time)];
    value.textContent = Number.isFinite(y) ? y.toFixed(digits).replace("-", "−") : "–";
  }
  for (const { traces, value } of plot.strips) {
    value.textContent = traces.find((trace) => covers(trace.x, time))?.name ?? "–";
  }
}

function showPosition(plot, group, time) {
  const trace = (plot.canvas._fullData ?? []).find((one) => one.meta?.position === group);
  if (!trace) return;
  plot.marker ??= plot.canvas.appendChild(element("div", "position"));
  const { xaxis, yaxis } = plot.canvas._fullLayout;
  const index = lastBefore(trace.customdata, time);
  plot.marker.hidden = !(time >= trace.customdata[0]);
  plot.marker.style.left = `${xaxis._offset + xaxis.d2p(trace.x[index])}px`;
  plot.marker.style.top = `${yaxis._offset + yaxis.d2p(trace.y[index])}px`;
}

let following = false; // the zoom of another plot

function zoomed(source, change) {
  if (following) return;
  following = true;
  const range = [...source.canvas._fullLayout.xaxis.range];
  const steps = plots.filter((plot) => plot.group === source.group).map((plot) => {
    if (plot !== source) return fitTracks(plot, { "xaxis.range": range });
    // Who draws a box wants that box.
    return Object.keys(change).some((key) => /^yaxis\d*\.range/.test(key)) ? null : fitTracks(plot);
  });
  Promise.all(steps).finally(() => { following = false; moveCursors(source.group); });
}

// Scale every track to what is seen of its curves, and change the layout by `change`.
function fitTracks({ canvas }, change = {}) {
  const layout = canvas._fullLayout;
  const [begin, end] = change["xaxis.range"] ?? layout.xaxis.range;
  const extents = new Map();
  for (const trace of canvas._fullData) {
    if (trace.meta?.band || trace.meta?.ground || trace.visible !== true) continue;
    const name = "yaxis" + trace.yaxis.slice(1);
    if (!extents.has(name)) extents.set(name, [...(canvas.layout[name].autorangeoptions?.include ?? [])]);
    extents.get(name).push(...extent(trace, begin, end));
  }
  for (const [name, values] of extents) {
    const low = Math.min(...values);
    const high = Math.max(...values);
    const margin = 0.06 * (high - low) || 0.1 * Math.abs(high) || 1;
    if (values.length) change[`${name}.range`] = [low - margin, high + margin];
  }
  return Plotly.relayout(canvas, change);
}

// Lowest and highest value of a curve between two times; nothing where it has none.
function extent({ x, y }, begin, end) {
  let low = Infinity;
  let high = -Infinity;
  for (let k = lastBefore(x, begin); k < x.length && x[k] <= end; k++) {
    if (y[k] < low) low = y[k];
    if (y[k] > high) high = y[k];
  }
  return low <= high ? [low, high] : [];
}

// Index of the last value that is not later than `time`; a measurement holds until the next one.
function lastBefore(x, time) {
  let low = 0;
  let high = x.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (x[middle] <= time) low = middle;
    else high = middle - 1;
  }
  return low;
}

// `x` holds begin, end, gap of every stretch of a strip.
function covers(x, time) {
  for (let k = 0; k + 1 < x.length; k += 3) if (x[k] <= time && time <= x[k + 1]) return true;
  return false;
}

// Decimals that leave three or four significant digits to the largest value of a track's curves.
function digitsFor(curves) {
  let largest = 0;
  for (const values of curves) for (const value of values) if (Math.abs(value) > largest) largest = Math.abs(value);
  return largest >= 1000 ? 0 : largest >= 100 ? 1 : largest >= 10 ? 2 : 3;
}
