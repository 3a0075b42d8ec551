// Draws the cost charts with uPlot from the numbers in the page. Without it the tables say the same.
"use strict";

(() => {
  const hues = ["#0e7c7b", "#c2410c", "#4a5fc1", "#9a6a00", "#9d2f6f", "#3f7d20", "#7a5195", "#2f7fb5", "#b5543a", "#6b7280", "#a8adb3"];
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
  const money = new Intl.NumberFormat("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
  const when = (seconds) => new Date(seconds * 1000).toISOString().slice(0, 10);

  const axes = () => {
    const line = { stroke: css("--quiet"), grid: { stroke: css("--line"), width: 1 }, ticks: { stroke: css("--line"), width: 1 } };
    return [
      { ...line, values: (_, splits) => splits.map((s) => when(s).slice(5)) },
      { ...line, values: (_, splits) => splits.map((n) => short.format(n)), size: 56 },
    ];
  };

  const stacked = (data) => {
    const days = data.days.map((d) => Date.parse(d) / 1000);
    const raw = data.series.map((s) => s.amounts.map(Number));
    const sums = [];
    let below = days.map(() => 0);
    for (const amounts of raw) {
      below = amounts.map((a, i) => a + below[i]);
      sums.push(below);
    }
    return { days, raw, sums };
  };

  // Half a bucket free at either side, so that the outer bars are whole.
  const beside = (days, low, high) => {
    const half = days.length > 1 ? (days[1] - days[0]) / 2 : 43200;
    return [low - half, high + half];
  };

  // Bars that touch the ground: the tallest sum first, so that the smaller ones lie over it.
  const draw = (place, data) => {
    const { days, raw, sums } = stacked(data);
    const order = sums.map((_, i) => i).reverse();
    const bars = uPlot.paths.bars({ size: [0.82, 60], gap: 1 });
    const options = {
      width: place.clientWidth,
      height: Math.max(220, Math.min(340, place.clientWidth * 0.42)),
      tzDate: (ts) => uPlot.tzDate(new Date(ts * 1000), "Etc/UTC"),
      legend: { show: false },
      cursor: { points: { show: false }, drag: { x: false, y: false } },
      scales: { x: { time: true, range: (_, low, high) => beside(days, low, high) }, y: { range: (_, low, high) => [Math.min(0, low), high > 0 ? high * 1.06 : 1] } },
      axes: axes(),
      series: [
        {},
        ...order.map((i) => ({
          label: data.series[i].name, fill: hues[i % hues.length], stroke: hues[i % hues.length], width: 0, paths: bars, points: { show: false },
        })),
      ],
      hooks: { setCursor: [(u) => tell(place, data, raw, u.cursor.idx)] },
    };
    // What is nothing is not drawn: a bar of no height would lie over its neighbours as a dash.
    return new uPlot(options, [days, ...order.map((i) => sums[i].map((sum, at) => (raw[i][at] ? sum : null)))], place);
  };

  // A line of what was, a dashed one of what is expected, and the band around it.
  const drawForecast = (place, data) => {
    const days = data.days.map((d) => Date.parse(d) / 1000);
    const nums = (list) => list.map((v) => (v === null ? null : Number(v)));
    const accent = css("--accent");
    const options = {
      width: place.clientWidth,
      height: Math.max(220, Math.min(320, place.clientWidth * 0.4)),
      tzDate: (ts) => uPlot.tzDate(new Date(ts * 1000), "Etc/UTC"),
      legend: { show: false },
      cursor: { drag: { x: false, y: false } },
      scales: { x: { time: true }, y: { range: (_, low, high) => [0, high * 1.06] } },
      axes: axes(),
      series: [{}, { stroke: accent, width: 2, points: { show: false } }, { stroke: accent, width: 2, dash: [6, 5], points: { show: false } }],
    };
    return new uPlot(options, [days, nums(data.actual), nums(data.expected)], place);
  };

  const tell = (place, data, raw, at) => {
    const words = place.parentElement.querySelector("[data-chart-words]");
    if (!words) return;
    words.textContent = "";
    if (at === null || at === undefined) return;
    const total = raw.reduce((sum, amounts) => sum + amounts[at], 0);
    const top = raw.map((amounts, i) => [amounts[at], data.series[i].name]).filter(([n]) => n).sort((a, b) => b[0] - a[0]).slice(0, 3);
    words.textContent = `${data.days[at]}: ${money.format(total)} ${data.currency}. ${top.map(([n, name]) => `${name} ${money.format(n)}`).join(", ")}`;
  };

  const key = () => {
    for (const mark of document.querySelectorAll("[data-hue]")) mark.style.backgroundColor = hues[Number(mark.dataset.hue) % hues.length];
  };

  let drawn = [];
  const all = () => {
    for (const chart of drawn) chart.destroy();
    drawn = [];
    for (const place of document.querySelectorAll("[data-chart]")) {
      const source = document.getElementById(place.dataset.chart);
      if (!source) continue;
      const data = JSON.parse(source.textContent);
      if (data.days.length) drawn.push(data.actual ? drawForecast(place, data) : draw(place, data));
    }
    key();
  };

  let waiting;
  window.addEventListener("resize", () => {
    clearTimeout(waiting);
    waiting = setTimeout(all, 150);
  });
  new MutationObserver(all).observe(document.documentElement, { attributeFilter: ["data-bs-theme"] });
  document.addEventListener("htmx:afterSettle", all);
  all();
})();
