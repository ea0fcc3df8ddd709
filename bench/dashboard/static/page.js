"use strict";
// What moves on the page: the car, the power gauge and the plots, from the websocket of the stream. All else is NiceGUI's.

const e4hil = (() => {
  const KEPT = 65; // [s] of values that the page remembers
  const POINTS = 500; // bins of one curve; each shows its lowest and highest value
  const WHEELS = [[136, 200], [304, 200], [136, 462], [304, 462]]; // front left, front right, rear left, rear right
  const REACH = 70; // [px] of an arrow that is as long as its scale
  const SVG = "http://www.w3.org/2000/svg";

  let socket = null;
  let plots = []; // {element, series: [{path}]}
  let data = new Map(); // path -> [[time, value], ...]
  let now = 0; // [s] of the last sample
  let held = null; // [s] at which the plots are paused
  let seconds = 10;
  let torqueScale = 500, yawScale = 30, powerScale = { charge: 25, discharge: 50 };

  // --- stream

  function connect() {
    socket = new WebSocket(`ws://${location.host}/stream`);
    socket.onopen = () => { show("lost", false); choose(); };
    socket.onclose = () => { show("lost", true); setTimeout(connect, 1000); };
    socket.onmessage = (event) => { take(JSON.parse(event.data)); socket.send(""); };
  }

  function choose() {
    const paths = [...new Set(plots.flatMap((plot) => plot.series.map((series) => series.path)))];
    if (socket && socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(paths));
  }

  function take(message) {
    if (message.begins) { data = new Map(); now = 0; }
    const times = message.times;
    for (const [path, values] of Object.entries(message.values)) {
      if (!data.has(path)) data.set(path, []);
      const curve = data.get(path);
      for (let k = 0; k < times.length; k++) curve.push([times[k], values[k]]);
      if (curve.length > 2 && curve[curve.length - 1][0] - curve[0][0] > KEPT + 5) {
        curve.splice(0, firstFrom(curve, curve[curve.length - 1][0] - KEPT));
      }
    }
    if (times.length) now = times[times.length - 1];
    if (message.car) drawCar(message.car, message.standing === "running");
    if (times.length || message.begins) requestAnimationFrame(drawPlots);
  }

  // --- plots

  function firstFrom(curve, time) {
    let low = 0, high = curve.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (curve[middle][0] < time) low = middle + 1; else high = middle;
    }
    return low;
  }

  function thinned(curve, begin, end) {
    const first = Math.max(0, firstFrom(curve, begin) - 1), last = firstFrom(curve, end) + 1;
    const part = curve.slice(first, last);
    const size = Math.ceil(part.length / POINTS);
    if (size < 3) return part;
    const kept = [];
    for (let k = 0; k < part.length; k += size) {
      let lowest = null, highest = null;
      for (let j = k; j < Math.min(k + size, part.length); j++) {
        const point = part[j];
        if (point[1] === null) continue;
        if (!lowest || point[1] < lowest[1]) lowest = point;
        if (!highest || point[1] > highest[1]) highest = point;
      }
      if (!lowest) kept.push(part[k]);
      else if (lowest === highest) kept.push(lowest);
      else if (lowest[0] < highest[0]) kept.push(lowest, highest);
      else kept.push(highest, lowest);
    }
    return kept;
  }

  const chartOf = (plot) => { const element = getElement(plot.element); return element && element.chart; };

  function drawPlots() {
    const end = held === null ? Math.max(now, seconds) : held;
    const begin = end - seconds;
    for (const plot of plots) {
      const chart = chartOf(plot);
      if (!chart) continue;
      chart.setOption({
        xAxis: { min: begin, max: end, interval: seconds / 5 },
        series: plot.series.map((series) => ({ id: series.path, data: thinned(data.get(series.path) || [], begin, end) })),
      }, { silent: true });
    }
  }

  function setPlots(wanted) {
    plots = wanted;
    choose();
    for (const plot of plots) style(plot, 20);
  }

  function style(plot, tries) {
    const chart = chartOf(plot);
    if (!chart) { if (tries) setTimeout(() => style(plot, tries - 1), 100); return; }
    chart.setOption({ series: plot.series.map((series) => ({ ...series.style, id: series.path })), yAxis: plot.axes }, { replaceMerge: ["series"] });
    drawPlots();
  }

  // --- the car

  const byId = (id) => document.getElementById(id);
  const show = (id, shown) => { const element = byId(id); if (element) element.style.display = shown ? "block" : "none"; };
  const text = (id, value) => { const element = byId(id); if (element && element.textContent !== value) element.textContent = value; };
  const fixed = (value, digits = 0) => value === null || value === undefined ? "–" : (Math.abs(value) < 0.5 * 10 ** -digits ? 0 : value).toFixed(digits);

  function make(parent, name, attributes) {
    const element = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    parent.appendChild(element);
    return element;
  }

  function buildCar() {
    const wheels = byId("wheels");
    WHEELS.forEach(([x, y], k) => {
      const left = k % 2 === 0, outside = left ? -1 : 1;
      const group = make(wheels, "g", { transform: `translate(${x} ${y})` });
      const turned = make(group, "g", { id: `turned-${k}` });
      make(turned, "use", { href: "#wheel", class: "tyre" });
      make(turned, "rect", { id: `grip-${k}`, class: "grip", x: -16, width: 32, y: 37, height: 0 });
      make(turned, "rect", { id: `rim-${k}`, class: "rim", x: -16, y: -37, width: 32, height: 74, rx: 8 });
      make(group, "path", { id: `motor-${k}`, class: "motor", transform: `translate(${31 * outside} 0)` });
      make(group, "path", { id: `brake-${k}`, class: "braking", transform: `translate(${50 * outside} 0)` });
      const anchor = left ? "end" : "start", edge = 64 * outside;
      make(group, "text", { id: `motor-text-${k}`, class: "motor-text", x: edge, y: -8, "text-anchor": anchor });
      make(group, "text", { id: `brake-text-${k}`, class: "brake-text", x: edge, y: 14, "text-anchor": anchor });
      make(group, "text", { id: `grip-text-${k}`, x: 2 * outside, y: 54, "text-anchor": anchor });
    });
    scaleYaw();
  }

  const onDial = (rate) => -90 * Math.max(-1, Math.min(1, rate / yawScale)); // [°] to the left for a turn to the left

  function scaleYaw() {
    const ticks = byId("yaw-ticks");
    ticks.replaceChildren();
    for (const share of [-1, -0.5, 0, 0.5, 1]) {
      const angle = (onDial(share * yawScale) * Math.PI) / 180, s = Math.sin(angle), c = -Math.cos(angle);
      make(ticks, "line", { class: "tick", x1: 57 * s, y1: 57 * c, x2: 67 * s, y2: 67 * c });
      make(ticks, "text", { class: "tick-text", x: 76 * s, y: 72 * c + 4 }).textContent = Math.abs(share * yawScale);
    }
  }

  const gripColour = (use) => use > 0.95 ? "var(--brake)" : use > 0.75 ? "var(--warning)" : "var(--front)";

  function drawCar(car, running) {
    byId("car").classList.toggle("off", !running);
    text("speed", fixed(car.speed === null ? null : Math.abs(car.speed)));
    text("acceleration", fixed(car.acceleration, 1));
    const torques = [...car.motor, ...car.braking].filter((value) => value !== null).map(Math.abs);
    torqueScale = Math.max(torqueScale, 250 * Math.ceil(Math.max(...torques) / 250));
    text("torque-scale", `${torqueScale}`);
    car.motor.forEach((motor, k) => drawWheel(k, motor, car.braking[k], car.friction_use[k], car.slip[k], car.speed));
    for (const k of [0, 1]) byId(`turned-${k}`).setAttribute("transform", `rotate(${-(car.wheel_angle || 0)})`);
    drawYaw(car);
    drawStates(car, running);
    drawPower(car);
    drawPedals(car);
  }

  function drawWheel(k, motor, braking, use, slips, speed) {
    arrow(`motor-${k}`, motor || 0);
    arrow(`brake-${k}`, -(braking || 0) * (speed < -0.5 ? -1 : 1));
    text(`motor-text-${k}`, `${fixed(motor)} Nm`);
    text(`brake-text-${k}`, braking > 1 ? `${fixed(braking)} Nm` : "");
    text(`grip-text-${k}`, use === null ? "grip –" : use > 1 ? "grip > 100 %" : `grip ${fixed(100 * use)} %`);
    const height = 74 * Math.min(1, use || 0), grip = byId(`grip-${k}`);
    grip.setAttribute("y", 37 - height);
    grip.setAttribute("height", height);
    grip.style.fill = gripColour(use || 0);
    byId(`rim-${k}`).classList.toggle("slips", slips);
  }

  function arrow(id, torque) {
    const length = (REACH * torque) / torqueScale, size = Math.abs(length), down = length < 0 ? 1 : -1;
    const head = Math.min(13, size), neck = down * (size - head), tip = down * size;
    byId(id).setAttribute("d", size < 1 ? "" : `M-4 0 H4 V${neck} H9 L0 ${tip} L-9 ${neck} H-4 Z`);
  }

  function drawYaw(car) {
    const most = Math.max(Math.abs(car.yaw_rate || 0), Math.abs(car.yaw_rate_reference || 0));
    if (most > yawScale) { yawScale = 30 * Math.ceil(most / 30); scaleYaw(); }
    byId("yaw-rate").setAttribute("transform", `rotate(${onDial(car.yaw_rate || 0)})`);
    byId("yaw-reference").setAttribute("transform", `rotate(${onDial(car.yaw_rate_reference || 0)})`);
    text("yaw-text", `${fixed(car.yaw_rate, 1)} °/s`);
    for (const id of ["yaw-control", "yaw-control-2"]) byId(id).classList.toggle("on", car.yaw_control && most > 0.5);
  }

  function drawStates(car, running) {
    text("state", !running ? "off" : car.ready ? "READY" : car.state.toLowerCase());
    byId("state").parentElement.classList.toggle("ready", running && car.ready);
    text("gear", running ? car.gear : "–");
    text("mode", car.mode + (car.e_pedal ? ", e-Pedal" : ""));
    text("charge", `${fixed(100 * car.charge)} %`);
  }

  function drawPower(car) {
    const power = car.power || 0, discharge = car.discharge_limit || 0, charge = car.charge_limit || 0;
    powerScale.discharge = Math.max(powerScale.discharge, 50 * Math.ceil(Math.max(power, discharge) / 50));
    powerScale.charge = Math.max(powerScale.charge, 25 * Math.ceil(Math.max(-power, charge) / 25));
    const whole = powerScale.charge + powerScale.discharge, place = (value) => (100 * (value + powerScale.charge)) / whole;
    const limit = power < 0 ? charge : discharge, share = limit > 0 ? Math.abs(power) / limit : 0;
    const level = share > 1.01 && Math.abs(power) > 1 ? "beyond" : share > 0.95 ? "near" : "";
    byId("gauge").classList.remove("unknown");
    text("power-now", `${fixed(car.power, 1)} kW`);
    byId("power-now").className = `now ${level === "beyond" ? level : ""}`;
    byId("charge-limit").innerHTML = `charge limit <b>${fixed(car.charge_limit)} kW</b><br>set by <b>${car.charge_by}</b>`;
    byId("discharge-limit").innerHTML = `discharge limit <b>${fixed(car.discharge_limit)} kW</b><br>set by <b>${car.discharge_by}</b>`;
    const span = (id, low, high) => { byId(id).style.left = `${place(low)}%`; byId(id).style.width = `${place(high) - place(low)}%`; };
    span("power-allowed", -charge, discharge);
    span("power-used", Math.min(0, power), Math.max(0, power));
    byId("power-used").className = `used ${level}`;
    byId("power-low").style.left = `${place(-charge)}%`;
    byId("power-high").style.left = `calc(${place(discharge)}% - 2px)`;
    byId("power-zero").style.left = `${place(0)}%`;
    text("power-scale-low", `−${powerScale.charge} kW`);
    byId("power-scale-zero").style.left = `${place(0)}%`;
    text("power-scale-high", `${powerScale.discharge} kW`);
  }

  function drawPedals(car) {
    byId("accelerator").style.width = `${100 * (car.accelerator || 0)}%`;
    byId("brake").style.width = `${100 * (car.brake || 0)}%`;
    text("accelerator-number", `${fixed(100 * car.accelerator)} %`);
    text("brake-number", `${fixed(100 * car.brake)} %`);
    const turned = Math.max(-1, Math.min(1, (car.steering || 0) / 180));
    byId("steering").style.left = `${50 - 50 * Math.max(0, turned)}%`;
    byId("steering").style.width = `${50 * Math.abs(turned)}%`;
    text("steering-number", `${fixed(car.steering)} °`);
  }

  function begin() {
    if (!byId("wheels")) { setTimeout(begin, 50); return; }
    buildCar();
    connect();
  }

  return {
    begin,
    setPlots,
    setSeconds: (value) => { seconds = value; drawPlots(); },
    pause: (paused) => { held = paused ? Math.max(now, seconds) : null; drawPlots(); },
  };
})();

window.addEventListener("load", e4hil.begin);
